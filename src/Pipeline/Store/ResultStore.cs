using System.Globalization;
using System.Text;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What became of an attempt that was handed to the store.</summary>
public enum Publication
{
    /// <summary>It is the first whole result of its key.</summary>
    New,

    /// <summary>A result with the same bytes was there.</summary>
    Same,

    /// <summary>A result with other bytes was there and stays.</summary>
    FirstStays,

    /// <summary>A result with other bytes was there and was put aside.</summary>
    Replaced,
}

/// <summary>
/// Where results live: content-addressed files, one folder a result, and a readable view by cell. Nothing in it is ever
/// half there.
/// </summary>
/// <remarks>
/// <c>artifacts/.store/objects</c> holds file contents by hash, read-only; <c>results/KEY</c> holds a result's outputs
/// as further names of them and its manifest, and appears by one rename; <c>index.jsonl</c> is a list of results that
/// can be lost without harm;
/// <c>artifacts/STAGE/CELL</c> points to the latest result of a cell.
/// </remarks>
public sealed class ResultStore
{
    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        RespectNullableAnnotations = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
    private static readonly JsonSerializerOptions Line = new(Json) { WriteIndented = false };
    internal const string ManifestName = "manifest.json";

    private readonly Dictionary<string, IndexEntry> _byKey = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IndexEntry> _byCell = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>Opens or makes the store of a checkout.</summary>
    /// <param name="artifacts">The artifacts folder.</param>
    public ResultStore(string artifacts)
    {
        Artifacts = artifacts;
        Folder = Path.Combine(artifacts, ".store");
        foreach (var part in (string[])["objects", "results", "scratch", "locks", "logs"])
            Directory.CreateDirectory(Path.Combine(Folder, part));
        var ignore = Path.Combine(artifacts, ".gitignore");
        if (!File.Exists(ignore))
            File.WriteAllText(ignore, "*\n");
        ReadIndex();
    }

    // One line of the index: enough to know of a result without opening its manifest.
    private sealed record IndexEntry(
        string Key,
        string Cell,
        string Stage,
        double Seconds,
        Dictionary<string, string> Outputs,
        string? Device = null,
        string? Profile = null
    );

    /// <summary>
    /// Whose results are made now: durations under another profile say little, its models have another size. Null where
    /// there are no profiles.
    /// </summary>
    public string? Profile { get; init; }

    /// <summary>
    /// Seconds that stages of a kind took elsewhere under this profile: the first guess where none has run here.
    /// </summary>
    public IReadOnlyDictionary<string, double> Guesses { get; init; } = new Dictionary<string, double>();

    /// <summary>The readable folder.</summary>
    public string Artifacts { get; }

    /// <summary>The folder of everything else.</summary>
    public string Folder { get; }

    /// <summary>The log of a cell's latest run.</summary>
    public string LogFile(CellId cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return Path.Combine(Folder, "logs", cell.Folder.Replace('/', '+') + ".log");
    }

    /// <summary>A folder of one key that survives a killed attempt.</summary>
    public string ScratchFolder(string key) => Path.Combine(Folder, "scratch", key);

    /// <summary>A result's folder.</summary>
    public string ResultFolder(string key) => Path.Combine(Folder, "results", key);

    /// <summary>Output hashes of a result by name; null where there is none.</summary>
    /// <exception cref="DamagedFileException">A file of the result is gone or has another length.</exception>
    public IReadOnlyDictionary<string, string>? Find(string key)
    {
        IndexEntry? entry;
        lock (_gate)
            _byKey.TryGetValue(key, out entry);
        var folder = ResultFolder(key);
        if (!File.Exists(Path.Combine(folder, ManifestName)))
            return null;
        if (entry is null)
        {
            // Published, but the process died before it wrote the index.
            entry = Entry(ReadManifest(key)!);
            Remember(entry, write: true);
        }
        return entry.Outputs;
    }

    /// <summary>
    /// Compares a result's files with its manifest by presence and length; opens none but the manifest.
    /// </summary>
    /// <exception cref="DamagedFileException">One is gone or has another length.</exception>
    public void CheckSizes(string key)
    {
        var manifest = ReadManifest(key)!;
        foreach (var output in manifest.Outputs)
            foreach (var file in output.Files)
            {
                var path = Path.Combine(ResultFolder(key), output.Name, file.Path).TrimEnd('/');
                var info = new FileInfo(path);
                if (!info.Exists)
                    throw Damaged(manifest, output, file, "is gone");
                if (info.Length != file.Bytes)
                    throw Damaged(
                        manifest,
                        output,
                        file,
                        string.Create(CultureInfo.InvariantCulture, $"has {info.Length} bytes, not {file.Bytes}")
                    );
            }
    }

