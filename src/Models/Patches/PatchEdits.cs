using System.Text.Json.Nodes;

namespace EditUnlearn.Models.Patches;

/// <summary>What a saved patch says of its edits, without its tensors.</summary>
public static class PatchEdits
{
    /// <summary>An object for each edit, as the method wrote it; null where there is no edit or no patch.</summary>
    /// <param name="folder">Of the patch.</param>
    /// <exception cref="Foundation.DamagedFileException">Its description breaks the format.</exception>
    public static JsonArray? In(string folder) =>
        File.Exists(Path.Combine(folder, PatchFolder.InfoFile))
            ? PatchFolder.Health(PatchFolder.Info(folder))
            : null;
}
