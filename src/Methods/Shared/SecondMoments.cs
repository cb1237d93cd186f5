using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// C = (1/n) sum k k^T over the tokens of a text: which keys a memory sees in ordinary use. Uncentred; BOS counts,
/// padding does not.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2022), section 3.1; docs/methods.md, "Keys and second moments". Products in float32, their sum
/// in float64.
/// </remarks>
public static class SecondMoments
{
    private const string Suffix = ".C";

    /// <summary>C [F, F] of each layer in float64, in one pass over the text.</summary>
    /// <param name="model">The untouched model.</param>
    /// <param name="rows">The text.</param>
    /// <param name="layers">Blocks.</param>
    /// <param name="batchRows">Rows of one pass; changes rounding only.</param>
    /// <param name="truncation">Tokens beyond are left out of a row.</param>
    /// <param name="progress">Told how many rows are done.</param>
    /// <param name="cancelled">Looked at between passes.</param>
    public static (IReadOnlyDictionary<int, Tensor> Moments, long Tokens) Collect(
        CausalLm model,
        IReadOnlyList<TokenRow> rows,
        IReadOnlyList<int> layers,
        int batchRows = 32,
        int truncation = int.MaxValue,
        Action<int>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(layers);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var held = model.Hold();
        var size = model.Config.IntermediateSize;
        var sums = layers.ToDictionary(l => l, _ => zeros(size, size, dtype: ScalarType.Float64, device: model.Device));
        long tokens = 0;
        var done = 0;
        foreach (var chunk in Cut(rows, truncation).OrderBy(r => r.Count).Chunk(batchRows))
        {
            cancelled.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var batch = IdRows.Of(chunk, model.Device);
            var tap = new Sum(sums, batch.Real);
            _ = model.Blocks(model.Embed(batch.Ids), 0, layers.Max() + 1, new ForwardOptions { Tap = tap });
            tokens += batch.Real.shape[0];
            progress?.Invoke(done += chunk.Length);
        }
        return (sums.ToDictionary(p => p.Key, p => (p.Value / tokens).MoveToOuterDisposeScope()), tokens);
    }

    /// <summary>The headers that belong to moments of these rows.</summary>
    public static IReadOnlyList<StatisticsHeader> Headers(
        CausalLm model,
        IReadOnlyList<TokenRow> rows,
        IReadOnlyList<int> layers,
        long tokens,
        int truncation
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(layers);
        var text = Fingerprint(rows);
        return
        [
            .. layers.Select(l => new StatisticsHeader(
                l,
                WeightFingerprint.UpTo(model, l),
                text,
                rows.Count,
                tokens,
                truncation,
                model.DType.ToString()
            )),
        ];
    }

    /// <summary>Writes moments as float32 tensors named <c>layerL.C</c>, each with its header.</summary>
    public static void Save(
        string path,
        IReadOnlyDictionary<int, Tensor> moments,
        IEnumerable<StatisticsHeader> headers
    )
    {
        ArgumentNullException.ThrowIfNull(moments);
        ArgumentNullException.ThrowIfNull(headers);
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(
            path,
            moments
                .OrderBy(m => m.Key)
                .Select(m => KeyValuePair.Create($"layer{m.Key}{Suffix}", m.Value.to(ScalarType.Float32))),
            headers.SelectMany(h => h.ToMetadata()).ToDictionary()
        );
    }

    /// <summary>Reads the moments of some layers, float32; the caller owns the tensors.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The untouched model that is to be edited.</param>
    /// <param name="layers">Which.</param>
    /// <param name="documents">How many documents they shall come from; null for any number.</param>
    /// <exception cref="InputException">A layer is not there, or was measured on another model or another number of
    /// documents.</exception>
    /// <exception cref="DamagedFileException">The file breaks its format.</exception>
    public static IReadOnlyDictionary<int, Tensor> Load(
        string path,
        CausalLm model,
        IReadOnlyList<int> layers,
        int? documents = null
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(layers);
        var file = SafetensorsFile.Open(path);
        foreach (var layer in layers)
        {
            Header(file, path, layer).CheckMadeFrom(model, path, "second moments", documents);
            var size = model.Config.IntermediateSize;
            if (!file.Entries[$"layer{layer}{Suffix}"].Shape.SequenceEqual([size, size]))
                throw new DamagedFileException(path, $"layer{layer}{Suffix} is not [{size}, {size}]");
        }
        return layers.ToDictionary(l => l, l => file.Read($"layer{l}{Suffix}").to(model.Device));
    }

    /// <summary>What the moments of a layer were measured on.</summary>
    /// <exception cref="InputException">The layer is not there.</exception>
    public static StatisticsHeader Header(SafetensorsFile file, string path, int layer)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (!file.Entries.ContainsKey($"layer{layer}{Suffix}"))
            throw new InputException(
                path,
                $"holds no second moments of layer {layer}",
                "add the layer to the stage 'moments'"
            );
        return StatisticsHeader.From(file, path, layer);
    }

    /// <summary>The layers a file holds, ascending.</summary>
    public static IReadOnlyList<int> Layers(SafetensorsFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return
        [
            .. file
                .Entries.Keys.Where(n =>
                    n.StartsWith("layer", StringComparison.Ordinal) && n.EndsWith(Suffix, StringComparison.Ordinal)
                )
                .Select(n =>
                    int.TryParse(
                        n.AsSpan(5, n.Length - 5 - Suffix.Length),
                        NumberStyles.None,
                        CultureInfo.InvariantCulture,
                        out var l
                    )
                        ? l
                        : -1
                )
                .Where(l => l >= 0)
                .Order(),
        ];
    }

    private static IEnumerable<IReadOnlyList<int>> Cut(IReadOnlyList<TokenRow> rows, int truncation) =>
        rows.Select(r => r.Ids.Count <= truncation ? r.Ids : (IReadOnlyList<int>)[.. r.Ids.Take(truncation)]);

    private static string Fingerprint(IReadOnlyList<TokenRow> rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var row in rows)
            hash.AppendData(Encoding.ASCII.GetBytes(string.Join(',', row.Ids) + "\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
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
