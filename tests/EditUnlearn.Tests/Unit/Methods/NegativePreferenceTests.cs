using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>NPO by hand, and what its source says of it.</summary>
public sealed class NegativePreferenceTests
{
    // Words 0 to 5; word 4 three times as likely as each other one: p(4) = 3/8, else 1/8.
    private static readonly double[] Favoured = [0, 0, 0, 0, Math.Log(3), 0];

    [Fact]
    public void The_loss_of_a_row_is_the_one_computed_by_hand()
    {
        using var model = TinyModels.Constant(Favoured);
        var inputs = new MethodInputs
        {
            Forget = [new TokenRow([1, 3, 4, 2], 2)],
            Retain = [new TokenRow([1, 3, 5, 2], 2)],
            OpenReference = () => TinyModels.Constant(0, 0, 0, 0, 0, 0),
        };
        double Loss(double beta, double retainWeight) =>
            Curves
                .Of(
                    new NegativePreference(
                        Curves.Brief(
                            new NegativePreference.Options
                            {
                                Beta = beta,
                                RetainWeight = retainWeight,
                                Reference = ReferenceSource.Folder,
                                BatchSize = 1,
                            }
                        )
                    ),
                    model,
                    inputs
                )[0]
                .Loss;

        // s = ln(3/8 * 1/8), s_0 = ln(1/6 * 1/6), so s - s_0 = ln(27/16) and, with beta 1,
        // -2 log sigmoid(-ln(27/16)) = 2 ln(1 + 27/16) = 1.977223.
        Assert.Equal(1.977223, Loss(1, 0), 1e-4);
        // With beta 1/2: 4 ln(1 + sqrt(27/16)) = 3.329963.
        Assert.Equal(3.329963, Loss(0.5, 0), 1e-4);
        // The retain row's labels have 1/8 each: ln 8 = 2.079442 a label.
        Assert.Equal(1.977223 + 2 * 2.079442, Loss(1, 2), 1e-4);
    }

    [Fact]
    public void At_its_reference_it_is_2_over_beta_times_ln_2_with_the_gradient_of_ascent_on_sums()
    {
        using var model = TinyModels.Llama();
        // Three labels in each row, so that a sum over a row is three times its mean.
        var rows = Enumerable.Range(0, 4).Select(i => new TokenRow([1, 5 + i, 20 + i, 30 + i, 40 + i, 2], 3)).ToList();
        var inputs = new MethodInputs { Forget = rows };
        var npo = Curves.Of(
            new NegativePreference(Curves.Brief(new NegativePreference.Options { RetainWeight = 0 })),
            model,
            inputs
        )[0];
        var ascent = Curves.Of(new GradientAscent(Curves.Brief(new GradientAscent.Options())), model, inputs)[0];
        Assert.Equal(13.862944, npo.Loss, 1e-5);
        Assert.Equal(3 * ascent.GradientNorm, npo.GradientNorm, 1e-4 * npo.GradientNorm);
        Assert.Equal(ascent.ForgetLoss, npo.ForgetLoss, 1e-6);
    }

    [Fact]
    public void It_is_bounded_and_falls_towards_0_while_the_answer_is_forgotten()
    {
        using var model = TinyModels.Llama();
        var curve = Curves.Of(
            new NegativePreference(
                Curves.Brief(new NegativePreference.Options { RetainWeight = 0 }, steps: 40, rate: 5e-3)
            ),
            model,
            new MethodInputs { Forget = TinyModels.Rows(4) }
        );
        Assert.All(curve, p => Assert.True(p.Loss > 0));
        Assert.True(curve[^1].Loss < 0.2 * curve[0].Loss, $"{curve[^1].Loss} of {curve[0].Loss}");
        Assert.True(curve[^1].ForgetLoss > curve[0].ForgetLoss + 3);
    }

    [Fact]
    public void A_beta_of_0_is_refused_and_the_bare_method_needs_no_retain_rows()
    {
        Assert.Null(MethodCatalog.Bind("npo", "reference", new JsonObject { ["beta"] = 0 }, out var problems));
        Assert.Equal("options.beta", Assert.Single(problems).Path);
        Assert.Equal(
            Needs.ForgetAnswers | Needs.Reference,
            new NegativePreference(
                new NegativePreference.Options { RetainWeight = 0, Reference = ReferenceSource.Pretrained }
            ).Needs
        );
    }
}
