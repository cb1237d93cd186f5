using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// Fetches one file whose length and hash are known, going on where an earlier attempt stopped, and gives it its name
/// only when it is whole and right.
/// </summary>
internal sealed class Download(HubHttp http, HubSettings settings, RetryPolicy retry, IPullObserver observer)
{
    private const int BufferBytes = 1 << 18;

    /// <summary>What to fetch.</summary>
    /// <param name="Name">For messages.</param>
    /// <param name="Uri">Where it is served.</param>
    /// <param name="Bytes">Its length.</param>
    /// <param name="Digest">Its hash.</param>
    /// <param name="Target">Where it goes.</param>
    /// <param name="Page">Where its licence can be accepted, or null.</param>
    public sealed record Wanted(string Name, Uri Uri, long Bytes, ContentDigest Digest, string Target, Uri? Page);

    /// <summary>Fetches a file. The caller holds its lock.</summary>
    /// <returns>SHA-256 of its content.</returns>
    /// <exception cref="DamagedFileException">What the server sends is not what was announced.</exception>
    /// <exception cref="ResourceUnavailableException">Network, server or disk fail.</exception>
    public async Task<string> RunAsync(Wanted wanted, CancellationToken cancelled)
    {
        using var partial = new PartialFile(wanted.Target, wanted.Bytes, wanted.Digest);
        observer.Started(wanted.Name, wanted.Bytes, partial.Length);
        for (var resumed = partial.Length > 0; ; resumed = false)
        {
            await retry
                .RunAsync(wanted.Name, () => AttemptAsync(wanted, partial, cancelled), observer, cancelled)
                .ConfigureAwait(false);
            var (sha256, blob) = partial.Hashes();
            var found = wanted.Digest.IsSha256 ? sha256 : blob!;
            if (found == wanted.Digest.Hex)
            {
                partial.Publish();
                observer.Finished(wanted.Name);
                return sha256;
            }
            TakeBack(wanted, partial);
            // An old beginning and a new end make a wrong whole: that deserves one fresh try. A whole from one piece
            // does not.
            if (!resumed)
                throw HubErrors.WrongHash(wanted.Name, wanted.Digest.Hex, found);
            observer.Note($"{wanted.Name}: what was there before does not fit; fetched again from the start");
        }
    }

    private async Task<bool> AttemptAsync(Wanted wanted, PartialFile partial, CancellationToken cancelled)
    {
        if (partial.Length == wanted.Bytes)
            return true;
        var from = partial.Length;
        using var response = await http.SendAsync(
                HttpMethod.Get,
                wanted.Uri,
                wanted.Name,
                settings.DownloadTimeout,
                cancelled,
                headers =>
                {
                    if (from == 0)
                        return;
                    headers.Range = new RangeHeaderValue(from, null);
                    if (partial.Mark is { } mark)
                        headers.IfRange = new RangeConditionHeaderValue(new EntityTagHeaderValue(mark));
                }
            )
            .ConfigureAwait(false);
        CheckStatus(wanted, partial, response);
        var before = partial.Length;
        if (response.Content.Headers.ContentLength is { } announced && announced > wanted.Bytes - before)
        {
            TakeBack(wanted, partial);
            throw HubErrors.WrongLength(
                wanted.Name,
                wanted.Bytes,
                string.Create(CultureInfo.InvariantCulture, $"{before + announced}")
            );
        }
        partial.SetMark(response.Headers.ETag is { IsWeak: false } etag ? etag.Tag : null);
        await CopyAsync(wanted, partial, response, cancelled).ConfigureAwait(false);
        return partial.Length == wanted.Bytes
            ? true
            : throw new TransientException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the connection ended after {partial.Length} of {wanted.Bytes} bytes"
                ),
                received: partial.Length - before
            );
    }

    // Whether the answer goes on where the partial file ends; what does not fit is taken back.
    private void CheckStatus(Wanted wanted, PartialFile partial, HttpResponseMessage response)
    {
        var from = partial.Length;
        switch (response.StatusCode)
        {
            case HttpStatusCode.RequestedRangeNotSatisfiable when from > 0:
                TakeBack(wanted, partial);
                throw new TransientException("the server no longer has the part that is missing; from the start");
            case HttpStatusCode.PartialContent
                when from == 0
                    || response.Content.Headers.ContentRange is not { From: { } first } range
                    || first != from
                    || (range.Length ?? wanted.Bytes) != wanted.Bytes:
                TakeBack(wanted, partial);
                throw new TransientException("the server sent another part than was asked for; from the start");
            case HttpStatusCode.PartialContent:
                break;
            case HttpStatusCode.OK when from > 0:
                // The server ignores ranges, or the file's version changed since.
                TakeBack(wanted, partial);
                break;
            case HttpStatusCode.OK:
                break;
            default:
                throw HubErrors.Of(
                    response,
                    wanted.Name,
                    wanted.Page,
                    settings.Token is not null && http.IsHub(wanted.Uri)
                );
        }
    }

    private async Task CopyAsync(
        Wanted wanted,
        PartialFile partial,
        HttpResponseMessage response,
        CancellationToken cancelled
    )
    {
        var before = partial.Length;
        var buffer = new byte[BufferBytes];
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        try
        {
            await using var body = await response.Content.ReadAsStreamAsync(cancelled).ConfigureAwait(false);
            while (true)
            {
                silence.CancelAfter(settings.DownloadTimeout);
                var n = await body.ReadAsync(buffer, silence.Token).ConfigureAwait(false);
                if (n == 0)
                    return;
                if (partial.Length + n > wanted.Bytes)
                {
                    TakeBack(wanted, partial);
                    throw HubErrors.WrongLength(wanted.Name, wanted.Bytes, "more");
                }
                partial.Append(buffer.AsSpan(0, n));
                observer.Advanced(wanted.Name, n);
            }
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new TransientException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"nothing arrived for {settings.DownloadTimeout.TotalSeconds:0.#} s"
                ),
                received: partial.Length - before
            );
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new TransientException(
                $"the connection broke off ({HubHttp.Cause(e)})",
                received: partial.Length - before,
                inner: e
            );
        }
    }

    private void TakeBack(Wanted wanted, PartialFile partial)
    {
        observer.Advanced(wanted.Name, -partial.Length);
        partial.Reset();
    }
}
