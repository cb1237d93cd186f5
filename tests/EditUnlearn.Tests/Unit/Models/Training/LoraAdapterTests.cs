using EditUnlearn.Foundation;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

public class LoraAdapterTests
{
    private const string Weight = "model.layers.0.mlp.down_proj.weight";

    private static LoraAdapter Adapter(double dropout = 0, ulong seed = 1) =>
        new(
            [KeyValuePair.Create(Weight, zeros(6, 10))],
            new LoraAdapter.Options
            {
                Rank = 2,
                Alpha = 8,
                Dropout = dropout,
            },
            new Seed(seed)
        );

    private static void FillB(LoraAdapter adapter)
    {
        using var quiet = no_grad();
        adapter.Parameters.Views[Weight + ".lora_B"].copy_(arange(12, dtype: float32).view(6, 2));
    }

    [Fact]
    public void A_fresh_adapter_adds_nothing_and_its_A_lies_within_its_bound()
    {
        using var scope = NewDisposeScope();
        using var adapter = Adapter();
        Assert.Equal(0, adapter.Addition(Weight, ones(3, 10))!.abs().max().ToSingle());
        var a = adapter.Parameters.Views[Weight + ".lora_A"];
        Assert.True(a.abs().max().ToSingle() <= 1 / MathF.Sqrt(10));
        Assert.True(a.abs().max().ToSingle() > 0.2);
        Assert.Null(adapter.Addition("model.layers.0.mlp.up_proj.weight", ones(3, 10)));
    }

    [Fact]
    public void The_addition_is_the_merged_update_times_the_input()
    {
        using var scope = NewDisposeScope();
        using var adapter = Adapter();
        FillB(adapter);
        var x = sin(arange(20, dtype: float32)).view(2, 10);
        var applied = adapter.Addition(Weight, x)!;
        var merged = matmul(x, adapter.MergedUpdate(Weight).t());
        Assert.True((applied - merged).abs().max().ToSingle() < 1e-5);
        var (left, right) = adapter.Factors(Weight);
        Assert.True((matmul(left, right.t()) - adapter.MergedUpdate(Weight)).abs().max().ToSingle() < 1e-5);
        Assert.Equal(4, adapter.Scale);
    }

    [Fact]
    public void Dropout_acts_in_training_passes_only_and_a_pass_of_the_same_name_meets_the_same_mask()
    {
        using var scope = NewDisposeScope();
        using var adapter = Adapter(dropout: 0.5);
        FillB(adapter);
        var x = ones(50, 10);
        var quiet = adapter.Addition(Weight, x)!;
        Tensor first,
            again,
            other;
        using (adapter.TrainingPass("0/forget"))
            first = adapter.Addition(Weight, x)!;
        using (adapter.TrainingPass("0/forget"))
            again = adapter.Addition(Weight, x)!;
        using (adapter.TrainingPass("1/forget"))
            other = adapter.Addition(Weight, x)!;
        Assert.Equal(first.bytes.ToArray(), again.bytes.ToArray());
        Assert.NotEqual(first.bytes.ToArray(), other.bytes.ToArray());
        Assert.NotEqual(first.bytes.ToArray(), quiet.bytes.ToArray());
        Assert.Equal(quiet.bytes.ToArray(), adapter.Addition(Weight, x)!.bytes.ToArray());
    }

    [Fact]
    public void Dropout_drops_its_share_and_keeps_the_mean()
    {
        using var scope = NewDisposeScope();
        using var adapter = new LoraAdapter(
            [KeyValuePair.Create(Weight, zeros(1, 1))],
            new LoraAdapter.Options
            {
                Rank = 1,
                Alpha = 1,
                Dropout = 0.2,
            },
            new Seed(5)
        );
        using (no_grad())
            adapter.Parameters.Weights.fill_(1);
        using var pass = adapter.TrainingPass("x");
        var addition = adapter.Addition(Weight, ones(20_000, 1))!;
        var dropped = addition.eq(0).to(float32).mean().ToSingle();
        Assert.InRange(dropped, 0.19f, 0.21f);
        Assert.InRange(addition.mean().ToSingle(), 0.99f, 1.01f);
    }

    [Fact]
    public void The_seed_decides_the_start()
    {
        using var one = Adapter(seed: 1);
        using var same = Adapter(seed: 1);
        using var two = Adapter(seed: 2);
        Assert.Equal(one.Parameters.Weights.bytes.ToArray(), same.Parameters.Weights.bytes.ToArray());
        Assert.NotEqual(one.Parameters.Weights.bytes.ToArray(), two.Parameters.Weights.bytes.ToArray());
    }
}
