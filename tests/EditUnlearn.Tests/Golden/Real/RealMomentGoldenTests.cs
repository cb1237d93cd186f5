using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// Second moments of the keys of a real model, recomputed from the stored text, by what is stored of them: spectrum,
/// diagonal, a corner, and the product with ones.
/// </summary>
[Trait("Category", "RealModel")]
public sealed class RealMomentGoldenTests
{
    [RealModelFact("real/edit/common/second_moment_stats.safetensors")]
    public void Spectrum_corner_and_row_sums_agree()
    {
        using var scope = NewDisposeScope();
        var values = Goldens.Values("real", "edit", "common", "second_moment_stats.safetensors");
        var (moments, tokens) = RealEditGolden.SecondMoments;
        foreach (
            var stored in RealEditGolden.Common.GetProperty("second_moment").GetProperty("layers").EnumerateObject()
        )
        {
            var c = moments[int.Parse(stored.Name)];
            double Number(string name) => stored.Value.GetProperty(name).GetDouble();
            void Near(string what, Tensor actual) =>
                Tensors.Near(values.Read($"layer{stored.Name}.{what}"), actual, 1e-5, $"layer {stored.Name} {what}");
            Assert.Equal(Number("tokens"), tokens);
            RealGoldens.Near(Number("trace"), c.trace().ToDouble(), 1e-5 * Number("trace"), "trace");
            RealGoldens.Near(Number("frobenius"), c.norm().ToDouble(), 1e-5 * Number("frobenius"), "norm");
            var (spectrum, _) = linalg.eigh(c);
            var descending = spectrum.flip(0);
            Near("eigenvalues_f64", descending);
            var all = descending.data<double>().ToArray();
            foreach (var (i, e) in RealGoldens.Numbers(stored.Value.GetProperty("top20")).Index())
                RealGoldens.Near(e, all[i], 1e-5 * e, $"layer {stored.Name} eigenvalue {i}");
            // float32 products leave about 1e-8 of the largest.
            RealGoldens.Near(Number("smallest"), all[^1], 1e-3 * Number("smallest"), "smallest eigenvalue");
            RealGoldens.Near(Number("condition"), all[0] / all[^1], 1e-3 * Number("condition"), "condition");
            var corner = values.Entries[$"layer{stored.Name}.block8x8"].Shape;
            Near("block8x8", c.narrow(0, 0, corner[0]).narrow(1, 0, corner[1]));
            Near("diagonal", c.diagonal());
            Near("C_times_ones", c.sum(1));
        }
    }
}
