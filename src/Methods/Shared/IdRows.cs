using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// Token rows padded on the right; belongs to the scope it is made in. No real position sees padding, since attention
/// is causal.
/// </summary>
/// <param name="Ids">[R, T], padded with 0.</param>
/// <param name="Lengths">Real tokens of each row.</param>
/// <param name="Real">Indices of the real tokens in the flattened rows.</param>
internal sealed record IdRows(Tensor Ids, IReadOnlyList<int> Lengths, Tensor Real)
{
    /// <summary>T.</summary>
    public int Width => (int)Ids.shape[1];

    public static IdRows Of(IReadOnlyList<IReadOnlyList<int>> rows, Device device)
    {
        var width = rows.Max(r => r.Count);
        var ids = new long[rows.Count, width];
        var real = new List<long>();
        for (var i = 0; i < rows.Count; i++)
            for (var t = 0; t < rows[i].Count; t++)
            {
                ids[i, t] = rows[i][t];
                real.Add((long)i * width + t);
            }
        return new IdRows(tensor(ids, device: device), [.. rows.Select(r => r.Count)], tensor(real, device: device));
    }

    /// <summary>Indices in the flattened rows of one position of each row [R].</summary>
    public Tensor At(IReadOnlyList<int> positions) =>
        tensor(positions.Select((p, i) => (long)i * Width + p).ToArray(), device: Ids.device);
}
