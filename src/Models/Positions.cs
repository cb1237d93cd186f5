using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// The positions of a pass that somebody reads. The last block of the pass computes and returns no others; of those it
/// only does what the read ones look at.
/// </summary>
public sealed record Positions
{
    private Positions(int first, Tensor? chosen) => (First, Chosen) = (first, chosen);

    /// <summary>Positions before this one are left out of every row.</summary>
    public int First { get; }

    /// <summary>Indices into the flattened positions, row * T + position [P]; null for whole rows.</summary>
    public Tensor? Chosen { get; }

    /// <summary>
    /// Those from some position on: the pass returns [B, T - first, D]. A tap does not see the others in the last
    /// block.
    /// </summary>
    /// <param name="first">0 for all.</param>
    public static Positions From(int first)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        return new Positions(first, null);
    }

    /// <summary>Some of all rows: the pass returns [P, D]. A tap sees all of them.</summary>
    /// <param name="chosen">Indices into the flattened positions, row * T + position [P].</param>
    public static Positions At(Tensor chosen)
    {
        ArgumentNullException.ThrowIfNull(chosen);
        return new Positions(0, chosen);
    }

    /// <summary>These of a stream [B, T, D].</summary>
    internal Tensor Of(Tensor h)
    {
        if (Chosen is null)
            return First == 0 ? h.alias() : h.narrow(1, First, h.shape[1] - First);
        using var scope = NewDisposeScope();
        return h.reshape(-1, h.shape[^1]).index_select(0, Chosen).MoveToOuterDisposeScope();
    }
}
