using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>Reads keys (inputs of down_proj) and values (its outputs) at chosen positions.</summary>
public static class MemoryKeys
{
    /// <summary>Keys [N, F] and values [N, D] at one position of each row.</summary>
    /// <param name="model">The model as it is now.</param>
    /// <param name="layer">The block.</param>
    /// <param name="rows">Token ids.</param>
    /// <param name="positions">One position in each row.</param>
    public static (Tensor Keys, Tensor Values) At(CausalLm model, int layer, IReadOnlyList<IReadOnlyList<int>> rows, IReadOnlyList<int> positions)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(positions);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var width = rows.Max(r => r.Count);
        var ids = new long[rows.Count, width];
        for (var i = 0; i < rows.Count; i++)
            for (var t = 0; t < rows[i].Count; t++) ids[i, t] = rows[i][t];
        var flat = tensor(positions.Select((p, i) => (long)i * width + p).ToArray(), device: model.Device);
        var tap = new Capture(layer, flat);
        _ = model.Blocks(model.Embed(tensor(ids, device: model.Device)), 0, layer + 1, new ForwardOptions { Tap = tap });
        return (tap.Keys!.MoveToOuterDisposeScope(), tap.Values!.MoveToOuterDisposeScope());
    }

    private sealed class Capture(int layer, Tensor positions) : ForwardTap
    {
        public Tensor? Keys { get; private set; }

        public Tensor? Values { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value)
        {
            if (at != layer) return value;
            // Out of the block's scope and out of the pass's: the caller's scope owns them.
            Keys = key.reshape(-1, key.shape[^1]).index_select(0, positions).MoveToOuterDisposeScope().MoveToOuterDisposeScope();
            Values = value.reshape(-1, value.shape[^1]).index_select(0, positions).MoveToOuterDisposeScope().MoveToOuterDisposeScope();
            return value;
        }
    }
}
