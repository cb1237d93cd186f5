using System.Globalization;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>Where one prompt falls: in or out of what a patch answers for.</summary>
/// <param name="Distance">What is compared: to the nearest key, or between the memories' outputs.</param>
/// <param name="Threshold">With what.</param>
/// <param name="Routed">Whether the patch answers.</param>
public readonly record struct RouteReading(double Distance, double Threshold, bool Routed);

/// <summary>Runs prompts up to one block, one at a time, and reads something off its memory.</summary>
internal static class MemoryProbe
{
    public static IReadOnlyList<RouteReading> Read(
        CausalLm model,
        int layer,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        Func<Tensor, Tensor, RouteReading> read
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompts);
        using var quiet = inference_mode();
        var readings = new List<RouteReading>(prompts.Count);
        foreach (var prompt in prompts)
        {
            using var scope = NewDisposeScope();
            var ids = tensor(prompt.Select(i => (long)i).ToArray(), device: model.Device).unsqueeze(0);
            _ = model.Blocks(
                model.Embed(ids),
                0,
                layer + 1,
                new ForwardOptions { Tap = new Reader(layer, (key, value) => readings.Add(read(key, value))) }
            );
        }
        return readings;
    }

    private sealed class Reader(int block, Action<Tensor, Tensor> read) : ForwardTap
    {
        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer == block)
                read(key, value);
            return value;
        }
    }
}

/// <summary>Checks that a patch's memory is the model's.</summary>
internal static class MemoryShape
{
    public static void Check(CausalLm model, int layer, long width, long mlpWidth)
    {
        var c = model.Config;
        if (layer >= c.Layers)
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The patch works on block {layer}, but the model has blocks 0 to {c.Layers - 1}."
                ),
                nameof(model)
            );
        if (width != c.HiddenSize || mlpWidth != c.IntermediateSize)
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The patch's memory is [{width}, {mlpWidth}], "
                        + $"but the model's is [{c.HiddenSize}, {c.IntermediateSize}]."
                ),
                nameof(model)
            );
    }
}

/// <summary>A handle over nothing: for a patch that writes on no weight.</summary>
internal sealed class Nothing : IDisposable
{
    public void Dispose() { }
}
