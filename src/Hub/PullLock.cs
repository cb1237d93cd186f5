using System.Text.Encodings.Web;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// <c>pull.lock.json</c>: which commit a revision meant when it was first pulled, and what its files hash to. Committed
/// with the project, it makes a second pull fetch the same bytes.
/// </summary>
/// <param name="Repositories">In order of name.</param>
public sealed record PullLock(IReadOnlyList<LockedRepository> Repositories)
{
    /// <summary>Its name in a checkout.</summary>
    public const string FileName = "pull.lock.json";

    private const string Format = "pull/1";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        MaxDepth = 16,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private sealed record Document(string Format, IReadOnlyList<LockedRepository> Repositories);

    /// <summary>Reads a lock; an absent one is empty.</summary>
    /// <exception cref="InputException">It is not one.</exception>
    public static PullLock Read(string path)
    {
        if (!File.Exists(path))
            return new PullLock([]);
        const string Hint = "restore it from git, or delete it to pin anew";
        try
        {
            var document = JsonSerializer.Deserialize<Document>(File.ReadAllBytes(path), Json);
            if (document?.Format != Format)
                throw new InputException(path, $"has the format '{document?.Format}', not {Format}", Hint);
            var broken =
                document.Repositories is null
                || document.Repositories.Any(r =>
                    r is null
                    || r.Repository is null
                    || r.Revision is null
                    || r.Type is not ("model" or "dataset")
                    || ContentDigest.Parse(r.Commit) is not { IsSha256: false }
                    || r.Files is null
                    || r.Files.Any(f =>
                        f?.Path is null
                        || RelativeName.Complaint(f.Path) is not null
                        || ContentDigest.Parse(f.Sha256) is not { IsSha256: true }
                    )
                );
            return broken
                ? throw new InputException(path, "has an entry without name, commit or hashes", Hint)
                : new PullLock(document.Repositories!);
        }
        catch (JsonException e)
        {
            throw new InputException(
                new InputProblem(
                    path,
                    (int)(e.LineNumber ?? -1) + 1,
                    0,
                    "not a valid lock: " + e.Message.Split(" Path:")[0],
                    Hint
                )
            );
        }
    }

    /// <summary>The entry of a revision, or null.</summary>
    public LockedRepository? Find(RepositoryId repository, string revision)
    {
        ArgumentNullException.ThrowIfNull(repository);
        return Repositories.FirstOrDefault(r =>
            r.Repository == repository.Name
            && r.Type == TypeOf(repository)
            && (r.Revision == revision || r.Commit == revision)
        );
    }

    /// <summary>
    /// With an entry put in, or in the place of the one of the same revision. Files of the same commit stay known.
    /// </summary>
    public PullLock With(RepositoryId repository, string revision, string commit, IReadOnlyList<LockedFile> files)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(files);
        var old = Repositories.FirstOrDefault(r =>
            r.Repository == repository.Name && r.Type == TypeOf(repository) && r.Revision == revision
        );
        var kept = old?.Commit == commit ? old.Files.Where(o => files.All(f => f.Path != o.Path)) : [];
        var entry = new LockedRepository(
            TypeOf(repository),
            repository.Name,
            revision,
            commit,
            [.. kept.Concat(files).OrderBy(f => f.Path, StringComparer.Ordinal)]
        );
        return new PullLock([
            .. Repositories
                .Where(r => r != old)
                .Append(entry)
                .OrderBy(r => r.Type, StringComparer.Ordinal)
                .ThenBy(r => r.Repository, StringComparer.Ordinal)
                .ThenBy(r => r.Revision, StringComparer.Ordinal),
        ]);
    }

    /// <summary>Writes it in one step.</summary>
    public void Write(string path) =>
        AtomicFile.Write(
            path,
            [.. JsonSerializer.SerializeToUtf8Bytes(new Document(Format, Repositories), Json), (byte)'\n']
        );

    private static string TypeOf(RepositoryId repository) =>
        repository.Type == RepositoryType.Dataset ? "dataset" : "model";
}

/// <summary>One revision of one repository, pinned.</summary>
/// <param name="Type"><c>model</c> or <c>dataset</c>.</param>
/// <param name="Repository"><c>org/name</c>.</param>
/// <param name="Revision">As it was asked for.</param>
/// <param name="Commit">What it meant.</param>
/// <param name="Files">Those that were fetched.</param>
public sealed record LockedRepository(
    string Type,
    string Repository,
    string Revision,
    string Commit,
    IReadOnlyList<LockedFile> Files
);
