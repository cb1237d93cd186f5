using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// Weights that stay as they are for a while, packed once for all products of that time: with few rows packing costs as
/// much as the product.
/// </summary>
internal sealed class HeldWeights : IDisposable
{
    // Of all packed copies together; what does not fit is packed anew in every product. Both directions of a model of
    // 135 million weights fit.
    private const long MostBytes = 1100L << 20;

    private readonly Dictionary<(string Name, bool Back), PackedMatrix> _packed = [];
    private long _bytes;
    private bool _closed;

    /// <summary>Openings that are not closed yet.</summary>
    public int Holders { get; set; }

    /// <summary>
    /// The packed copy, made at the first call; the caller disposes of it behind the product. Null where there is no
    /// room, or where the last holder has gone.
    /// </summary>
    /// <param name="name">Of the weight.</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="back">For which direction.</param>
    public PackedMatrix? Of(string name, Tensor weight, bool back)
    {
        lock (_packed)
        {
            if (_packed.TryGetValue((name, back), out var there))
                return there.Shared();
            var bytes = weight.numel() * sizeof(float);
            if (_closed || _bytes + bytes > MostBytes)
                return null;
            _bytes += bytes;
            return (_packed[(name, back)] = Linear.Pack(weight, back)).Shared();
        }
    }

    /// <summary>A weight has changed: its copies are made anew when they are asked for.</summary>
    public void Forget(string name)
    {
        lock (_packed)
            foreach (var back in (bool[])[false, true])
                if (_packed.Remove((name, back), out var old))
                {
                    _bytes -= old.Panels.Inner * old.Panels.Columns * sizeof(float);
                    old.Dispose();
                }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_packed)
        {
            _closed = true;
            foreach (var packed in _packed.Values)
                packed.Dispose();
            _packed.Clear();
        }
    }
}
