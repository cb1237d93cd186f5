using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>Fetches a revision: asks what it holds, fetches what is missing, links it, pins it.</summary>
public sealed class HubPull : IDisposable
{
    private const int SideBySide = 4;
    private const long DiskMargin = 64 << 20,
        LargeBytes = 16 << 20;

    private readonly HubSettings _settings;
    private readonly IPullObserver _observer;
    private readonly HubCache _cache;
    private readonly HubHttp _http;
    private readonly HubApi _api;
    private readonly Download _download;
    private readonly Func<string, long> _freeBytes;

    /// <summary>Prepares; sends nothing.</summary>
    /// <param name="settings">From the environment.</param>
    /// <param name="observer">Told how it goes.</param>
    /// <param name="retry">How failures are met; null for the usual way.</param>
    /// <param name="handler">What sends; null for the real network. Must not follow redirects.</param>
    /// <param name="freeBytes">Free space of a folder's disk; null to ask the system.</param>
    public HubPull(
        HubSettings settings,
        IPullObserver observer,
        RetryPolicy? retry = null,
        HttpMessageHandler? handler = null,
        Func<string, long>? freeBytes = null
    )
    {
        ArgumentNullException.ThrowIfNull(settings);
        (_settings, _observer, _cache) = (settings, observer, new HubCache(settings.Cache));
        retry ??= new RetryPolicy();
        _http = new HubHttp(settings, retry, handler);
        _api = new HubApi(_http, settings, retry, observer);
        _download = new Download(_http, settings, retry, observer);
        _freeBytes = freeBytes ?? DiskSpace.Free;
    }

    /// <summary>Fetches a revision of a repository.</summary>
    /// <exception cref="InputException">There is no such repository, revision or file; or the target folder holds
    /// something else.</exception>
    /// <exception cref="ResourceUnavailableException">Access, network, disk or the cache under <c>HF_HUB_OFFLINE</c>
    /// lack something.</exception>
    /// <exception cref="DamagedFileException">A file is not what was announced.</exception>
    public async Task<PullResult> RunAsync(PullRequest request, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(request);
        var repository = request.Repository;
        if (RelativeName.Complaint(request.Revision) is { } complaint)
            throw new InputException("--revision", $"'{request.Revision}' {complaint}");
        var pinned =
            request.LockFile is null || request.Update
                ? null
                : PullLock.Read(request.LockFile).Find(repository, request.Revision);
        var revision = pinned?.Commit ?? request.Revision;
        if (_settings.Offline)
            return Offline(request, pinned);

        var (listing, leftOut) = await ListAsync(request, revision, cancelled).ConfigureAwait(false);
        if (pinned is not null && listing.Commit != pinned.Commit)
            throw HubErrors.Listing(
                repository.ToString(),
                $"asked for commit {pinned.Commit}, it describes {listing.Commit}"
            );
        if (leftOut.Count > 0)
            _observer.Note(
                $"{repository}: left out {leftOut.Count} files that are pickle and can run code when loaded: "
                    + $"{string.Join(", ", leftOut.Take(3))}{(leftOut.Count > 3 ? ", ..." : "")}"
            );
        if (listing.Files.Count == 0)
            throw Nothing(request, leftOut);
        CheckPins(request, listing);
        var missing = listing.Files.ToDictionary(
            f => f.Path,
            f => _cache.Has(repository, f) ? 0 : f.Bytes - _cache.Partial(repository, f),
            StringComparer.Ordinal
        );
        if (request.DryRun)
            return Result(
                request,
                listing.Commit,
                [
                    .. listing.Files.Select(f => new PulledFile(
                        f.Path,
                        f.Bytes,
                        f.Digest.IsSha256 ? f.Digest.Hex : null,
                        missing[f.Path]
                    )),
                ],
                leftOut
            );

        CheckDisk(_cache.Root, missing.Values.Sum());
        _observer.Planned(missing.Values.Count(m => m > 0), missing.Values.Sum());
        var hashes = await FetchAsync(repository, listing, cancelled).ConfigureAwait(false);
        CheckPins(request, listing.Commit, hashes);
        CheckAgainst(pinned, repository, listing, hashes);
        _cache.Remember(repository, request.Revision, listing.Commit);
        var files = listing
            .Files.Select(f => new PulledFile(f.Path, f.Bytes, hashes[f.Path], missing[f.Path]))
            .ToList();
        await PinAsync(request, listing.Commit, files, cancelled).ConfigureAwait(false);
        Place(request, listing.Commit, files);
        return Result(request, listing.Commit, files, leftOut);
    }

