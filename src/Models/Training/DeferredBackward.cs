using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Parts of a forward pass that ran without a graph, each cut off by a leaf, to be run again and back-propagated one at
/// a time.
/// </summary>
/// <remarks>
/// Source: Chen et al. (2016), section 4. After the ordinary backward pass every leaf holds the gradient of what came
/// after it; the parts then go through their own backward pass from the last to the first, and only one part's
/// activations exist at a time.
/// </remarks>
public sealed class DeferredBackward : IDisposable
{
    private readonly Stack<(Action Run, Tensor[] Kept)> _parts = new();

    /// <summary>Whether anything waits.</summary>
    public bool IsEmpty => _parts.Count == 0;

    /// <summary>Adds a part.</summary>
    /// <param name="run">Runs it with a graph and back-propagates the leaf's gradient.</param>
    /// <param name="kept">Tensors it needs until then; owned here from now on.</param>
    public void Add(Action run, params Tensor[] kept)
    {
        foreach (var tensor in kept)
            tensor.DetachFromDisposeScope();
        _parts.Push((run, kept));
    }

    /// <summary>Runs all parts, the last first, and forgets them.</summary>
    public void Run()
    {
        while (_parts.TryPop(out var part))
        {
            part.Run();
            foreach (var tensor in part.Kept)
                tensor.Dispose();
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
            foreach (var tensor in part.Kept)
                tensor.Dispose();
    }
}
