using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>Reads what goes into one block's memory and what comes out, at every token of some rows.</summary>
internal static class MemoryStates
{
    /// <summary>
    /// Input [T, F] and output [T, D] of <c>down_proj</c> for each row; they belong to the caller's scope.
    /// </summary>
    /// <param name="model">The model as it is now.</param>
    /// <param name="layer">The block.</param>
    /// <param name="rows">Token ids.</param>
    public static IReadOnlyList<(Tensor Keys, Tensor Values)> Read(
        CausalLm model,
        int layer,
        IReadOnlyList<IReadOnlyList<int>> rows
    )
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var tap = new Capture(layer);
        _ = model.Blocks(
            model.Embed(IdRows.Of(rows, model.Device).Ids),
            0,
            layer + 1,
            new ForwardOptions { Tap = tap }
        );
        return
        [
            .. rows.Select(
                (r, b) =>
                    (
                        tap.Keys![b].narrow(0, 0, r.Count).clone().MoveToOuterDisposeScope(),
                        tap.Values![b].narrow(0, 0, r.Count).clone().MoveToOuterDisposeScope()
                    )
            ),
        ];
    }

    private sealed class Capture(int block) : ForwardTap
    {
        public Tensor? Keys { get; private set; }

        public Tensor? Values { get; private set; }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            // Out of the block's scope and out of the pass's.
            if (layer == block)
                (Keys, Values) = (
                    key.alias().MoveToOuterDisposeScope().MoveToOuterDisposeScope(),
                    value.alias().MoveToOuterDisposeScope().MoveToOuterDisposeScope()
                );
            return value;
        }
    }
}
