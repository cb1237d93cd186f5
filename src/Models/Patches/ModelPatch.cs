using System.Text.Json.Nodes;

namespace EditUnlearn.Models.Patches;

/// <summary>What a method changed, and nothing else: it can be put on a model, taken off again, saved and loaded.</summary>
public abstract class ModelPatch : IDisposable
{
    /// <summary>Puts the change on a model.</summary>
    /// <returns>A handle whose disposal restores every weight bit for bit.</returns>
    /// <exception cref="ArgumentException">The patch does not fit the model.</exception>
    public abstract IDisposable ApplyTo(CausalLm model);

    /// <summary>What every forward pass of a patched model must be given; null for a change of weights alone.</summary>
    public virtual ForwardTap? Tap => null;

    /// <summary>What the method saw while it worked, an object for each edit; kept beside the change, no part of it.</summary>
    public JsonArray? Health { get; init; }

    /// <summary>Writes the patch into a folder: tensors as safetensors, the rest as JSON.</summary>
    public abstract void Save(string folder);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the tensors.</summary>
    protected abstract void Dispose(bool disposing);
}
