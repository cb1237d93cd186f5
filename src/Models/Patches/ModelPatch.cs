using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// What a method changed, and nothing else: it can be put on a model, taken off again, saved and loaded.
/// </summary>
public abstract class ModelPatch : IDisposable
{
    /// <summary>Puts the change on a model.</summary>
    /// <returns>A handle whose disposal restores every weight bit for bit.</returns>
    /// <exception cref="ArgumentException">The patch does not fit the model.</exception>
    public abstract IDisposable ApplyTo(CausalLm model);

    /// <summary>What every forward pass of a patched model must be given; null for a change of weights alone.</summary>
    public virtual ForwardTap? Tap => null;

    /// <summary>
    /// What the method saw while it worked, an object for each edit; kept beside the change, no part of it.
    /// </summary>
    public JsonArray? Health { get; init; }

    /// <summary>Where prompts fall, one reading a prompt; empty for a patch that answers everywhere.</summary>
    /// <param name="model">The model without the patch.</param>
    /// <param name="prompts">Token ids, BOS included.</param>
    /// <param name="groups">Of each prompt, the group it is asked with where whole batches decide; null for one
    /// group.</param>
    /// <param name="settled">What <see cref="Tap"/> became when it was settled for these prompts: nothing that it
    /// knows is read again.</param>
    public virtual IReadOnlyList<RouteReading> Routes(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        IReadOnlyList<string>? groups = null,
        ForwardTap? settled = null
    ) => [];

    /// <summary>Writes the patch into a folder: tensors as safetensors, the rest as JSON.</summary>
    public abstract void Save(string folder);

    /// <summary>Puts the change on a model that a user named.</summary>
    /// <param name="model">Is restored when the handle is disposed.</param>
    /// <param name="name">Its folder, or what to call it.</param>
    /// <exception cref="InputException">The patch does not fit the model, or was made from other
    /// weights.</exception>
    public IDisposable ApplyTo(CausalLm model, string name)
    {
        ArgumentNullException.ThrowIfNull(model);
        PatchBase.Check(name, model);
        try
        {
            return ApplyTo(model);
        }
        catch (ArgumentException e)
        {
            throw new InputException(
                name,
                "was made for another model: " + e.Message.Split(" (Parameter")[0].TrimEnd('.'),
                "name the model it was made from"
            );
        }
    }

    /// <summary>Reads a saved patch of any kind, or an adapter of peft; the caller owns it.</summary>
    /// <exception cref="InputException">There is no patch in the folder.</exception>
    /// <exception cref="DamagedFileException">A file of it breaks its format, or this program does not know its
    /// kind.</exception>
    public static ModelPatch Load(string folder) =>
        PeftAdapter.IsOne(folder) && !File.Exists(Path.Combine(folder, PatchFolder.InfoFile))
            ? PeftAdapter.Read(folder)
            : OfKind(folder);

    private static ModelPatch OfKind(string folder) =>
        (string?)PatchFolder.Info(folder)["kind"] switch
        {
            WeightPatch.Kind => WeightPatch.Load(folder),
            CodebookPatch.Kind => CodebookPatch.Load(folder),
            SideMemoryPatch.Kind => SideMemoryPatch.Load(folder),
            var kind => throw new DamagedFileException(
                Path.Combine(folder, PatchFolder.InfoFile),
                $"'{kind}' is no kind of patch",
                "was it written by a later version of this program?"
            ),
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the tensors.</summary>
    protected abstract void Dispose(bool disposing);
}
