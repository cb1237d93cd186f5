using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>SimNPO by hand, and what its source says of it.</summary>
public sealed class SimpleNegativePreferenceTests
{
    // Word 4 three times as likely as each other one: p(4) = 3/8, else 1/8.
    private static readonly double[] Favoured = [0, 0, 0, 0, Math.Log(3), 0];

    [Fact]
    public void The_loss_of_a_row_is_the_one_computed_by_hand()
    {
        using var model = TinyModels.Constant(Favoured);
        double Loss(double beta, double gamma, double retainWeight, params TokenRow[] forget) =>
            Curves
                .Of(
                    new SimpleNegativePreference(
                        Curves.Brief(
                            new SimpleNegativePreference.Options
                            {
                                Beta = beta,
                                Gamma = gamma,
                                RetainWeight = retainWeight,
                                BatchSize = forget.Length,
                            }
                        )
                    ),
                    model,
                    new MethodInputs { Forget = forget, Retain = [new TokenRow([1, 3, 5, 2], 2)] }
                )[0]
                .Loss;
        var two = new TokenRow([1, 3, 4, 2], 2); // s = ln(3/8 * 1/8), so exp(-s / 2) = 8 / sqrt 3
        var four = new TokenRow([1, 3, 4, 4, 5, 2], 2); // twice the same pair: the same mean

        // beta 1: -2 log sigmoid(ln(8 / sqrt 3)) = 2 ln(1 + sqrt 3 / 8) = 0.391966.
        Assert.Equal(0.391966, Loss(1, 0, 0, two), 1e-4);
        Assert.Equal(0.391966, Loss(1, 0, 0, four), 1e-4);
        Assert.Equal(0.391966, Loss(1, 0, 0, two, four), 1e-4);
        // A margin of ln 2 halves the odds: 2 ln(1 + sqrt 3 / 4) = 0.719558.
        Assert.Equal(0.719558, Loss(1, Math.Log(2), 0, two), 1e-4);
        // beta 2: -log sigmoid(2 ln(8 / sqrt 3)) = ln(1 + 3 / 64) = 0.045810.
        Assert.Equal(0.045810, Loss(2, 0, 0, two), 1e-4);
        // The retain row's labels have 1/8 each: ln 8 = 2.079442 a label.
        Assert.Equal(0.391966 + 2 * 2.079442, Loss(1, 0, 2, two), 1e-4);
    }

    [Fact]
    public void It_is_bounded_and_falls_towards_0_while_the_answer_is_forgotten()
    {
        using var model = TinyModels.Llama();
        var curve = Curves.Of(
            new SimpleNegativePreference(
                Curves.Brief(
                    new SimpleNegativePreference.Options { Beta = 0.25, RetainWeight = 0 },
                    steps: 40,
                    rate: 5e-3
                )
            ),
            model,
            new MethodInputs { Forget = TinyModels.Rows(4) }
        );
        Assert.All(curve, p => Assert.True(p.Loss > 0));
        Assert.True(curve[^1].Loss < 0.5 * curve[0].Loss, $"{curve[^1].Loss} of {curve[0].Loss}");
        Assert.True(curve[^1].ForgetLoss > curve[0].ForgetLoss + 3);
    }

    [Fact]
    public void A_beta_of_0_is_refused_and_no_second_model_is_needed()
    {
        Assert.Null(MethodCatalog.Bind("simnpo", "reference", new JsonObject { ["beta"] = -1 }, out var problems));
        Assert.Equal("options.beta", Assert.Single(problems).Path);
        Assert.Equal(
            Needs.ForgetAnswers | Needs.RetainSet,
            new SimpleNegativePreference(new SimpleNegativePreference.Options()).Needs
        );
    }
}
