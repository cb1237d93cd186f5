using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Content hashes of input files, remembered by size and time so that an unchanged file is not read again.
/// </summary>
public sealed class FileHashes
{
    private readonly string _cacheFile;
    private readonly Dictionary<string, Entry> _known;
    private bool _changed;

    private sealed record Entry(long Bytes, long Ticks, string Hash);

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
        // Of a link into somebody's cache the file behind it counts: its length and time, and its name for what is
        // remembered.
        var info = new FileInfo(path);
        if (info.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo behind)
            info = behind;
        var full = info.FullName;
        if (
            _known.TryGetValue(full, out var entry)
            && entry.Bytes == info.Length
            && entry.Ticks == info.LastWriteTimeUtc.Ticks
        )
            return entry.Hash;
        var hash = Files.Hash(full);
        // A file written within the last two seconds could change again without a new time stamp: not remembered yet.
        if (DateTime.UtcNow - info.LastWriteTimeUtc > TimeSpan.FromSeconds(2))
        {
            _known[full] = new Entry(info.Length, info.LastWriteTimeUtc.Ticks, hash);
            _changed = true;
        }
        return hash;
    }
}