    /// <summary>Fetches pinned files that lie outside the hub into a folder.</summary>
    /// <param name="files">Which.</param>
    /// <param name="folder">Their names are relative to it.</param>
    /// <param name="dryRun">Say what is missing, and fetch nothing.</param>
    /// <param name="cancelled">Stops it.</param>
    public async Task<IReadOnlyList<PulledFile>> RunAsync(
        IReadOnlyList<PinnedFile> files,
        string folder,
        bool dryRun,
        CancellationToken cancelled
    )
    {
        ArgumentNullException.ThrowIfNull(files);
        bool There(PinnedFile f) =>
            new FileInfo(Path.Combine(folder, f.Path)) is { Exists: true } file
            && (
                file.Length == f.Bytes && ContentHasher.Sha256Of(file.FullName) == f.Sha256
                    ? true
                    : throw new InputException(
                        file.FullName,
                        "is there already, but is not the published file",
                        "move it away, and run the command again"
                    )
            );
        var there = files.ToDictionary(f => f.Path, There, StringComparer.Ordinal);
        var missing = files.Where(f => !there[f.Path]).ToList();
        List<PulledFile> Result() =>
            [.. files.Select(f => new PulledFile(f.Path, f.Bytes, f.Sha256, there[f.Path] ? 0 : f.Bytes))];
        if (dryRun || missing.Count == 0)
            return Result();
        if (_settings.Offline)
            throw HubErrors.NotCached(folder, $"{missing[0].Path} is not there");
        CheckDisk(folder, missing.Sum(f => f.Bytes));
        _observer.Planned(missing.Count, missing.Sum(f => f.Bytes));
        foreach (var file in missing)
        {
            var target = Path.Combine(folder, file.Path);
            using var held = await FileLock
                .TakeAsync(target + ".lock", () => _observer.Note($"{file.Path}: another pull works on it"), cancelled)
                .ConfigureAwait(false);
            try
            {
                if (!There(file))
                    await _download
                        .RunAsync(
                            new Download.Wanted(
                                file.Path,
                                file.Url,
                                file.Bytes,
                                new ContentDigest(file.Sha256),
                                target,
                                null
                            ),
                            cancelled
                        )
                        .ConfigureAwait(false);
            }
            finally
            {
                File.Delete(target + ".lock");
            }
        }
        return Result();
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<(RepositoryListing Listing, List<string> LeftOut)> ListAsync(
        PullRequest request,
        string revision,
        CancellationToken cancelled
    )
    {
        var leftOut = new List<string>();
        bool Wanted(string name)
        {
            if (!NamePatterns.IsPickle(name))
                return request.Patterns.Wants(name);
            leftOut.Add(name);
            return false;
        }
        return (await _api.ListAsync(request.Repository, revision, Wanted, cancelled).ConfigureAwait(false), leftOut);
    }

    private async Task<Dictionary<string, string>> FetchAsync(
        RepositoryId repository,
        RepositoryListing listing,
        CancellationToken cancelled
    )
    {
        var hashes = new System.Collections.Concurrent.ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        // Several names may share one content; the second finds it there.
        await Parallel
            .ForEachAsync(
                listing.Files,
                new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = cancelled },
                async (file, stop) =>
                {
                    hashes[file.Path] = await FetchAsync(repository, listing.Commit, file, stop).ConfigureAwait(false);
                    _cache.Link(repository, listing.Commit, file);
                }
            )
            .ConfigureAwait(false);
        return new Dictionary<string, string>(hashes, StringComparer.Ordinal);
    }

