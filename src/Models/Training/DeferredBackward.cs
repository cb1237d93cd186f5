using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Parts of a forward pass that ran without the library's graph, each cut off by a leaf, to be taken back one at a
/// time.
/// </summary>
/// <remarks>
/// Source: Chen et al. (2016), section 4. After the ordinary backward pass every leaf holds the gradient of what came
/// after it; the parts then go through their own backward pass from the last to the first, and only one part's
/// activations exist at a time.
/// </remarks>
public sealed class DeferredBackward : IDisposable
{
    private readonly Stack<(Action Run, IDisposable[] Kept)> _parts = new();

    /// <summary>Parts that wait.</summary>
    public int Count => _parts.Count;

    /// <summary>Adds a part.</summary>
    /// <param name="run">Takes it back from the gradient of its leaf.</param>
    /// <param name="kept">Tensors and passes it needs until then; owned here from now on.</param>
    public void Add(Action run, params IDisposable[] kept)
    {
        foreach (var tensor in kept.OfType<Tensor>())
            tensor.DetachFromDisposeScope();
        _parts.Push((run, kept));
    }

    /// <summary>Runs parts, the last first, and forgets them.</summary>
    /// <param name="downTo">How many of the first parts go on waiting.</param>
    public void Run(int downTo = 0)
    {
        while (_parts.Count > downTo)
        {
            var part = _parts.Pop();
            part.Run();
            foreach (var kept in part.Kept)
                kept.Dispose();
        }
    }

    /// <summary>A tensor cut off from what made it, which collects a gradient.</summary>
    public static Tensor Leaf(Tensor value)
    {
        var leaf = value.detach();
        leaf.requires_grad = true;
        return leaf;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_parts.TryPop(out var part))
            foreach (var kept in part.Kept)
                kept.Dispose();
    }
}
