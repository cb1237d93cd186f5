using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>RMU by hand, and what its source says of it.</summary>
public sealed class RepresentationMisdirectionTests
{
    private static RepresentationMisdirection.Options Tiny =>
        Curves.Brief(new RepresentationMisdirection.Options { Layer = 1, BatchSize = 2 });

    private static MethodInputs Inputs(params (string Purpose, Tensor Value)[] draws) =>
        new()
        {
            Forget = TinyModels.Rows(4),
            Retain = TinyModels.Rows(6, 8),
            Draws = draws.ToDictionary(d => d.Purpose, d => d.Value),
        };

    [Fact]
    public void The_loss_is_the_one_computed_by_hand()
    {
        using var scope = NewDisposeScope();
        // The stream is 1 everywhere, D = 32; u points along the first coordinate.
        using var model = TinyModels.Constant(0, 0, 0, 0, 0, 0);
        var u = zeros(model.Config.HiddenSize);
        u[0] = 1;
        var row = new TokenRow([1, 3, 4, 2], 2);
        var inputs = new MethodInputs
        {
            Forget = [row, row],
            Retain = [row],
            Draws = new Dictionary<string, Tensor> { [RepresentationMisdirection.Control] = u },
        };
        double Loss(double c, StreamUnit unit) =>
            Curves
                .Of(new RepresentationMisdirection(Tiny with { Coefficient = c, Unit = unit }), model, inputs)[0]
                .Loss;
        // |h - c u|^2 = 31 + (1 - c)^2; the retain term is 0 at first. (31 + 16) / 32 = 1.46875 for c = 5.
        Assert.Equal(1.46875, Loss(5, StreamUnit.Length), 1e-6);
        // |h| = sqrt 32, so half of it is 2.828427: (31 + 1.828427^2) / 32 = 1.073223.
        Assert.Equal(1.073223, Loss(0.5, StreamUnit.MeanRetainNorm), 1e-6);
    }

    [Fact]
    public void Only_three_memories_move_and_all_else_stays_bit_for_bit()
    {
        using var model = TinyModels.Llama(layers: 5);
        foreach (var (layer, expected) in (ReadOnlySpan<(int, int[])>)[(3, [1, 2, 3]), (1, [0, 1]), (0, [0])])
        {
            using var patch = (WeightPatch)
                new RepresentationMisdirection(Tiny with { Layer = layer }).Edit(model, Inputs(), new Seed(1));
            Assert.Equal(expected.Select(CausalLm.DownProjName), patch.Changes.Keys.Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Forget_rows_go_where_they_are_pulled_and_a_heavy_retain_term_holds_the_others()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Lively();
        var u = ones(model.Config.HiddenSize);
        u /= u.norm();
        var inputs = Inputs((RepresentationMisdirection.Control, u));
        (double Along, double Retain) Moved(double retainWeight)
        {
            var options = Tiny with { Coefficient = 3, RetainWeight = retainWeight, Steps = 30, LearningRate = 1e-3 };
            using var patch = new RepresentationMisdirection(options).Edit(model, inputs, new Seed(1));
            Tensor Change(TokenRow row) => Stream(model, patch, row) - Stream(model, null, row);
            return (
                inputs.Forget.Average(r => matmul(Change(r), u).mean().ToDouble()),
                inputs.Retain.Average(r => Change(r).square().mean().ToDouble())
            );
        }
        var (free, held) = (Moved(0), Moved(50));
        Assert.True(free.Along > 0.5 && held.Along > 0.05, $"along u by {free.Along} and {held.Along}");
        Assert.True(held.Retain < 0.2 * free.Retain, $"{held.Retain} of {free.Retain}");
    }

    [Fact]
    public void Where_the_stream_is_already_what_it_is_pulled_to_nothing_moves()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Constant(0, 0, 0, 0, 0, 0);
        var u = ones(model.Config.HiddenSize);
        var row = new TokenRow([1, 3, 4, 2], 2);
        var inputs = new MethodInputs
        {
            Forget = [row],
            Retain = [row],
            Draws = new Dictionary<string, Tensor> { [RepresentationMisdirection.Control] = u },
        };
        var options = Tiny with { Coefficient = 1, WeightDecay = 0, Steps = 3, BatchSize = 1 };
        using var patch = (WeightPatch)new RepresentationMisdirection(options).Edit(model, inputs, new Seed(1));
        foreach (var (name, change) in patch.Changes)
            Assert.True(Tensors.SameBits(model.Weight(name), ((FullChange)change).Value), name);
    }

    [Fact]
    public void The_direction_is_uniform_of_length_1_and_comes_from_the_seed()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Constant(0, 0, 0, 0, 0, 0);
        var row = new TokenRow([1, 3, 4, 2], 2);
        var inputs = new MethodInputs { Forget = [row], Retain = [row] };
        double Loss(ulong seed)
        {
            IReadOnlyList<CurvePoint> curve = [];
            new RepresentationMisdirection(Tiny with { Coefficient = 1, BatchSize = 1 })
                .Edit(model, inputs with { Trained = r => curve = r.Curve }, new Seed(seed))
                .Dispose();
            return curve[0].Loss;
        }
        Assert.Equal(Loss(1), Loss(1));
        Assert.NotEqual(Loss(1), Loss(2));
        // |1 - u|^2 / D = (D - 2 sum u + 1) / D with |u| = 1. Uniform entries have sum u near sqrt(3/4 D).
        var sum = (33 - 32 * Loss(1)) / 2;
        Assert.InRange(sum, 0.8 * Math.Sqrt(24), Math.Sqrt(32));
    }

    [Fact]
    public void What_moves_is_no_option_and_bounds_are_checked()
    {
        Assert.Null(
            MethodCatalog.Bind(
                "rmu",
                "reference",
                new JsonObject { ["trainable"] = "full", ["layers"] = new JsonArray(1) },
                out var problems
            )
        );
        Assert.Equal(["options.trainable", "options.layers"], problems.Select(p => p.Path));
        MethodCatalog.Bind("rmu", "reference", new JsonObject { ["layer"] = -1, ["coefficient"] = 0 }, out problems);
        Assert.Equal(["options.layer", "options.coefficient"], problems.Select(p => p.Path));
    }

    private static Tensor Stream(CausalLm model, ModelPatch? patch, TokenRow row)
    {
        using var applied = patch?.ApplyTo(model);
        using var quiet = no_grad();
        return model.Blocks(model.Embed(Tensors.Ids(row.Ids)), 0, 2);
    }
}
