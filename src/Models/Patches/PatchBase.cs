using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Whether a patch belongs to a model: its manifest says what the weights hash to that it was made from. A change that
/// is put on other weights of the same shape would do nothing that anybody meant, and look like an edit without effect.
/// </summary>
internal static class PatchBase
{
    /// <summary>Refuses a patch of other weights. One without a manifest says nothing about its base.</summary>
    /// <param name="folder">Of the patch.</param>
    /// <param name="model">Untouched.</param>
    /// <exception cref="InputException">It was made from other weights.</exception>
    public static void Check(string folder, CausalLm model)
    {
        var manifest = Path.Combine(folder, PatchExport.ManifestFile);
        if (!File.Exists(manifest))
            return;
        var json = PatchFolder.Checked(
            manifest,
            () =>
                JsonNode.Parse(UserFile.WithoutMark(UserFile.Bytes(manifest))) as JsonObject
                ?? throw new JsonException("it is not an object")
        );
        var (made, compute) = PatchFolder.Checked(manifest, () => ((string?)json["model"], (string?)json["compute"]));
        if (made is null)
            return;
        var type = Compute.NameOf(model.DType);
        // The hash is of the weights as they were loaded, so only like types can be compared.
        if (compute is not null && !compute.Contains(type, StringComparison.Ordinal))
            return;
        if (made != WeightFingerprint.Of(model))
            throw new InputException(
                folder,
                "was made for another model: the weights are not those that it was made from",
                "name the model it was made from"
            );
    }
}