    /// <summary>
    /// Reads every byte of every result again and leaves everything where it is; <see cref="StoreCheck"/> also removes
    /// what is damaged.
    /// </summary>
    /// <returns>What is damaged; empty when all is well.</returns>
    public IReadOnlyList<string> Verify() => [.. StoreCheck.Run(this, quarantine: false).Damage.Select(d => d.Message)];

    /// <summary>Keys of all results, in order.</summary>
    public IReadOnlyList<string> Keys() =>
        [
            .. Directory
                .EnumerateDirectories(Path.Combine(Folder, "results"))
                .Select(p => Path.GetFileName(p)!)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>
    /// The latest result whose output has this content, of the cell if it made one, else of any cell of the stage; null
    /// for none.
    /// </summary>
    public string? KeyThatMade(CellId cell, string stage, string output, string hash)
    {
        ArgumentNullException.ThrowIfNull(cell);
        lock (_gate)
        {
            var found = _byKey
                .Values.Where(e =>
                    e.Stage == stage
                    && e.Outputs.GetValueOrDefault(output) == hash
                    && File.Exists(Path.Combine(ResultFolder(e.Key), ManifestName))
                )
                .ToList();
            return (found.FindLast(e => e.Cell == cell.Text) ?? found.LastOrDefault())?.Key;
        }
    }

    /// <summary>
    /// Writes the index anew: a line for every result, and for removed ones only the latest of a cell, whose duration
    /// is still worth knowing. Nobody else may use the store.
    /// </summary>
    internal void CompactIndex()
    {
        lock (_gate)
        {
            var kept = _byKey
                .Values.Where(e =>
                    File.Exists(Path.Combine(ResultFolder(e.Key), ManifestName))
                    || _byCell.GetValueOrDefault(e.Cell)?.Key == e.Key
                )
                .ToList();
            // The latest line of a cell decides: those come last.
            var lines = kept.OrderBy(e => _byCell.GetValueOrDefault(e.Cell)?.Key == e.Key ? 1 : 0);
            AtomicFile.Write(
                IndexFile,
                [.. lines.SelectMany(e => (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(e, Line), (byte)'\n'])]
            );
        }
    }

    // Of the file with the seal left empty, put where it was left out.
    private static byte[] SealedBytes(Manifest manifest)
    {
        var open = JsonSerializer.Serialize(manifest with { Format = Pipeline.Manifest.Sealed, Seal = "" }, Json);
        return Encoding.UTF8.GetBytes(Replaced(open, "", CodeIdentity.Sha256(open)));
    }

    private static string Replaced(string text, string seal, string by)
    {
        static string Field(string value) => $"\"seal\": \"{value}\"";
        var at = text.IndexOf(Field(seal), StringComparison.Ordinal);
        return at < 0 ? text : text[..at] + Field(by) + text[(at + Field(seal).Length)..];
    }

    /// <summary>What is wrong with a manifest beside its form: null for one that is as it was written.</summary>
    internal string? SealProblem(Manifest manifest) =>
        SealProblem(manifest, File.ReadAllText(Path.Combine(ResultFolder(manifest.Key), ManifestName)));

    /// <inheritdoc cref="SealProblem(Manifest)"/>
    internal static string? SealProblem(Manifest manifest, string text)
    {
        if (manifest.Format == Pipeline.Manifest.Unsealed)
            return null;
        if (manifest.Format != Pipeline.Manifest.Sealed)
            return $"is in a form that is not known: {manifest.Format}";
        return CodeIdentity.Sha256(Replaced(text, manifest.Seal, "")) == manifest.Seal
            ? null
            : "holds other bytes than were written";
    }

    /// <summary>A result's manifest; null where there is none.</summary>
    /// <exception cref="DamagedFileException">It is not a manifest.</exception>
    public Manifest? ReadManifest(string key)
    {
        var path = Path.Combine(ResultFolder(key), ManifestName);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<Manifest>(File.ReadAllBytes(path), Json)
                ?? throw new JsonException("it is empty");
        }
        catch (JsonException e)
        {
            throw new DamagedFileException(
                path,
                "is not a manifest: " + e.Message,
                $"delete the folder {ResultFolder(key)} and run again",
                e
            );
        }
    }

    /// <summary>The key under which a cell was last made or found; null for never.</summary>
    public string? LastKey(CellId cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        lock (_gate)
            return _byCell.GetValueOrDefault(cell.Text)?.Key;
    }

