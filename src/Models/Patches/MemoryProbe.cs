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
/// In our kernels a row of a batch without padding has the bits that it has alone, so prompts share passes there, with
/// what they begin with computed once, and are still read one by one; the library is asked for each by itself.
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
        using var held = model.Hold();
        var found = new T[prompts.Count];
        foreach (var batch in Batches(model, prompts, together, groups))
        {
            using var scope = NewDisposeScope();
            List<IReadOnlyList<int>> rows = [.. batch.Select(i => prompts[i])];
            if (together is not null)
            {
                var width = rows.Max(r => r.Count);
                var (ids, real) = PromptBatch.LeftPadded(rows, width, 0);
                var masked = Padded(rows, real, model.Device);
                var stream = model.Before(layer, tensor(ids, device: model.Device), masked);
                var (key, value) = Memory(model, layer, stream, masked);
                foreach (var (i, reading) in batch.Zip(read(key, value, PromptBatch.LayoutOf(rows, width))))
                    found[i] = reading;
                continue;
            }
            var streams = Streams(model, layer, rows);
            foreach (var alike in Enumerable.Range(0, rows.Count).GroupBy(b => rows[b].Count))
            {
                using var inner = NewDisposeScope();
                var (key, value) = Memory(model, layer, stack([.. alike.Select(b => streams[b])]), null);
                foreach (var (at, b) in alike.Index())
                    found[batch[b]] = read(Row(key, at), Row(value, at), Alone(rows[b]))[0];
            }
        }
        return found;
    }

    // Chunks of prompts whose common beginning is computed once, each still read by itself.
    private static IEnumerable<int[]> Batches(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int? together,
        IReadOnlyList<string>? groups
    ) =>
        together is { } rows
            ? Company.Of(prompts.Count, rows, i => groups?[i] ?? "")
            : Enumerable
                .Range(0, prompts.Count)
                .OrderBy(i => prompts[i].Count)
                .Chunk(model.TakesKernels(null, null) ? RowsAtOnce : 1);

    // The stream of each prompt before the block [T, D].
    private static List<Tensor> Streams(CausalLm model, int layer, List<IReadOnlyList<int>> rows)
    {
        var width = rows.Max(r => r.Count);
        var ids = new long[rows.Count, width];
        foreach (var (b, row) in rows.Index())
            for (var t = 0; t < row.Count; t++)
                ids[b, t] = row[t];
        var last = tensor([.. rows.Select((r, b) => (long)b * width + r.Count - 1)], device: model.Device);
        var stream = model.Before(
            layer,
            tensor(ids, device: model.Device),
            new ForwardOptions { Positions = Positions.At(last) }
        );
        return [.. rows.Select((r, b) => stream[b].narrow(0, 0, r.Count))];
    }

    private static ForwardOptions? Padded(List<IReadOnlyList<int>> rows, long[,] real, Device device) =>
        rows.Any(r => r.Count < real.GetLength(1))
            ? new ForwardOptions { AttentionMask = tensor(real, device: device) }
            : null;

    // Input [B, T, F] and output [B, T, D] of the memory; they belong to the caller's scope.
    private static (Tensor Key, Tensor Value) Memory(CausalLm model, int layer, Tensor stream, ForwardOptions? options)
    {
        var reader = new Reader(layer);
        _ = model.Blocks(stream, layer, layer + 1, (options ?? new ForwardOptions()) with { Tap = reader });
        return (reader.Key!, reader.Value!);
    }

    private static Tensor Row(Tensor t, int row) => t.narrow(0, row, 1);

    private static BatchLayout Alone(IReadOnlyList<int> row) => PromptBatch.LayoutOf([row], row.Count);

    private sealed class Reader(int block) : ForwardTap
    {
        public Tensor? Key { get; private set; }

        public Tensor? Value { get; private set; }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            // The block goes on to write on the value. Out of its scope and out of the pass's.
            if (layer == block)
                (Key, Value) = (Out(key.alias()), Out(value.clone()));
            return value;
        }

        private static Tensor Out(Tensor t) => t.MoveToOuterDisposeScope().MoveToOuterDisposeScope();
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
