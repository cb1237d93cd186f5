using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

public class OptimiserTests
{
    private static FlatParameters Flat(params (string Name, Tensor Value)[] named) =>
        FlatParameters.CopyOf(
            named.Select(n => KeyValuePair.Create(n.Name, n.Value)),
            name => !name.Contains("norm", StringComparison.Ordinal)
        );

    [Fact]
    public void One_step_moves_a_weight_by_decay_and_by_the_learning_rate()
    {
        using var scope = NewDisposeScope();
        using var flat = Flat(("w", ones(1, dtype: float64)));
        using var adam = new AdamW(flat, new AdamW.Options { WeightDecay = 0.01 });
        flat.Gradient.fill_(1);
        adam.Step(0.1);
        Assert.Equal(1 - 0.1 * 0.01 - 0.1 / (1 + 1e-8), flat.Weights.ToDouble(), 12);
    }

    [Fact]
    public void Many_steps_agree_with_the_library_optimiser()
    {
        using var scope = NewDisposeScope();
        var start = (arange(12, dtype: float64) - 5).view(3, 4) / 7;
        using var flat = Flat(("w", start));
        using var adam = new AdamW(flat, new AdamW.Options { WeightDecay = 0.1 });
        var library = new TorchSharp.Modules.Parameter(start.clone());
        using var optimiser = optim.AdamW([library], lr: 0.05, weight_decay: 0.1);
        for (var step = 0; step < 7; step++)
        {
            flat.ZeroGradient();
            (flat.Views["w"].sin() * (step + 1)).sum().backward();
            adam.Step(0.05);
            optimiser.zero_grad();
            (library.sin() * (step + 1)).sum().backward();
            optimiser.step();
        }
        Assert.True((flat.Views["w"] - library).abs().max().ToDouble() < 1e-14);
    }

    [Fact]
    public void Norm_gains_are_not_decayed()
    {
        using var scope = NewDisposeScope();
        using var flat = Flat(("norm", ones(2)), ("w", ones(3)));
        using var adam = new AdamW(flat, new AdamW.Options { WeightDecay = 0.5 });
        adam.Step(0.1);
        Assert.Equal(3, flat.DecayedCount);
        Assert.Equal([1f, 1f], flat.Views["norm"].data<float>().ToArray());
        Assert.Equal([0.95f, 0.95f, 0.95f], flat.Views["w"].data<float>().ToArray());
    }

    [Fact]
    public void A_restored_optimiser_continues_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        using var a = Flat(("w", linspace(-1, 1, 5)));
        using var adam = new AdamW(a, new AdamW.Options());
        for (var i = 0; i < 3; i++)
            Step(a, adam);
        using var b = Flat(("w", a.Weights));
        using var resumed = new AdamW(b, new AdamW.Options());
        resumed.Restore(adam.StepCount, adam.FirstMoment, adam.SecondMoment);
        Step(a, adam);
        Step(b, resumed);
        Assert.Equal(a.Weights.bytes.ToArray(), b.Weights.bytes.ToArray());

        static void Step(FlatParameters flat, AdamW adam)
        {
            flat.ZeroGradient();
            flat.Views["w"].pow(3).sum().backward();
            adam.Step(0.01);
        }
    }

    [Theory]
    [InlineData(10, 1, 1)]
    [InlineData(0.5, 1, 0.5)]
    public void Clipping_bounds_the_global_norm(double norm, double bound, double expected)
    {
        using var scope = NewDisposeScope();
        using var flat = Flat(("a", zeros(2, dtype: float64)), ("b", zeros(2, dtype: float64)));
        flat.Gradient.fill_(norm / 2);
        flat.ClipGradient(flat.GradientNorm(), bound);
        Assert.Equal(expected, flat.GradientNorm(), 6);
    }

    [Fact]
    public void Backward_collects_in_the_flat_gradient_and_replicas_keep_theirs_apart()
    {
        using var scope = NewDisposeScope();
        using var flat = Flat(("a", ones(2)), ("b", full(2, 3f)));
        using var replica = flat.Replica();
        (flat.Views["a"] * flat.Views["b"]).sum().backward();
        flat.Views["a"].sum().backward();
        replica.Views["b"].sum().backward();
        Assert.Equal([4f, 4f, 1f, 1f], flat.Gradient.data<float>().ToArray());
        Assert.Equal([0f, 0f, 1f, 1f], replica.Gradient.data<float>().ToArray());
        using (no_grad())
            flat.Weights.add_(1);
        Assert.Equal([4f, 4f], replica.Views["b"].data<float>().ToArray());
    }
}
