using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// What the environment says about the hub. The names are the ones every tool around Hugging Face reads.
/// </summary>
public sealed record HubSettings
{
    private const string PublicHub = "https://huggingface.co";
    private static readonly string[] True = ["1", "ON", "YES", "TRUE"];

    /// <summary>Base address: <c>HF_ENDPOINT</c>, else the hub itself. Ends with a slash.</summary>
    public Uri Endpoint { get; init; } = new(PublicHub + "/");

    /// <summary>Folder of all repositories: <c>HF_HUB_CACHE</c>, else <c>$HF_HOME/hub</c>.</summary>
    public required string Cache { get; init; }

    /// <summary>
    /// <c>HF_TOKEN</c>, else the content of <c>HF_TOKEN_PATH</c>, by default <c>$HF_HOME/token</c>; null where there is
    /// none or <c>HF_HUB_DISABLE_IMPLICIT_TOKEN</c> is set.
    /// </summary>
    public string? Token { get; init; }

    /// <summary><c>HF_HUB_OFFLINE</c>: nothing is sent.</summary>
    public bool Offline { get; init; }

    /// <summary><c>HF_HUB_DOWNLOAD_TIMEOUT</c> [s]: how long a server may keep silent inside a download.</summary>
    public TimeSpan DownloadTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary><c>HF_HUB_ETAG_TIMEOUT</c> [s]: how long a server may take to answer a question about a file.</summary>
    public TimeSpan EtagTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Not <c>HF_HUB_DISABLE_PROGRESS_BARS</c>.</summary>
    public bool ShowProgress { get; init; } = true;

    /// <summary>Reads the environment.</summary>
    /// <param name="read">A variable by name; null where it is not set.</param>
    /// <param name="home">The user's folder.</param>
    /// <exception cref="InputException">A variable holds something that cannot be meant; all are listed.</exception>
    public static HubSettings FromEnvironment(Func<string, string?> read, string home)
    {
        ArgumentNullException.ThrowIfNull(read);
        var problems = new List<InputProblem>();
        string? Text(string name) => read(name) is { Length: > 0 } value ? value : null;
        string? Folder(string name) =>
            Text(name) is { } path
                ? Path.GetFullPath(
                    path == "~" ? home
                    : path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, path[2..])
                    : path
                )
                : null;
        bool Flag(string name) => True.Contains(Text(name)?.ToUpperInvariant());
        var root =
            Folder("HF_HOME") ?? Path.Combine(Folder("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache"), "huggingface");
        TimeSpan Seconds(string name)
        {
            if (Text(name) is not { } text)
                return TimeSpan.FromSeconds(10);
            if (double.TryParse(text, out var s) && s is > 0 and <= 86400)
                return TimeSpan.FromSeconds(s);
            problems.Add(new InputProblem(name, 0, 0, $"is '{text}', not a number of seconds"));
            return TimeSpan.FromSeconds(10);
        }
        var (download, etag) = (Seconds("HF_HUB_DOWNLOAD_TIMEOUT"), Seconds("HF_HUB_ETAG_TIMEOUT"));
        var endpoint = EndpointOf(Text("HF_ENDPOINT") ?? PublicHub, problems);
        var token = Flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")
            ? null
            : Text("HF_TOKEN") ?? FromFile(Folder("HF_TOKEN_PATH") ?? Path.Combine(root, "token"));
        token = token?.Trim() is { Length: > 0 } trimmed ? trimmed : null;
        // What the token is does not belong on a screen or in a log.
        if (token is not null && token.Any(c => c is <= ' ' or > '~'))
            problems.Add(
                new InputProblem(
                    "HF_TOKEN",
                    0,
                    0,
                    "holds characters that no token has",
                    "copy it again from the settings page of the hub"
                )
            );
        return problems.Count > 0
            ? throw new InputException(problems)
            : new HubSettings
            {
                Endpoint = endpoint,
                Cache = Folder("HF_HUB_CACHE") ?? Folder("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(root, "hub"),
                Token = token,
                Offline = Flag("HF_HUB_OFFLINE"),
                DownloadTimeout = download,
                EtagTimeout = etag,
                ShowProgress = !Flag("HF_HUB_DISABLE_PROGRESS_BARS"),
            };
    }

    private static Uri EndpointOf(string address, List<InputProblem> problems)
    {
        if (
            Uri.TryCreate(address.TrimEnd('/') + "/", UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && uri.UserInfo.Length == 0
            && uri.Query.Length == 0
        )
            return uri;
        problems.Add(
            new InputProblem(
                "HF_ENDPOINT",
                0,
                0,
                $"is '{address}', not the address of a hub",
                $"for example {PublicHub}"
            )
        );
        return new Uri(PublicHub + "/");
    }

    private static string? FromFile(string path)
    {
        try
        {
            return File.Exists(path) && new FileInfo(path).Length < 4096 ? File.ReadAllText(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // a token that cannot be read is no token; a gated repository will say so
        }
    }
}
