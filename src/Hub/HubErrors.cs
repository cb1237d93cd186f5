using System.Globalization;
using System.Net;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>The words for everything that can go wrong with a hub: what happened, and one thing to do.</summary>
internal static class HubErrors
{
    public const string NetworkHint =
        "check the connection, HF_ENDPOINT and the proxy; run the same command again, it goes on where it stopped";

    /// <summary>What an answer that is not a success means.</summary>
    /// <param name="response">The answer; its headers name the hub's own error code.</param>
    /// <param name="subject">What was asked for.</param>
    /// <param name="page">Where a licence can be accepted; null for files outside the hub.</param>
    /// <param name="hasToken">Whether a token was sent.</param>
    public static Exception Of(HttpResponseMessage response, string subject, Uri? page, bool hasToken)
    {
        var code = response.Headers.TryGetValues("X-Error-Code", out var values) ? values.FirstOrDefault() : null;
        var token = hasToken
            ? "the token that is set has no access: check HF_TOKEN"
            : "set HF_TOKEN to a token of your account";
        return (response.StatusCode, code) switch
        {
            (_, "RepoNotFound") => new InputException(
                subject,
                "there is no such repository, or it is private",
                $"check the spelling; for a private one {token}"
            ),
            (_, "RevisionNotFound") => new InputException(
                subject,
                "has no such revision",
                "--revision takes a branch, a tag or a commit"
            ),
            (_, "EntryNotFound") => new InputException(subject, "has no such file at this revision"),
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, _) when page is not null =>
                new ResourceUnavailableException(
                    $"{subject}: access is restricted ({(int)response.StatusCode})"
                        + $"\n  hint: accept the licence on {page}, then {token}"
                ),
            (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden, _) => new ResourceUnavailableException(
                $"{subject}: the server refuses it ({(int)response.StatusCode})"
            ),
            (HttpStatusCode.NotFound or HttpStatusCode.Gone, _) => new InputException(
                subject,
                "the server has no such thing",
                "check the name and the revision"
            ),
            _ => new ResourceUnavailableException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{subject}: the server answered "
                        + $"{(int)response.StatusCode} {response.ReasonPhrase}\n  hint: {NetworkHint}"
                )
            ),
        };
    }

    public static DamagedFileException WrongHash(string file, string expected, string found) =>
        new(
            file,
            $"hashes to {found[..12]}..., not to {expected[..12]}... as announced",
            "nothing was kept; try again, and if it stays so do not trust this source"
        );

    public static DamagedFileException WrongLength(string file, long expected, string found) =>
        new(
            file,
            string.Create(CultureInfo.InvariantCulture, $"has {found}, not {expected} bytes as announced"),
            "nothing was kept; try again, and if it stays so do not trust this source"
        );

    public static DamagedFileException Listing(string subject, string problem) =>
        new(
            subject,
            "the server's description of it makes no sense: " + problem,
            "check HF_ENDPOINT; nothing was downloaded"
        );

    public static ResourceUnavailableException NotCached(string subject, string missing) =>
        new(
            $"{subject}: HF_HUB_OFFLINE is set, and {missing}\n  hint: run the same command once without HF_HUB_OFFLINE"
        );

    public static ResourceUnavailableException DiskFull(string folder, long needed, long free) =>
        new(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {needed / 1e9:0.0} GB are needed, {free / 1e9:0.0} GB are free\n  hint: set HF_HOME to "
                    + $"a folder on a larger disk, or fetch less with --include"
            )
        );

    public static ResourceUnavailableException CannotWrite(string path, Exception cause) =>
        new(
            $"{path}: cannot be written: {cause.Message}\n  hint: free space or set HF_HOME to another folder; "
                + "what has arrived is kept",
            cause
        );
}
