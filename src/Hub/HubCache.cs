using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// The cache that all tools around the hub share: <c>models--org--name/{blobs,refs,snapshots}</c>, snapshots made of
/// relative links into blobs.
/// </summary>
/// <param name="root">The folder of all repositories.</param>
internal sealed class HubCache(string root)
{
    /// <summary>The folder of all repositories.</summary>
    public string Root { get; } = root;

    /// <summary>A file's content.</summary>
    public string Blob(RepositoryId repository, ContentDigest digest)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(digest);
        return Path.Combine(Root, repository.Folder, "blobs", digest.Hex);
    }

    /// <summary>The files of a commit under their names.</summary>
    public string Snapshot(RepositoryId repository, string commit)
    {
        ArgumentNullException.ThrowIfNull(repository);
        return Path.Combine(Root, repository.Folder, "snapshots", commit);
    }

    /// <summary>Held while a blob is being written; where the hub's own tools keep theirs.</summary>
    public string LockFile(RepositoryId repository, ContentDigest digest)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(digest);
        return Path.Combine(Root, ".locks", repository.Folder, digest.Hex + ".lock");
    }

    /// <summary>The commit that a branch or tag had when it was last asked for; null where it never was.</summary>
    public string? Commit(RepositoryId repository, string revision)
    {
        ArgumentNullException.ThrowIfNull(revision);
        if (
            ContentDigest.Parse(revision) is { IsSha256: false } commit
            && Directory.Exists(Snapshot(repository, commit.Hex))
        )
            return commit.Hex;
        var path = Reference(repository, revision);
        return File.Exists(path) && new FileInfo(path).Length < 256
            ? ContentDigest.Parse(File.ReadAllText(path).Trim())?.Hex
            : null;
    }

    /// <summary>Notes the commit of a branch or tag.</summary>
    public void Remember(RepositoryId repository, string revision, string commit)
    {
        if (revision == commit || Commit(repository, revision) == commit)
            return;
        AtomicFile.Write(Reference(repository, revision), System.Text.Encoding.ASCII.GetBytes(commit));
    }

    /// <summary>Whether a blob is there with its right length. Its content was checked when it came.</summary>
    public bool Has(RepositoryId repository, HubFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new FileInfo(Blob(repository, file.Digest)) is { Exists: true } blob && blob.Length == file.Bytes;
    }

    /// <summary>How much of a blob an interrupted download left.</summary>
    public long Partial(RepositoryId repository, HubFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return
            new FileInfo(Blob(repository, file.Digest) + ".incomplete") is { Exists: true } part
            && part.Length <= file.Bytes
            ? part.Length
            : 0;
    }

    /// <summary>Gives a blob its name in a snapshot: a relative link, or a copy where the system has none.</summary>
    public void Link(RepositoryId repository, string commit, HubFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var name = Path.Combine(Snapshot(repository, commit), file.Path.Replace('/', Path.DirectorySeparatorChar));
        var folder = Path.GetDirectoryName(name)!;
        var blob = Blob(repository, file.Digest);
        var target = Path.GetRelativePath(folder, blob);
        Directory.CreateDirectory(folder);
        var present = new FileInfo(name);
        if (
            present.LinkTarget == target
            || (present.LinkTarget is null && present.Exists && present.Length == file.Bytes)
        )
            return;
        if (present.LinkTarget is not null || present.Exists)
            File.Delete(name);
        try
        {
            File.CreateSymbolicLink(name, target);
        }
        catch (IOException) when (new FileInfo(name).LinkTarget == target)
        {
            // Another pull of the same commit was quicker.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            File.Copy(blob, name, overwrite: true);
        }
    }

    private string Reference(RepositoryId repository, string revision) =>
        RelativeName.Complaint(revision) is { } complaint
            ? throw new InputException("--revision", $"'{revision}' {complaint}")
            : Path.Combine(Root, repository.Folder, "refs", revision);
}