    private async Task<string> FetchAsync(
        RepositoryId repository,
        string commit,
        HubFile file,
        CancellationToken cancelled
    )
    {
        var blob = _cache.Blob(repository, file.Digest);
        if (!_cache.Has(repository, file))
        {
            using var held = await FileLock
                .TakeAsync(
                    _cache.LockFile(repository, file.Digest),
                    () => _observer.Note($"{file.Path}: another pull works on it"),
                    cancelled
                )
                .ConfigureAwait(false);
            if (!_cache.Has(repository, file))
                return await _download
                    .RunAsync(
                        new Download.Wanted(
                            file.Path,
                            _api.FileUri(repository, commit, file.Path),
                            file.Bytes,
                            file.Digest,
                            blob,
                            repository.Page(_settings.Endpoint)
                        ),
                        cancelled
                    )
                    .ConfigureAwait(false);
        }
        return file.Digest.IsSha256 ? file.Digest.Hex : ContentHasher.Sha256Of(blob);
    }

    private PullResult Offline(PullRequest request, LockedRepository? pinned)
    {
        var repository = request.Repository;
        var commit =
            pinned?.Commit
            ?? _cache.Commit(repository, request.Revision)
            ?? throw HubErrors.NotCached(
                repository.ToString(),
                $"its revision {request.Revision} is not in the cache {_cache.Root}"
            );
        var snapshot = _cache.Snapshot(repository, commit);
        if (!Directory.Exists(snapshot))
            throw HubErrors.NotCached(repository.ToString(), $"its commit {commit} is not in the cache {_cache.Root}");
        var wanted =
            pinned?.Files.Where(f => request.Patterns.Wants(f.Path) && !NamePatterns.IsPickle(f.Path)).ToList()
            ??
            [
                .. Directory
                    .EnumerateFiles(snapshot, "*", SearchOption.AllDirectories)
                    .Select(f => Path.GetRelativePath(snapshot, f).Replace('\\', '/'))
                    .Where(f => request.Patterns.Wants(f) && !NamePatterns.IsPickle(f))
                    .Order(StringComparer.Ordinal)
                    .Select(f => new LockedFile(f, LengthOf(Path.Combine(snapshot, f)), "")),
            ];
        var absent = wanted.Where(f => LengthOf(Path.Combine(snapshot, f.Path)) != f.Bytes).ToList();
        if (absent.Count > 0)
            throw HubErrors.NotCached(
                repository.ToString(),
                $"{absent[0].Path} is not in the "
                    + $"cache{(absent.Count > 1 ? $", nor are {absent.Count - 1} more files" : "")}"
            );
        if (wanted.Count == 0)
            throw HubErrors.NotCached(repository.ToString(), "none of its files that are wanted is in the cache");
        var files = wanted
            .Select(f => new PulledFile(f.Path, f.Bytes, f.Sha256.Length > 0 ? f.Sha256 : null, 0))
            .ToList();
        if (!request.DryRun)
            Place(request, commit, files);
        return Result(request, commit, files, []);
    }

    // -1 where there is no such file, or the link leads nowhere.
    private static long LengthOf(string path) =>
        File.Exists(path)
            ? new FileInfo((new FileInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName) ?? path)
                is { Exists: true } file
                ? file.Length
                : -1
            : -1;

    // What the hub itself says of a file is known before a byte of it is fetched.
    private static void CheckPins(PullRequest request, RepositoryListing listing) =>
        CheckPins(
            request,
            listing.Commit,
            listing.Files.Where(f => f.Digest.IsSha256).ToDictionary(f => f.Path, f => f.Digest.Hex)
        );