    /// <summary>
    /// How long a cell took last time, or cells of its stage on average, or elsewhere, or under another profile; null
    /// where none ever ran on such a device.
    /// </summary>
    /// <param name="cell">The cell.</param>
    /// <param name="stage">Its kind.</param>
    /// <param name="device">Where the plan computes: hours on a GPU are not foretold by a miniature on a CPU.</param>
    public double? ExpectedSeconds(CellId cell, string stage, string device)
    {
        ArgumentNullException.ThrowIfNull(cell);
        lock (_gate)
        {
            bool Comparable(IndexEntry e) => e.Device is null || Kind(e.Device) == Kind(device);
            double? Seen(Func<IndexEntry, bool> counts)
            {
                if (_byCell.TryGetValue(cell.Text, out var own) && Comparable(own) && counts(own))
                    return own.Seconds;
                var like = _byKey
                    .Values.Where(e => e.Stage == stage && Comparable(e) && counts(e))
                    .Select(e => e.Seconds)
                    .ToList();
                return like.Count > 0 ? like.Average() : null;
            }
            return Seen(e => e.Profile == Profile)
                ?? (Guesses.TryGetValue(stage, out var guess) ? guess : Seen(_ => true));
        }
    }

    /// <summary>Moves a finished attempt into the store. The first result of a key stays in force.</summary>
    /// <param name="staging">Folder with the outputs; is used up.</param>
    /// <param name="manifest">What to write last.</param>
    /// <param name="acceptNew">
    /// Puts an earlier result with other bytes aside and takes this one. The caller has the store for itself: nobody
    /// may be reading what is put aside.
    /// </param>
    /// <returns>What became of it; other bytes under one key mean that the stage is not deterministic.</returns>
    public Publication Publish(string staging, Manifest manifest, bool acceptNew = false)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var target = ResultFolder(manifest.Key);
        var became = Publication.New;
        if (ReadManifestOrNull(manifest.Key) is { } first && IsWhole(first))
        {
            var isSame = HashesOf(first).SequenceEqual(HashesOf(manifest));
            if (isSame || !acceptNew)
            {
                Files.DeleteFolder(staging);
                Remember(Entry(first) with { Cell = manifest.Cell, Profile = Profile }, write: true);
                return isSame ? Publication.Same : Publication.FirstStays;
            }
            (manifest, became) = (manifest with { Replaced = PutAside(first) }, Publication.Replaced);
        }
        foreach (var output in manifest.Outputs)
            foreach (var file in output.Files)
                Adopt(Path.Combine(staging, output.Name, file.Path).TrimEnd('/'), file);
        AtomicFile.Write(Path.Combine(staging, ManifestName), SealedBytes(manifest));
        Files.FlushFolder(staging);
        Files.DeleteFolder(target); // only ever a damaged one
        Directory.Move(staging, target);
        Files.FlushFolder(Path.GetDirectoryName(target)!);
        Remember(Entry(manifest) with { Profile = Profile }, write: true);
        return became;
    }

    private static IEnumerable<(string Name, string Hash)> HashesOf(Manifest manifest) =>
        manifest.Outputs.Select(o => (o.Name, o.Hash));

    // Under a name that says what it holds, so that the same bytes are kept once.
    private ReplacedResult PutAside(Manifest first)
    {
        var content = CodeIdentity.Sha256(string.Concat(HashesOf(first).Select(o => $"{o.Hash} {o.Name}\n")));
        var folder = Path.Combine("quarantine", "results", $"{first.Key}.{content[..16]}");
        var path = Path.Combine(Folder, folder);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Files.DeleteFolder(path);
        Directory.Move(ResultFolder(first.Key), path);
        // The cleaner counts its age from now: somebody may want to compare the two.
        Directory.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        return new ReplacedResult(first.Started, HashesOf(first).ToDictionary(o => o.Name, o => o.Hash), folder);
    }

    /// <summary>Points the readable view of a cell to a result, unless it does so already.</summary>
    public void Show(CellId cell, string key)
    {
        ArgumentNullException.ThrowIfNull(cell);
        var view = Path.Combine(Artifacts, cell.Folder);
        var target = Path.GetRelativePath(Path.GetDirectoryName(view)!, ResultFolder(key));
        if (new FileInfo(view).LinkTarget != target)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(view)!);
            if (Directory.Exists(view) && new DirectoryInfo(view).LinkTarget is null)
            {
                // A stage gained or lost its axes: the view was a folder of cells, or is to become one. Views hold
                // links only.
                Directory.Delete(view, recursive: true);
            }
            // Two runs may show the same cell at once, in one process or on two hosts with equal process numbers.
            var temporary = $"{view}.{Guid.NewGuid():N}.tmp";
            Directory.CreateSymbolicLink(temporary, target);
            Files.ReplaceLink(temporary, view);
        }
        lock (_gate)
            if (_byCell.GetValueOrDefault(cell.Text)?.Key == key)
                return;
        if (_byKey.TryGetValue(key, out var entry))
            Remember(entry with { Cell = cell.Text }, write: true);
    }

    /// <summary>Takes the lock of one key, waiting for whoever holds it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="waiting">Told once who holds it.</param>
    /// <param name="cancelled">Ends the wait.</param>
    public async Task<IDisposable> LockAsync(string key, Action<string> waiting, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(waiting);
        var path = Path.Combine(Folder, "locks", key);
        for (var announced = false; ; announced = true)
        {
            try
            {
                // The system drops the lock with the process, however it ends: there is never one to break by hand.
                var file = new FileStream(
                    path,
                    FileMode.OpenOrCreate,
                    FileAccess.ReadWrite,
                    FileShare.None,
                    1,
                    FileOptions.None
                );
                file.SetLength(0);
                file.Write(
                    Encoding.UTF8.GetBytes(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"process {Environment.ProcessId} on {Environment.MachineName} since "
                                + $"{DateTime.UtcNow:HH:mm:ss} UTC"
                        )
                    )
                );
                file.Flush();
                return file;
            }
            catch (IOException)
            {
                if (!announced)
                    waiting(HolderOf(path));
                await Task.Delay(100, cancelled).ConfigureAwait(false);
            }
        }
    }

    private static string HolderOf(string path)
    {
        try
        {
            using var file = new FileStream(
                path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete
            );
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
        catch (IOException)
        {
            return "another process";
        }
    }

    // The bytes become an object; the staged name becomes one more name of it.
    private void Adopt(string staged, StoredFile file)
    {
        var path = Path.Combine(Folder, "objects", file.Hash[..2], file.Hash);
        Files.Protect(staged);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var known = new FileInfo(path);
        // A damaged object must not take the place of good bytes.
        if (known.Exists && (known.Length != file.Bytes || Files.Hash(path) != file.Hash))
            File.Delete(path);
        // Where the object is there already, or another cell was quicker, the staged file becomes one more name of it.
        if (Files.Link(staged, path))
            return;
        var spare = staged + ".link";
        try
        {
            if (Files.Link(path, spare))
                File.Move(spare, staged, overwrite: true);
        }
        catch (FileNotFoundException)
        {
            // Removed in between; the staged file has all the bytes itself.
        }
    }

    // Down to the bytes: a run under a key that has a result is forced, and perhaps just because that result is
    // damaged.
    private bool IsWhole(Manifest manifest)
    {
        try
        {
            CheckSizes(manifest.Key);
            return manifest.Outputs.All(o =>
                o.Files.All(f =>
                    Files.Hash(Path.Combine(ResultFolder(manifest.Key), o.Name, f.Path).TrimEnd('/')) == f.Hash
                )
            );
        }
        catch (DamagedFileException)
        {
            return false;
        }
    }

    private Manifest? ReadManifestOrNull(string key)
    {
        try
        {
            return ReadManifest(key);
        }
        catch (DamagedFileException)
        {
            return null;
        }
    }

    internal static DamagedFileException Damaged(
        Manifest manifest,
        StoredOutput output,
        StoredFile file,
        string problem
    ) =>
        new(
            $"{manifest.Cell}/{output.Name}{(file.Path.Length > 0 ? "/" + file.Path : "")}",
            problem,
            $"eu-stage repro --force '{manifest.Cell}' makes it again; nothing else was touched"
        );

    // cuda:1 is as fast as cuda.
    private static string Kind(string device) => device.Split(':')[0];

    private static IndexEntry Entry(Manifest m) =>
        new(
            m.Key,
            m.Cell,
            m.Stage,
            m.Seconds,
            m.Outputs.ToDictionary(o => o.Name, o => o.Hash, StringComparer.Ordinal),
            m.Device
        );

    private string IndexFile => Path.Combine(Folder, "index.jsonl");

    private void Remember(IndexEntry entry, bool write)
    {
        lock (_gate)
        {
            _byKey[entry.Key] = entry;
            _byCell[entry.Cell] = entry;
            if (!write)
                return;
            // One write of one line: a reader sees it whole or, after a crash, torn and then ignored.
            using var file = new FileStream(IndexFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, 1);
            file.Write([.. JsonSerializer.SerializeToUtf8Bytes(entry, Line), (byte)'\n']);
        }
    }

    private void ReadIndex()
    {
        if (!File.Exists(IndexFile))
            return;
        foreach (var line in File.ReadLines(IndexFile))
            try
            {
                if (
                    JsonSerializer.Deserialize<IndexEntry>(line, Line) is
                    { Key: not null, Cell: not null, Outputs: not null } entry
                )
                    Remember(entry, write: false);
            }
            catch (JsonException)
            {
                // Torn by a crash; the manifest is found under its key.
            }
    }
}
