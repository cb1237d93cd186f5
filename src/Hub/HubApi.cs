using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Hub;

/// <summary>Asks a hub what a revision holds.</summary>
internal sealed class HubApi(HubHttp http, HubSettings settings, RetryPolicy retry, IPullObserver observer)
{
    private const int MaxListingBytes = 64 << 20;

    /// <summary>The commit behind a revision, and its files.</summary>
    /// <param name="repository">Which.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="wanted">Only files that pass are described in full.</param>
    /// <param name="cancelled">Stops it.</param>
    public async Task<RepositoryListing> ListAsync(
        RepositoryId repository,
        string revision,
        Func<string, bool> wanted,
        CancellationToken cancelled
    )
    {
        var uri = new Uri(
            settings.Endpoint,
            $"{repository.ApiRoute}/revision/{Uri.EscapeDataString(revision)}?blobs=true"
        );
        var subject = $"{repository} at {revision}";
        var text = await retry
            .RunAsync(subject, () => ReadAsync(uri, subject, repository, cancelled), observer, cancelled)
            .ConfigureAwait(false);
        JsonObject root;
        try
        {
            root =
                JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = 64 }) as JsonObject
                ?? throw new JsonException("it is not an object");
        }
        catch (JsonException e)
        {
            throw HubErrors.Listing(subject, e.Message);
        }
        if (ContentDigest.Parse(Text(root["sha"])) is not { IsSha256: false } commit)
            throw HubErrors.Listing(subject, "it names no commit");
        if (root["siblings"] is not JsonArray siblings)
            throw HubErrors.Listing(subject, "it lists no files");
        var files = new Dictionary<string, HubFile>(StringComparer.Ordinal);
        foreach (var sibling in siblings)
        {
            if (Text((sibling as JsonObject)?["rfilename"]) is not { } name)
                throw HubErrors.Listing(subject, "a file has no name");
            if (RelativeName.Complaint(name) is { } complaint)
                throw HubErrors.Listing(subject, $"the file name '{Printable(name)}' {complaint}");
            if (!wanted(name))
                continue;
            var file =
                Described((JsonObject)sibling!, name, subject)
                ?? await AskAsync(repository, commit.Hex, name, cancelled).ConfigureAwait(false);
            if (!files.TryAdd(name, file))
                throw HubErrors.Listing(subject, $"the file '{name}' is listed twice");
        }
        // On a file system that ignores case two such files would overwrite each other.
        if (
            files.Keys.GroupBy(f => f.ToUpperInvariant(), StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is
            { } twins
        )
            throw HubErrors.Listing(subject, $"the file names {string.Join(" and ", twins)} differ in case only");
        return new RepositoryListing(commit.Hex, [.. files.Values.OrderBy(f => f.Path, StringComparer.Ordinal)]);
    }

    /// <summary>Where a file of a commit is served.</summary>
    public Uri FileUri(RepositoryId repository, string commit, string path) =>
        new(
            settings.Endpoint,
            $"{repository.Route}/resolve/{commit}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}"
        );

    private async Task<byte[]> ReadAsync(Uri uri, string subject, RepositoryId repository, CancellationToken cancelled)
    {
        using var response = await http.SendAsync(HttpMethod.Get, uri, subject, settings.EtagTimeout, cancelled)
            .ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw HubErrors.Of(response, subject, repository.Page(settings.Endpoint), settings.Token is not null);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        limit.CancelAfter(settings.DownloadTimeout + settings.DownloadTimeout);
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token).ConfigureAwait(false);
            using var text = new MemoryStream();
            var buffer = new byte[1 << 16];
            for (int n; (n = await body.ReadAsync(buffer, limit.Token).ConfigureAwait(false)) > 0;)
            {
                if (text.Length + n > MaxListingBytes)
                    throw HubErrors.Listing(
                        subject,
                        string.Create(CultureInfo.InvariantCulture, $"it is longer than {MaxListingBytes} bytes")
                    );
                text.Write(buffer, 0, n);
            }
            return text.ToArray();
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new TransientException("the answer stopped half-way");
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new TransientException($"the answer broke off ({HubHttp.Cause(e)})", inner: e);
        }
    }

    private static HubFile? Described(JsonObject file, string name, string subject)
    {
        var large = file["lfs"] as JsonObject;
        if (
            ContentDigest.Parse(Text(large?["sha256"]) ?? Text(large?["oid"]) ?? Text(file["blobId"])) is not { } digest
            || (large?["size"] ?? file["size"]) is not JsonValue size
        )
            return null;
        if (large is not null && !digest.IsSha256)
            throw HubErrors.Listing(subject, $"the large file '{name}' has no SHA-256");
        return size.GetValueKind() == JsonValueKind.Number && size.TryGetValue<long>(out var bytes) && bytes >= 0
            ? new HubFile(name, bytes, digest)
            : throw HubErrors.Listing(subject, $"the file '{name}' has the length {size.ToJsonString()}");
    }

    // Mirrors may list names only; then each file is asked for by itself. What counts stands in the hub's own answer,
    // before it redirects to a store.
    private async Task<HubFile> AskAsync(
        RepositoryId repository,
        string commit,
        string name,
        CancellationToken cancelled
    )
    {
        var subject = $"{repository}/{name}";
        return await retry
            .RunAsync(
                subject,
                async () =>
                {
                    using var response = await http.SendAsync(
                            HttpMethod.Head,
                            FileUri(repository, commit, name),
                            subject,
                            settings.EtagTimeout,
                            cancelled,
                            enough: r => r.Headers.Contains("X-Linked-Etag")
                        )
                        .ConfigureAwait(false);
                    if ((int)response.StatusCode >= 400)
                        throw HubErrors.Of(
                            response,
                            subject,
                            repository.Page(settings.Endpoint),
                            settings.Token is not null
                        );
                    string? Header(string header) =>
                        response.Headers.TryGetValues(header, out var values) ? values.FirstOrDefault() : null;
                    if (Header("X-Repo-Commit") is { } served && served != commit)
                        throw HubErrors.Listing(subject, $"it is served from commit {Printable(served)}, not {commit}");
                    var digest = ContentDigest.Parse(
                        (Header("X-Linked-Etag") ?? response.Headers.ETag?.Tag)?.Trim('"')
                    );
                    var bytes = long.TryParse(
                        Header("X-Linked-Size"),
                        NumberStyles.None,
                        CultureInfo.InvariantCulture,
                        out var linked
                    )
                        ? linked
                        : response.Content.Headers.ContentLength;
                    return digest is not null && bytes is { } length
                        ? new HubFile(name, length, digest)
                        : throw HubErrors.Listing(subject, "neither its hash nor its length is named");
                },
                observer,
                cancelled
            )
            .ConfigureAwait(false);
    }

    private static string? Text(JsonNode? node) => node is JsonValue v && v.TryGetValue<string>(out var s) ? s : null;

    private static string Printable(string text) =>
        new([.. text.Take(80).Select(c => c is >= ' ' and not '\u007f' ? c : '?')]);
}