    private static void CheckPins(PullRequest request, string commit, Dictionary<string, string> hashes)
    {
        foreach (var (path, expected) in request.Pins)
            if (hashes.TryGetValue(path, out var now) && now != expected)
                throw new DamagedFileException(
                    $"{request.Repository}/{path}",
                    $"hashes to {now[..12]}... at commit {commit[..12]}, but {SourceCatalog.FileName} pins "
                        + $"{expected[..12]}...",
                    "a commit never changes: do not trust this source"
                );
    }

    private static void CheckAgainst(
        LockedRepository? pinned,
        RepositoryId repository,
        RepositoryListing listing,
        Dictionary<string, string> hashes
    )
    {
        foreach (var file in pinned?.Files ?? [])
            if (hashes.TryGetValue(file.Path, out var now) && now != file.Sha256)
                throw new DamagedFileException(
                    $"{repository}/{file.Path}",
                    $"hashes to {now[..12]}... "
                        + $"at commit {listing.Commit[..12]}, but {PullLock.FileName} pins {file.Sha256[..12]}...",
                    "a commit never changes: do not trust this source"
                );
    }

    private async Task PinAsync(PullRequest request, string commit, List<PulledFile> files, CancellationToken cancelled)
    {
        if (request.LockFile is not { } path)
            return;
        using var held = await FileLock
            .TakeAsync(Path.Combine(_cache.Root, ".locks", PullLock.FileName + ".lock"), () => { }, cancelled)
            .ConfigureAwait(false);
        PullLock
            .Read(path)
            .With(
                request.Repository,
                request.Revision,
                commit,
                [.. files.Select(f => new LockedFile(f.Path, f.Bytes, f.Sha256!))]
            )
            .Write(path);
    }

    private void Place(PullRequest request, string commit, List<PulledFile> files)
    {
        if (request.To is not { } folder)
            return;
        var snapshot = _cache.Snapshot(request.Repository, commit);
        var problems = new List<InputProblem>();
        var open = new List<PulledFile>();
        foreach (var file in files)
        {
            var target = new FileInfo(Path.Combine(folder, file.Path));
            if (!target.Exists)
                open.Add(file);
            else if (
                target.Length != file.Bytes
                || ContentHasher.Sha256Of(target.FullName)
                    != (file.Sha256 ?? ContentHasher.Sha256Of(Path.Combine(snapshot, file.Path)))
            )
                problems.Add(
                    new InputProblem(
                        target.FullName,
                        0,
                        0,
                        "is there already, with other content",
                        "move it away or choose another folder; nothing was overwritten"
                    )
                );
        }
        if (problems.Count > 0)
            throw new InputException(problems);
        foreach (var file in open)
            Placement.Put(
                Path.Combine(snapshot, file.Path),
                Path.Combine(folder, file.Path),
                link: file.Bytes >= LargeBytes
            );
    }

    private PullResult Result(
        PullRequest request,
        string commit,
        IReadOnlyList<PulledFile> files,
        IReadOnlyList<string> leftOut
    ) =>
        new(
            request.Repository.ToString(),
            request.Revision,
            commit,
            request.To is { } to ? Path.GetFullPath(to) : _cache.Snapshot(request.Repository, commit),
            files,
            leftOut
        );

    private void CheckDisk(string folder, long needed)
    {
        if (needed > 0 && _freeBytes(folder) is var free && free < needed + DiskMargin)
            throw HubErrors.DiskFull(folder, needed, free);
    }

    private static InputException Nothing(PullRequest request, List<string> leftOut) =>
        leftOut.Count > 0
            ? new InputException(
                request.Repository.ToString(),
                $"holds nothing that is wanted, but {leftOut.Count} pickle files, which can run code when loaded",
                "look for a repository with safetensors, or convert it once with the model's own tools"
            )
            : new InputException(
                request.Repository.ToString(),
                "no file matches",
                "--include '*' takes every file; --dry-run lists what is chosen"
            );
}
