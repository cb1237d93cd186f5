using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Content hashes of input files, remembered so that an unchanged file is not read again. What is remembered holds
/// while the file is the same one (its number), as long, and neither its content nor its entry was touched, to the
/// nanosecond; a doubt means reading.
/// </summary>
/// <remarks>
/// Times of the content can be put back by anybody (touch, rsync, tar); the time of the entry cannot.
/// </remarks>
public sealed class FileHashes
{
    private readonly string _cacheFile;
    private readonly Dictionary<string, Entry> _known;
    private bool _changed;

    private sealed record Entry(FileState State, string Hash);

    /// <summary>Reads what is remembered.</summary>
    public FileHashes(string cacheFile)
    {
        _cacheFile = cacheFile;
        try
        {
            _known = File.Exists(cacheFile)
                ? JsonSerializer.Deserialize<Dictionary<string, Entry>>(File.ReadAllBytes(cacheFile)) ?? []
                : [];
        }
        catch (JsonException)
        {
            _known = [];
        }
    }

    /// <summary>The hash of a file, or of a folder's files with their relative paths.</summary>
    public string Of(string path)
    {
        if (!Directory.Exists(path))
            return OfFile(path);
        return StoredOutput.HashOf(
            Directory
                .EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Select(f => new StoredFile(Path.GetRelativePath(path, f).Replace('\\', '/'), OfFile(f), 0))
                .OrderBy(f => f.Path, StringComparer.Ordinal)
        );
    }

    /// <summary>Keeps what was learned.</summary>
    public void Save()
    {
        if (!_changed)
            return;
        AtomicFile.Write(_cacheFile, JsonSerializer.SerializeToUtf8Bytes(_known));
        _changed = false;
    }

    private string OfFile(string path)
    {
        UserFile.Check(path);
        // Of a link into somebody's cache the file behind it counts, and its name for what is remembered.
        var info = new FileInfo(path);
        if (info.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo behind)
            info = behind;
        var full = info.FullName;
        var state = FileState.Of(full);
        if (state is not null && _known.TryGetValue(full, out var entry) && entry.State == state)
            return entry.Hash;
        string hash;
        try
        {
            hash = Files.Hash(full);
        }
        catch (Exception e) when (UserFile.IsTrouble(e))
        {
            throw UserFile.Unreadable(path, e);
        }
        // What was touched within the last two seconds could change again without a new time: not remembered yet.
        if (state is not null && state == FileState.Of(full) && state.IsOlderThan(TimeSpan.FromSeconds(2)))
        {
            _known[full] = new Entry(state, hash);
            _changed = true;
        }
        return hash;
    }
}
