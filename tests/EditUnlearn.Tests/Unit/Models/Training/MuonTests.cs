using EditUnlearn.Foundation;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

/// <summary>Muon makes steps of one size in all directions, and only where it should.</summary>
public sealed class MuonTests
{
    [Theory]
    [InlineData(24, 24)]
    [InlineData(48, 16)]
    [InlineData(16, 48)]
    public void An_orthogonalised_matrix_keeps_singular_vectors_and_has_values_near_one(int rows, int columns)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var g = Random(rows, columns);
        var found = Muon.Orthogonal(g);
        Assert.Equal(g.shape, found.shape);
        var (u, _, vt) = linalg.svd(g.to(ScalarType.Float64), fullMatrices: false);
        var core = matmul(matmul(u.t(), found.to(ScalarType.Float64)), vt.t());
        var values = core.diagonal().data<double>().ToArray();
        Assert.All(values, s => Assert.InRange(s, 0.3, 1.4));
        Assert.True((core - diag(core.diagonal())).abs().max().ToDouble() < 1e-3);
    }

    [Fact]
    public void Matrices_of_blocks_move_by_one_size_and_the_rest_as_adam_moves_it()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama();
        using var orthogonal = FlatParameters.CopyOf(model.Weights, _ => true);
        using var plain = FlatParameters.CopyOf(model.Weights, _ => true);
        var slope = Random(1, (int)orthogonal.Weights.numel())[0];
        foreach (var parameters in new[] { orthogonal, plain })
            using (no_grad())
                parameters.Gradient.copy_(slope);
        var options = new AdamW.Options { WeightDecay = 0.1, Orthogonal = true };
        using (var adam = new AdamW(plain, options with { Orthogonal = false }))
            adam.Step(0.01);
        using (var muon = new AdamW(orthogonal, options with { Threads = 2 }))
            muon.Step(0.01);
        foreach (var slot in orthogonal.Slots)
        {
            using var quiet = no_grad();
            var (a, b) = (orthogonal.Views[slot.Name].detach(), plain.Views[slot.Name].detach());
            if (!Muon.Takes(slot))
            {
                Tensors.Near(b, a, 1e-6, slot.Name);
                continue;
            }
            Assert.DoesNotContain("embed", slot.Name, StringComparison.Ordinal);
            // 0.2 sqrt(longer side) * rate on min(m, n) directions of size near 1.
            var step = (a - model.Weight(slot.Name) * (1 - 0.01 * 0.1)).norm().ToDouble();
            var expected = 0.01 * 0.2 * Math.Sqrt(slot.Shape.Max() * (double)slot.Shape.Min());
            Assert.InRange(step, 0.5 * expected, 1.3 * expected);
        }
    }

    [Fact]
    public void Threads_change_no_bit()
    {
        using var model = TinyModels.Llama();
        byte[] After(int threads)
        {
            using var scope = NewDisposeScope();
            using var parameters = FlatParameters.CopyOf(model.Weights, _ => true);
            using var muon = new AdamW(parameters, new AdamW.Options { Orthogonal = true, Threads = threads });
            for (var step = 0; step < 3; step++)
            {
                using (no_grad())
                    parameters.Gradient.copy_(Random(1, (int)parameters.Weights.numel())[0]);
                muon.Step(0.01);
            }
            return parameters.Weights.bytes.ToArray();
        }
        Assert.Equal(After(1), After(2));
    }

    private static Tensor Random(int rows, int columns)
    {
        var draw = new Seed(7).Stream("gradient");
        return tensor(
            Enumerable.Range(0, rows * columns).Select(_ => (float)draw.NextGaussian()).ToArray(),
            [rows, columns]
        );
    }
}
