using System.Globalization;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>Where one prompt falls: in or out of what a patch answers for.</summary>
/// <param name="Distance">What is compared: to the nearest key, or between the memories' outputs.</param>
/// <param name="Threshold">With what.</param>
/// <param name="Routed">Whether the patch answers.</param>
public readonly record struct RouteReading(double Distance, double Threshold, bool Routed);

/// <summary>
/// Runs prompts up to one block and reads something off its memory: each alone, or in the batches that decide together.
/// </summary>
/// <remarks>
/// In our kernels a row of a batch without padding has the bits that it has alone, so prompts of like length share a
/// pass there and are still read one by one; the library is asked for each by itself.
/// </remarks>
internal static class MemoryProbe
{
    private const int RowsAtOnce = 64;

    /// <summary>Reads something of every prompt.</summary>
    /// <param name="model">The model without a tap.</param>
    /// <param name="layer">The block.</param>
    /// <param name="prompts">Token ids; none empty.</param>
    /// <param name="together">Rows of a batch that decides as a whole; null for each prompt alone, without
    /// padding.</param>
    /// <param name="groups">Of each prompt, the group it shares batches with; null for one group.</param>
    /// <param name="read">From the memory's input [B, T, F] and output [B, T, D], something for each row.</param>
    public static IReadOnlyList<T> Read<T>(
        CausalLm model,
        int layer,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int? together,
        IReadOnlyList<string>? groups,
        Func<Tensor, Tensor, BatchLayout, IReadOnlyList<T>> read
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompts);
        using var quiet = inference_mode();
        var found = new T[prompts.Count];
        foreach (var batch in Batches(model, prompts, together, groups))
        {
            using var scope = NewDisposeScope();
            List<IReadOnlyList<int>> rows = [.. batch.Select(i => prompts[i])];
            var width = rows.Max(r => r.Count);
            var (ids, real) = PromptBatch.LeftPadded(rows, width, 0);
            IReadOnlyList<T> seen = [];
            _ = model.Blocks(
                model.Embed(tensor(ids, device: model.Device)),
                0,
                layer + 1,
                new ForwardOptions
                {
                    AttentionMask = rows.Any(r => r.Count < width) ? tensor(real, device: model.Device) : null,
                    Tap = new Reader(
                        layer,
                        (key, value) =>
                            seen = together is null
                                ? [.. rows.SelectMany((row, b) => read(Row(key, b), Row(value, b), Alone(row)))]
                                : read(key, value, PromptBatch.LayoutOf(rows, width))
                    ),
                }
            );
            foreach (var (i, reading) in batch.Zip(seen))
                found[i] = reading;
        }
        return found;
    }

    private static IEnumerable<int[]> Batches(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int? together,
        IReadOnlyList<string>? groups
    ) =>
        together is { } rows ? Company.Of(prompts.Count, rows, i => groups?[i] ?? "")
        : model.TakesKernels(null, null)
            ? Enumerable.Range(0, prompts.Count).GroupBy(i => prompts[i].Count).SelectMany(g => g.Chunk(RowsAtOnce))
        : Enumerable.Range(0, prompts.Count).Select(i => new[] { i });

    private static Tensor Row(Tensor t, int row) => t.narrow(0, row, 1);

    private static BatchLayout Alone(IReadOnlyList<int> row) => PromptBatch.LayoutOf([row], row.Count);

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
