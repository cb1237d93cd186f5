using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// What has arrived of a file: <c>NAME.incomplete</c>, hashed as it grows, and beside it the mark of the version it
/// came from.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private readonly string _target,
        _path,
        _markPath;
    private readonly FileStream _file;
    private readonly ContentHasher _hasher;

    /// <summary>Opens what an earlier attempt left, or begins. The caller holds the file's lock.</summary>
    public PartialFile(string target, long bytes, ContentDigest digest)
    {
        (_target, _path, _markPath) = (target, target + ".incomplete", target + ".incomplete.etag");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        _hasher = new ContentHasher(bytes, !digest.IsSha256);
        _file = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 17);
        if (_file.Length > bytes)
            _file.SetLength(0);
        var buffer = new byte[1 << 17];
        for (int n; (n = _file.Read(buffer)) > 0;)
            _hasher.Append(buffer.AsSpan(0, n));
        Mark = Length > 0 && File.Exists(_markPath) ? File.ReadAllText(_markPath) : null;
    }

    /// <summary>Bytes that are there.</summary>
    public long Length => _file.Position;

    /// <summary>The strong ETag under which they were served; null where there was none.</summary>
    public string? Mark { get; private set; }

    /// <exception cref="ResourceUnavailableException">The disk does not take them.</exception>
    public void Append(ReadOnlySpan<byte> content)
    {
        try
        {
            _file.Write(content);
        }
        catch (IOException e)
        {
            throw HubErrors.CannotWrite(_path, e);
        }
        _hasher.Append(content);
    }

    /// <summary>Notes the version that is being written.</summary>
    public void SetMark(string? etag)
    {
        Mark = etag;
        if (etag is null)
            File.Delete(_markPath);
        else
            File.WriteAllText(_markPath, etag);
    }

    /// <summary>Throws away what is there.</summary>
    public void Reset()
    {
        _file.SetLength(0);
        _file.Position = 0;
        _ = _hasher.Finish();
        SetMark(null);
    }

    /// <summary>The hashes of what is there. Only once all of it is.</summary>
    public (string Sha256, string? GitBlob) Hashes() => _hasher.Finish();

    /// <summary>Flushes, and gives the file its name in one step.</summary>
    public void Publish()
    {
        try
        {
            _file.Flush(flushToDisk: true);
            _file.Dispose();
            File.Move(_path, _target, overwrite: true);
            File.Delete(_markPath);
        }
        catch (IOException e)
        {
            throw HubErrors.CannotWrite(_target, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _hasher.Dispose();
        // An attempt that brought nothing leaves nothing.
        if (new FileInfo(_path) is { Exists: true, Length: 0 })
            File.Delete(_path);
    }
}
