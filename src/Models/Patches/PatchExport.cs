using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Models.Patches;

/// <summary>What became of a patch.</summary>
/// <param name="Kind">Checkpoint, patch or adapter.</param>
/// <param name="Folder">Where.</param>
/// <param name="Files">Names of what was written, weights first.</param>
/// <param name="Bytes">Of values.</param>
/// <param name="LeftOut">Files of the model's folder that were not carried along, each with the reason.</param>
/// <param name="Note">What the reader of the folder must know, or null.</param>
public sealed record PatchExportReport(
    ExportKind Kind,
    string Folder,
    IReadOnlyList<string> Files,
    long Bytes,
    IReadOnlyList<(string File, string Why)> LeftOut,
    string? Note
);

/// <summary>In which form a change was written.</summary>
public enum ExportKind
{
    /// <summary>A model folder like the one it came from.</summary>
    Checkpoint,

    /// <summary>The change of weights alone, because that was asked for.</summary>
    Patch,

    /// <summary>A change that is no change of weights, to be used beside the untouched model.</summary>
    Adapter,
}

/// <summary>
/// Writes a change where others can use it: a checkpoint as far as it is a change of weights, otherwise or where asked
/// for the patch with its manifest.
/// </summary>
/// <remarks>
/// The folder appears as a whole by renaming, or not at all; the model's own folder is never written to.
/// </remarks>
public static class PatchExport
{
    /// <summary>Name of the file that says how a patch was made.</summary>
    public const string ManifestFile = "manifest.json";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Refuses a place before anything is computed for it.</summary>
    /// <param name="sourceFolder">The model's folder.</param>
    /// <param name="folder">Where the result shall go.</param>
    /// <param name="overwrite">Whether a model or patch folder there may be replaced.</param>
    /// <exception cref="InputException">The place is the model's folder, inside it or around it, or is
    /// taken.</exception>
    public static void Check(string sourceFolder, string folder, bool overwrite) =>
        FolderTarget.Check(sourceFolder, folder, overwrite);

    /// <summary>Writes a change.</summary>
    /// <param name="sourceFolder">The folder the model was loaded from.</param>
    /// <param name="model">The model without the patch; patched while it is written.</param>
    /// <param name="patch">The change.</param>
    /// <param name="folder">Where.</param>
    /// <param name="options">Shards, overwriting, progress.</param>
    /// <param name="patchOnly">Whether a change of weights is written by itself too.</param>
    /// <param name="manifest">How the patch was made; stands beside it, never in a checkpoint.</param>
    /// <exception cref="InputException">The place is taken, or the disk too small.</exception>
    public static PatchExportReport Write(
        string sourceFolder,
        CausalLm model,
        ModelPatch patch,
        string folder,
        ExportOptions? options = null,
        bool patchOnly = false,
        JsonObject? manifest = null
    )
    {
        ArgumentNullException.ThrowIfNull(patch);
        if (patch.Tap is null && !patchOnly)
        {
            using var applied = patch.ApplyTo(model);
            var report = CheckpointExport.Write(sourceFolder, model, folder, options);
            return new PatchExportReport(
                ExportKind.Checkpoint,
                report.Folder,
                [.. report.Shards, .. report.Carried],
                report.Bytes,
                report.LeftOut,
                null
            );
        }
        using var target = FolderTarget.Prepare(sourceFolder, folder, options?.Overwrite ?? false, 0);
        patch.Save(target.Partial);
        // What others can read too is written in their form beside ours.
        if (patch is WeightPatch weights && PeftAdapter.CanWrite(weights))
            PeftAdapter.Write(target.Partial, weights, Path.GetFileName(Path.GetFullPath(sourceFolder)));
        if (manifest is not null)
            File.WriteAllText(Path.Combine(target.Partial, ManifestFile), manifest.ToJsonString(Indented) + "\n");
        var files = Directory
            .EnumerateFiles(target.Partial)
            .Select(f => new FileInfo(f))
            .OrderByDescending(f => f.Length)
            .ToList();
        target.Commit();
        return new PatchExportReport(
            patch.Tap is null ? ExportKind.Patch : ExportKind.Adapter,
            folder,
            [.. files.Select(f => f.Name)],
            files.Sum(f => f.Length),
            [],
            patch.Tap is null
                ? null
                : "this change is no change of weights, so there is no checkpoint of it: "
                    + $"{folder} holds the adapter alone ({PatchFolder.TensorFile} and {PatchFolder.InfoFile}), "
                    + "to be used beside the untouched model"
        );
    }
}
