namespace EditUnlearn.Hub;

/// <summary>What to fetch.</summary>
/// <param name="Repository">From where.</param>
/// <param name="Revision">Branch, tag or commit.</param>
/// <param name="Patterns">Which files.</param>
public sealed record PullRequest(RepositoryId Repository, string Revision, NamePatterns Patterns)
{
    /// <summary>A plain folder that gets the files besides the cache, or null.</summary>
    public string? To { get; init; }

    /// <summary>Say what would be fetched, and fetch nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>Ask what the revision means today, whatever the lock says.</summary>
    public bool Update { get; init; }

    /// <summary>The lock file; null for none.</summary>
    public string? LockFile { get; init; }

    /// <summary>SHA-256 of files whose content is known beforehand, by path.</summary>
    public IReadOnlyDictionary<string, string> Pins { get; init; } = new Dictionary<string, string>();
}

/// <summary>What became of it.</summary>
/// <param name="Repository">Its name with its kind: <c>datasets/org/name</c>.</param>
/// <param name="Revision">As asked for.</param>
/// <param name="Commit">What it meant.</param>
/// <param name="Folder">Where the files are.</param>
/// <param name="Files">Each of them.</param>
/// <param name="LeftOut">Files that are pickle and were not fetched.</param>
public sealed record PullResult(
    string Repository,
    string Revision,
    string Commit,
    string Folder,
    IReadOnlyList<PulledFile> Files,
    IReadOnlyList<string> LeftOut
);

/// <summary>One file.</summary>
/// <param name="Path">With forward slashes.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Of its content; null in a dry run where it is not known yet.</param>
/// <param name="Missing">Bytes that are, or were before this pull, not there.</param>
public sealed record PulledFile(string Path, long Bytes, string? Sha256, long Missing);
