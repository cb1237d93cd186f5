using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>C = (1/n) sum k k^T over the tokens of a text: which keys a memory sees in ordinary use. Uncentred; BOS counts, padding does not.</summary>
/// <remarks>Source: Meng et al. (2022), section 3.1; editing specification, section 1.8. Products in float32, their sum in float64.</remarks>
public static class SecondMoments
{
    /// <summary>C [F, F] of each layer in float64, in one pass over the text.</summary>
    /// <param name="model">The untouched model.</param>
    /// <param name="rows">The text.</param>
    /// <param name="layers">Blocks.</param>
    /// <param name="batchRows">Rows of one pass.</param>
    /// <param name="progress">Told how many rows are done.</param>
    /// <param name="cancelled">Looked at between passes.</param>
    public static (IReadOnlyDictionary<int, Tensor> Moments, long Tokens) Collect(
        CausalLm model, IReadOnlyList<TokenRow> rows, IReadOnlyList<int> layers, int batchRows = 32, Action<int>? progress = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(layers);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var size = model.Config.IntermediateSize;
        var sums = layers.ToDictionary(l => l, _ => zeros(size, size, dtype: ScalarType.Float64, device: model.Device));
        long tokens = 0;
        var done = 0;
        foreach (var chunk in rows.OrderBy(r => r.Ids.Count).Chunk(batchRows))
        {
            cancelled.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            using var batch = RowBatch.Of(chunk, model.Device);
            var real = chunk.SelectMany((r, b) => Enumerable.Range(0, r.Ids.Count).Select(t => (long)b * batch.Width + t)).ToArray();
            var tap = new Sum(sums, tensor(real, device: model.Device));
            _ = model.Blocks(model.Embed(batch.Ids), 0, layers.Max() + 1, new ForwardOptions { Tap = tap });
            tokens += real.Length;
            progress?.Invoke(done += chunk.Length);
        }
        return (sums.ToDictionary(p => p.Key, p => (p.Value / tokens).MoveToOuterDisposeScope()), tokens);
    }

    /// <summary>Writes moments as float32 tensors named <c>layerL.C</c>.</summary>
    public static void Save(string path, IReadOnlyDictionary<int, Tensor> moments, long tokens)
    {
        ArgumentNullException.ThrowIfNull(moments);
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(
            path, moments.OrderBy(m => m.Key).Select(m => KeyValuePair.Create($"layer{m.Key}.C", m.Value.to(ScalarType.Float32))),
            new Dictionary<string, string> { ["tokens"] = tokens.ToString(System.Globalization.CultureInfo.InvariantCulture) });
    }

    /// <summary>Reads moments; the caller owns the tensors.</summary>
    public static IReadOnlyDictionary<int, Tensor> Load(string path)
    {
        var file = SafetensorsFile.Open(path);
        return file.Entries.Keys.Where(n => n.StartsWith("layer", StringComparison.Ordinal) && n.EndsWith(".C", StringComparison.Ordinal))
            .ToDictionary(n => int.Parse(n.AsSpan(5, n.Length - 7), System.Globalization.CultureInfo.InvariantCulture), file.Read);
    }

    private sealed class Sum(Dictionary<int, Tensor> sums, Tensor real) : ForwardTap
    {
        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (sums.TryGetValue(layer, out var sum))
            {
                using var scope = NewDisposeScope();
                var k = key.reshape(-1, key.shape[^1]).index_select(0, real).to(ScalarType.Float32);
                sum.add_(matmul(k.t(), k).to(ScalarType.Float64));
            }
            return value;
        }
    }
}
