using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Keys and values of the first positions of a batch, computed once and read by many passes over what follows;
/// gradients may flow through those passes.
/// </summary>
/// <remarks>
/// Exact because the decoder is causal: what happens at later positions cannot change them. Unlike
/// <see cref="KvCache"/> nothing is ever written after <see cref="Of"/>, so a loop may run the same continuation again
/// and again.
/// </remarks>
public sealed class KvPrefix : Past
{
    private readonly Dictionary<int, (Tensor Keys, Tensor Values)> _blocks = [];
    private bool _complete;

    private KvPrefix(int length) => Length = length;

    /// <summary>Positions held.</summary>
    public int Length { get; }

    /// <summary>
    /// Runs the first positions through blocks <paramref name="first"/> .. <paramref name="end"/> - 1 and keeps what
    /// later positions will look at.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="h">The stream of the first positions before block <paramref name="first"/> [B, P, D].</param>
    /// <param name="first">0-based.</param>
    /// <param name="end">One past the last block.</param>
    /// <param name="attentionMask">1 where a token is real [B, P]; null when all are.</param>
    public static KvPrefix Of(CausalLm model, Tensor h, int first, int end, Tensor? attentionMask = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(h);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var prefix = new KvPrefix((int)h.shape[1]);
        // The last block's output is not needed, only its keys and values: one position of it is computed.
        _ = model.Blocks(
            h,
            first,
            end,
            new ForwardOptions
            {
                Past = prefix,
                AttentionMask = attentionMask,
                Positions = Positions.From(prefix.Length - 1),
            }
        );
        prefix._complete = true;
        return prefix;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var (keys, values) in _blocks.Values)
        {
            keys.Dispose();
            values.Dispose();
        }
        _blocks.Clear();
    }

    // None while the prefix itself is being computed.
    internal override int Before => _complete ? Length : 0;

    internal override (Tensor Keys, Tensor Values) Join(int layer, Tensor keys, Tensor values)
    {
        if (!_complete)
        {
            _blocks.Add(layer, (keys.detach().DetachFromDisposeScope(), values.detach().DetachFromDisposeScope()));
            return (keys, values);
        }
        var (k, v) = _blocks[layer];
        return (cat([k, keys], 2), cat([v, values], 2));
    }
}
