using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Trainable weights laid end to end in one vector, each named tensor a view of it, and the same for their gradients.
/// </summary>
/// <remarks>
/// One vector makes the optimiser step, the global norm, a snapshot and a checkpoint one operation each. Decayed
/// weights come first, so that weight decay is one multiplication of a prefix. Replicas share the weights and own their
/// gradients: each may run on its own thread, and adding the gradients in a fixed order gives the same bits whatever
/// the threads did. The vector holds masters in float32 whatever the model's type is, and with it gradients and
/// moments: in half precision most steps would be lost to rounding (defect S16).
/// </remarks>
public sealed class FlatParameters : IDisposable
{
    // Squares that are added up in float32.
    private const long NormElements = 1 << 16;

    private readonly Dictionary<string, Tensor> _views = new(StringComparer.Ordinal);
    private readonly Tensor[] _gradientViews;
    private readonly bool _ownsWeights;

    private FlatParameters(IReadOnlyList<Slot> slots, Tensor weights, bool ownsWeights)
    {
        Slots = slots;
        Weights = weights;
        _ownsWeights = ownsWeights;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Gradient = zeros_like(weights).DetachFromDisposeScope();
        _gradientViews = new Tensor[slots.Count];
        for (var i = 0; i < slots.Count; i++)
        {
            var slot = slots[i];
            var view = weights.narrow(0, slot.Offset, slot.Count).view(slot.Shape).detach().DetachFromDisposeScope();
            view.requires_grad = true;
            // Backward adds into a gradient that is already there, so these views collect it in the flat vector.
            _gradientViews[i] = Gradient.narrow(0, slot.Offset, slot.Count).view(slot.Shape).DetachFromDisposeScope();
            view.grad = _gradientViews[i];
            _views.Add(slot.Name, view);
        }
    }

    /// <summary>Where each named tensor lies, in the order of the vector.</summary>
    public IReadOnlyList<Slot> Slots { get; }

    /// <summary>All weights [P]. Owned here, or by the first replica.</summary>
    public Tensor Weights { get; }

    /// <summary>The gradient collected by backward since <see cref="ZeroGradient"/> [P].</summary>
    public Tensor Gradient { get; }

    /// <summary>How many leading elements of the vector are decayed.</summary>
    public long DecayedCount => Slots.Where(s => s.Decayed).Sum(s => s.Count);

    /// <summary>
    /// The named views of <see cref="Weights"/>; each is a leaf that requires a gradient. They stay owned here.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> Views => _views;

    /// <summary>Copies the given tensors into one new vector, at least float32.</summary>
    /// <param name="named">Names and values, all of one type and device; their order is kept within decayed and
    /// undecayed.</param>
    /// <param name="isDecayed">Whether weight decay applies to the tensor of that name.</param>
    /// <exception cref="ArgumentException">No tensor, two of one name, or mixed types.</exception>
    public static FlatParameters CopyOf(IEnumerable<KeyValuePair<string, Tensor>> named, Func<string, bool> isDecayed)
    {
        ArgumentNullException.ThrowIfNull(named);
        ArgumentNullException.ThrowIfNull(isDecayed);
        var sources = named.OrderBy(p => !isDecayed(p.Key)).ToList(); // stable: decayed first
        if (sources.Count == 0)
            throw new ArgumentException("There is nothing to train.", nameof(named));
        var first = sources[0].Value;
        if (sources.Find(p => p.Value.dtype != first.dtype) is { Key: { } odd })
            throw new ArgumentException(
                $"Weights of one vector share a type, but '{odd}' differs from {first.dtype}.",
                nameof(named)
            );

        var slots = new List<Slot>(sources.Count);
        long offset = 0;
        foreach (var (name, tensor) in sources)
        {
            slots.Add(new Slot(name, tensor.shape, offset, isDecayed(name)));
            offset += tensor.numel();
        }
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        // TorchSharp's cat of one tensor is that tensor and no copy.
        var type = CausalLm.MasterType(first.dtype);
        var parts = sources.Select(p => p.Value.detach().to(type).reshape(-1)).ToArray();
        var weights = (parts.Length == 1 ? parts[0].clone() : cat(parts)).DetachFromDisposeScope();
        return new FlatParameters(slots, weights, ownsWeights: true);
    }

    /// <summary>A second set of views on the same weights, with a gradient of its own.</summary>
    public FlatParameters Replica() => new(Slots, Weights, ownsWeights: false);

    /// <summary>Takes the values of the named tensors.</summary>
    /// <param name="named">Holds at least every name of <see cref="Slots"/>.</param>
    public void CopyFrom(IReadOnlyDictionary<string, Tensor> named)
    {
        ArgumentNullException.ThrowIfNull(named);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        foreach (var slot in Slots)
            Weights.narrow(0, slot.Offset, slot.Count).copy_(named[slot.Name].detach().reshape(-1));
    }

    /// <summary>Sets the collected gradient to zero.</summary>
    public void ZeroGradient()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope(); // keeps an in-place call's bookkeeping out of the caller's scope
        Gradient.zero_();
    }

    /// <summary>Adds the gradient a replica has collected.</summary>
    public void AddGradientOf(FlatParameters replica)
    {
        ArgumentNullException.ThrowIfNull(replica);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Gradient.add_(replica.Gradient);
    }

    /// <summary>The L2 norm of the whole gradient, as a number that may be infinite or NaN.</summary>
    /// <remarks>
    /// In blocks: over the 135 million weights of a small real model one float32 sum of squares lost a hundredth.
    /// </remarks>
    public double GradientNorm()
    {
        using var quiet = no_grad();
        var count = Gradient.numel();
        if (count <= NormElements)
            return NormOf(0, count);
        var squares = 0.0;
        for (long at = 0; at < count; at += NormElements)
        {
            var norm = NormOf(at, Math.Min(NormElements, count - at));
            squares += norm * norm;
        }
        return Math.Sqrt(squares);

        double NormOf(long first, long length)
        {
            using var scope = NewDisposeScope();
            return Gradient.narrow(0, first, length).norm().ToDouble();
        }
    }

    /// <summary>Scales the gradient so that its L2 norm is at most <paramref name="maxNorm"/>.</summary>
    /// <param name="norm">The norm as returned by <see cref="GradientNorm"/>.</param>
    /// <param name="maxNorm">The bound.</param>
    /// <remarks>
    /// Pascanu, Mikolov and Bengio (2013); the 1e-6 in the divisor is that of torch's clip_grad_norm_.
    /// </remarks>
    public void ClipGradient(double norm, double maxNorm)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxNorm);
        var scale = maxNorm / (norm + 1e-6);
        if (scale >= 1)
            return;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Gradient.mul_(scale);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var view in _views.Values)
            view.Dispose();
        foreach (var view in _gradientViews)
            view.Dispose();
        Gradient.Dispose();
        if (_ownsWeights)
            Weights.Dispose();
    }

    /// <summary>The place of one named tensor in the vector.</summary>
    /// <param name="Name">Its name in a checkpoint.</param>
    /// <param name="Shape">Its shape; row-major in the vector.</param>
    /// <param name="Offset">Index of its first element.</param>
    /// <param name="Decayed">Whether weight decay applies.</param>
    public sealed record Slot(string Name, long[] Shape, long Offset, bool Decayed)
    {
        /// <summary>Number of elements.</summary>
        public long Count { get; } = Shape.Aggregate(1L, (product, size) => product * size);
    }
}
