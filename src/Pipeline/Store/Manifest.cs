using System.Text.Json.Nodes;

namespace EditUnlearn.Pipeline;

/// <summary>Everything about one result. Written last: where it stands, the result is complete.</summary>
public sealed record Manifest
{
    /// <summary>The form without a <see cref="Seal"/>.</summary>
    internal const string Unsealed = "manifest/1";

    /// <summary>The form of today.</summary>
    internal const string Sealed = "manifest/2";

    /// <summary>Of this form.</summary>
    public string Format { get; init; } = Sealed;

    /// <summary>
    /// SHA-256 of the file with this field empty: a manifest that was changed is told from one that was written.
    /// </summary>
    public string Seal { get; init; } = "";

    /// <summary>The cell that was run first under this key.</summary>
    public required string Cell { get; init; }

    /// <summary>The kind of work.</summary>
    public required string Stage { get; init; }

    /// <summary>What the result depends on, as one hash.</summary>
    public required string Key { get; init; }

    /// <summary>Of the stage's code.</summary>
    public required string Code { get; init; }

    /// <summary>With every default filled in.</summary>
    public required JsonObject Parameters { get; init; }

    /// <summary>In key order.</summary>
    public required IReadOnlyList<KeyedInput> Inputs { get; init; }

    /// <summary>What was written.</summary>
    public required IReadOnlyList<StoredOutput> Outputs { get; init; }

    /// <summary>UTC, ISO 8601.</summary>
    public required string Started { get; init; }

    /// <summary>Wall time.</summary>
    public double Seconds { get; init; }

    /// <summary>Processor time of the worker.</summary>
    public double CpuSeconds { get; init; }

    /// <summary>Highest resident memory of the worker while it ran.</summary>
    public long PeakBytes { get; init; }

    /// <summary>Highest memory held on the GPU; null without one, or where the driver did not tell.</summary>
    public long? GpuPeakBytes { get; init; }

    /// <summary>What the stage did when memory ran out, and what was said then; null where it was enough.</summary>
    public string? Fallback { get; init; }

    /// <summary>Null for stages without tensors.</summary>
    public string? Device { get; init; }

    /// <summary>Null for stages without tensors.</summary>
    public string? DType { get; init; }

    /// <summary>Null for stages without tensors; see <see cref="Plan.Numerics"/>.</summary>
    public string? Numerics { get; init; }

    /// <summary>What of the machine decided the output, as it entered the key.</summary>
    public IReadOnlyDictionary<string, string> Surroundings { get; init; } = new Dictionary<string, string>();

    /// <summary>The earlier result of the same key whose place this one took; null for none.</summary>
    public ReplacedResult? Replaced { get; init; }

    /// <summary>.NET threads the stage worked with at most.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The seed among the parameters, if there is one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Of the runtime, the system and the libraries.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>Commit of the checkout; null outside git.</summary>
    public string? Commit { get; init; }

    /// <summary>Whether tracked files differed from the commit.</summary>
    public bool? Dirty { get; init; }

    /// <summary>Numbers the stage reported.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>What the user should know.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <summary>A result that had to make room for other bytes of the same key (<c>--accept-new</c>).</summary>
/// <param name="Started">When it was made, UTC, ISO 8601.</param>
/// <param name="Outputs">Hashes of its outputs by name.</param>
/// <param name="Folder">Where it lies now, below the store.</param>
public sealed record ReplacedResult(string Started, IReadOnlyDictionary<string, string> Outputs, string Folder);

/// <summary>An input as it entered the key.</summary>
/// <param name="Name">Under <c>in:</c>.</param>
/// <param name="Source">The cell and output, or the file.</param>
/// <param name="Axes">Labels of the producing cell that the reader sees; empty for files.</param>
/// <param name="Hash">Of its content.</param>
public sealed record KeyedInput(string Name, string Source, string Axes, string Hash);

/// <summary>One output of a result.</summary>
/// <param name="Name">As declared by the stage.</param>
/// <param name="Hash">Of the file, or of the list of files in a folder.</param>
/// <param name="Bytes">In all.</param>
/// <param name="Files">The files of it; one with an empty path for a file output.</param>
public sealed record StoredOutput(string Name, string Hash, long Bytes, IReadOnlyList<StoredFile> Files)
{
    /// <summary>Hashes what a stage has written, and flushes it to disk.</summary>
    /// <exception cref="StageFailedException">The stage did not write it, or wrote a link.</exception>
    public static StoredOutput Of(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path))
        {
            var hash = Pipeline.Files.Hash(path, flush: true);
            var bytes = new FileInfo(path).Length;
            return new StoredOutput(name, hash, bytes, [new StoredFile("", hash, bytes)]);
        }
        if (!Directory.Exists(path))
            throw new StageFailedException($"the output '{name}' was declared but not written");
        var files = Directory
            .EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Select(f => new StoredFile(
                Path.GetRelativePath(path, f).Replace('\\', '/'),
                Pipeline.Files.Hash(f, flush: true),
                new FileInfo(f).Length
            ))
            .OrderBy(f => f.Path, StringComparer.Ordinal)
            .ToList();
        return new StoredOutput(name, HashOf(files), files.Sum(f => f.Bytes), files);
    }

    /// <summary>The hash of a folder: of its files' paths and hashes, in order.</summary>
    internal static string HashOf(IEnumerable<StoredFile> files) =>
        CodeIdentity.Sha256("tree\n" + string.Concat(files.Select(f => $"{f.Hash} {f.Path}\n")));
}

/// <summary>One file.</summary>
/// <param name="Path">Within the output; empty for a file output.</param>
/// <param name="Hash">SHA-256 of its bytes.</param>
/// <param name="Bytes">Its length.</param>
public sealed record StoredFile(string Path, string Hash, long Bytes);
