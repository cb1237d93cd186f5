using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A hub on loopback that misbehaves when asked to: plain sockets, so that it can say one length and send another.
/// </summary>
public sealed class HubServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Request> _requests = [];

    /// <summary>One request as it came.</summary>
    public sealed record Request(string Method, string Path, IReadOnlyDictionary<string, string> Headers)
    {
        public string? Header(string name) => Headers.GetValueOrDefault(name.ToLowerInvariant());
    }

    /// <summary>An answer: what the headers say and what really follows.</summary>
    public sealed record Answer(int Status, byte[] Body)
    {
        /// <summary>Besides Content-Length.</summary>
        public Dictionary<string, string> Headers { get; init; } = [];

        /// <summary>Bytes that are sent before the connection is closed; all when null.</summary>
        public int? CutAt { get; init; }

        /// <summary>The length that is announced; that of the body when null.</summary>
        public long? Announced { get; init; }

        /// <summary>Silence before the headers.</summary>
        public TimeSpan Delay { get; init; }

        /// <summary>Silence after the bytes that <see cref="CutAt"/> lets pass.</summary>
        public TimeSpan Stall { get; init; }
    }

    public HubServer()
    {
        _listener.Start();
        Endpoint = new Uri(
            string.Create(
                CultureInfo.InvariantCulture,
                $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"
            )
        );
        _ = Task.Run(AcceptAsync);
    }

    public Uri Endpoint { get; }

    /// <summary>
    /// Asked before the usual answer: null lets that through. Gets the request and how often its method and path came
    /// before.
    /// </summary>
    public Func<Request, int, Answer?> Misbehave { get; set; } = (_, _) => null;

    /// <summary>Repositories: route such as <c>models/org/name</c> to commit and files.</summary>
    public Dictionary<string, (string Commit, Dictionary<string, byte[]> Files)> Repositories { get; } =
        new(StringComparer.Ordinal);

    /// <summary>Which files are described as large ones, by SHA-256.</summary>
    public Func<string, bool> IsLarge { get; set; } = name => name.EndsWith(".safetensors", StringComparison.Ordinal);

    /// <summary>Everything that was asked.</summary>
    public IReadOnlyList<Request> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests];
        }
    }

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    public static string GitBlob(byte[] content)
    {
        byte[] blob =
        [
            .. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {content.Length}\0")),
            .. content,
        ];
#pragma warning disable CA5350 // git's own choice
        return Convert.ToHexStringLower(SHA1.HashData(blob));
#pragma warning restore CA5350
    }

    public static Answer Text(int status, string text) => new(status, Encoding.UTF8.GetBytes(text));

    /// <summary>A repository's description, as the hub gives it.</summary>
    public JsonObject Listing(string route) =>
        new()
        {
            ["id"] = route[(route.IndexOf('/', StringComparison.Ordinal) + 1)..],
            ["sha"] = Repositories[route].Commit,
            ["siblings"] = new JsonArray([.. Repositories[route].Files.Select(f => Sibling(f.Key, f.Value))]),
        };

    private JsonObject Sibling(string name, byte[] content)
    {
        var file = new JsonObject
        {
            ["rfilename"] = name,
            ["size"] = content.Length,
            ["blobId"] = GitBlob(content),
        };
        if (IsLarge(name))
            file["lfs"] = new JsonObject
            {
                ["sha256"] = Sha256(content),
                ["size"] = content.Length,
                ["pointerSize"] = 134,
            };
        return file;
    }

    /// <summary>The honest answer: the listing, a file, a part of a file.</summary>
    public Answer Usual(Request request)
    {
        var path = Uri.UnescapeDataString(request.Path.Split('?')[0].TrimStart('/'));
        foreach (var (route, (commit, files)) in Repositories)
        {
            if (path == $"api/{route}/revision/main" || path == $"api/{route}/revision/{commit}")
                return Text(200, Listing(route).ToJsonString());
            var prefix =
                (route.StartsWith("models/", StringComparison.Ordinal) ? route[7..] : route) + $"/resolve/{commit}/";
            if (
                path.StartsWith(prefix, StringComparison.Ordinal)
                && files.TryGetValue(path[prefix.Length..], out var content)
            )
                return Part(request, content, $"\"{Sha256(content)}\"", commit);
        }
        return new Answer(404, [])
        {
            Headers =
            {
                ["X-Error-Code"] = path.Contains("/resolve/", StringComparison.Ordinal)
                    ? "EntryNotFound"
                    : "RepoNotFound",
            },
        };
    }

    /// <summary>A file, or the part that is asked for if the version still is the one the caller knows.</summary>
    public static Answer Part(Request request, byte[] content, string etag, string? commit = null)
    {
        ArgumentNullException.ThrowIfNull(request);
        var headers = new Dictionary<string, string> { ["ETag"] = etag };
        if (commit is not null)
            (headers["X-Repo-Commit"], headers["X-Linked-Etag"], headers["X-Linked-Size"]) = (
                commit,
                etag,
                content.Length.ToString(CultureInfo.InvariantCulture)
            );
        if (request.Header("Range") is not { } range || request.Header("If-Range") is { } mark && mark != etag)
            return new Answer(200, content) { Headers = headers };
        var from = int.Parse(range.Split('=')[1].TrimEnd('-'), CultureInfo.InvariantCulture);
        if (from >= content.Length)
            return new Answer(416, []) { Headers = headers };
        headers["Content-Range"] = string.Create(
            CultureInfo.InvariantCulture,
            $"bytes {from}-{content.Length - 1}/{content.Length}"
        );
        return new Answer(206, content[from..]) { Headers = headers };
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII);
                var first = (await reader.ReadLineAsync() ?? "").Split(' ');
                if (first.Length < 2)
                    return;
                var headers = new Dictionary<string, string>();
                while (await reader.ReadLineAsync() is { Length: > 0 } line)
                {
                    var colon = line.IndexOf(':', StringComparison.Ordinal);
                    headers[line[..colon].ToLowerInvariant()] = line[(colon + 1)..].Trim();
                }
                var request = new Request(first[0], first[1], headers);
                int before;
                lock (_requests)
                {
                    before = _requests.Count(r => (r.Method, r.Path) == (request.Method, request.Path));
                    _requests.Add(request);
                }
                await SendAsync(stream, request, Misbehave(request, before) ?? Usual(request));
            }
        }
        catch (Exception e)
            when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The caller hung up.
        }
    }

    private async Task SendAsync(NetworkStream stream, Request request, Answer answer)
    {
        if (answer.Delay > TimeSpan.Zero)
            await Task.Delay(answer.Delay, _stop.Token);
        var head = new StringBuilder(
            string.Create(
                CultureInfo.InvariantCulture,
                $"HTTP/1.1 {answer.Status} {(HttpStatusCode)answer.Status}\r\nContent-Length: "
                    + $"{answer.Announced ?? answer.Body.Length}\r\nConnection: close\r\n"
            )
        );
        foreach (var (name, value) in answer.Headers)
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
        if (request.Method == "HEAD")
            return;
        await stream.WriteAsync(answer.Body.AsMemory(0, answer.CutAt ?? answer.Body.Length));
        await stream.FlushAsync();
        if (answer.Stall > TimeSpan.Zero)
            await Task.Delay(answer.Stall, _stop.Token);
    }
}
