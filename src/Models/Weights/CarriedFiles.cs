namespace EditUnlearn.Models.Weights;

/// <summary>
/// What goes with the weights of a checkpoint from folder to folder: config, tokenizer, generation settings, licences,
/// notes, byte for byte.
/// </summary>
/// <remarks>
/// Only files directly in the folder. Pickled and otherwise packed weights never, code never, large or unreadable files
/// never.
/// </remarks>
internal static class CarriedFiles
{
    private const long MaxBytes = 1 << 26;

    // Tokenizers that are no text.
    private static readonly string[] Binary = [".model", ".tiktoken", ".v1", ".v2", ".v3", ".v7"];
    private static readonly string[] Weights =
    [
        ".safetensors",
        ".bin",
        ".pth",
        ".pt",
        ".ckpt",
        ".pkl",
        ".pickle",
        ".h5",
        ".msgpack",
        ".gguf",
        ".onnx",
        ".npz",
        ".npy",
        ".partial",
        ".incomplete",
    ];
    private static readonly string[] Code = [".py", ".so", ".sh", ".dll", ".exe"];

    /// <summary>Copies what belongs along.</summary>
    public static (IReadOnlyList<string> Carried, IReadOnlyList<(string File, string Why)> LeftOut) Copy(
        string source,
        string target
    )
    {
        var carried = new List<string>();
        var leftOut = new List<(string, string)>();
        foreach (var path in Directory.EnumerateFiles(source).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            if (name == WeightIndex.IndexName || name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
                continue;
            if (Reason(source, path) is { } why)
            {
                leftOut.Add((name, why));
                continue;
            }
            // A hub cache holds links and read-only files; the copy is a plain file of one's own.
            File.WriteAllBytes(Path.Combine(target, name), File.ReadAllBytes(path));
            carried.Add(name);
        }
        foreach (var folder in Directory.EnumerateDirectories(source).Order(StringComparer.Ordinal))
            leftOut.Add((Path.GetFileName(folder) + "/", "a folder"));
        return (carried, leftOut);
    }

    // Why a file stays behind; null where it does not.
    private static string? Reason(string source, string path)
    {
        var name = Path.GetFileName(path);
        var extension = Path.GetExtension(name).ToLowerInvariant();
        if (Weights.Contains(extension) || name.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase))
            return "weights in another form";
        if (Code.Contains(extension))
            return "code";
        var file = new FileInfo(path);
        if (file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo real)
        {
            if (!real.Exists)
                return "a link to nothing";
            if (!IsInside(real.FullName, source) && !IsBlobOf(real.FullName, source))
                return "a link out of the folder";
            file = real;
        }
        if (file.Length > MaxBytes)
            return "too large";
        return Binary.Contains(extension) || IsText(path) ? null : "neither text nor a tokenizer";
    }

    private static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.GetFullPath(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    // models--org--name/snapshots/<commit>/file -> ../../blobs/<hash>.
    private static bool IsBlobOf(string path, string snapshot) =>
        Path.GetDirectoryName(path) is { } blobs
        && Path.GetFileName(blobs) == "blobs"
        && IsInside(Path.GetFullPath(snapshot), Path.GetDirectoryName(blobs)!);

    private static bool IsText(string path)
    {
        var bytes = File.ReadAllBytes(path);
        return !bytes.AsSpan().Contains((byte)0) && System.Text.Unicode.Utf8.IsValid(bytes);
    }
}
