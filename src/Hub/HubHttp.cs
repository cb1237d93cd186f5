using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// Sends requests and follows redirects by hand: the token goes to the hub's own address and to no other.
/// </summary>
internal sealed class HubHttp : IDisposable
{
    private const int MaxRedirects = 10;
    private static readonly HttpStatusCode[] Passing =
    [
        HttpStatusCode.RequestTimeout,
        (HttpStatusCode)425,
        HttpStatusCode.TooManyRequests,
        HttpStatusCode.InternalServerError,
        HttpStatusCode.BadGateway,
        HttpStatusCode.ServiceUnavailable,
        HttpStatusCode.GatewayTimeout,
    ];

    private readonly HubSettings _settings;
    private readonly RetryPolicy _retry;
    private readonly HttpClient _client;

    /// <param name="settings">Endpoint and token.</param>
    /// <param name="retry">Its clock reads what servers ask for.</param>
    /// <param name="handler">What sends; null for the real network. Must not follow redirects itself.</param>
    public HubHttp(HubSettings settings, RetryPolicy retry, HttpMessageHandler? handler)
    {
        _settings = settings;
        _retry = retry;
        _client = new HttpClient(handler ?? DefaultHandler(), disposeHandler: handler is null)
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("edit-unlearn", "0.1"));
        // Lengths and ranges are those of the file only while nobody compresses on the way.
        _client.DefaultRequestHeaders.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
    }

    /// <summary>The handler of the real network.</summary>
    public static SocketsHttpHandler DefaultHandler() =>
        new()
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            MaxResponseHeadersLength = 64,
        };

    /// <summary>Sends a request and returns the answer once its headers are there.</summary>
    /// <param name="method">GET or HEAD.</param>
    /// <param name="uri">Where to.</param>
    /// <param name="subject">For messages.</param>
    /// <param name="timeout">How long the headers may take, each hop.</param>
    /// <param name="cancelled">Stops it.</param>
    /// <param name="range">Adds headers that ask for a part.</param>
    /// <param name="enough">Looks at a redirect and says whether it already answers the question.</param>
    /// <exception cref="TransientException">The network or the server failed in a way that may pass.</exception>
    /// <exception cref="ResourceUnavailableException">The redirects lead nowhere good.</exception>
    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        Uri uri,
        string subject,
        TimeSpan timeout,
        CancellationToken cancelled,
        Action<HttpRequestHeaders>? range = null,
        Func<HttpResponseMessage, bool>? enough = null
    )
    {
        for (var hop = 0; ; hop++)
        {
            if (hop > MaxRedirects)
                throw new ResourceUnavailableException(
                    $"{subject}: more than {MaxRedirects} redirects, the last to {uri.Host}\n  hint: check HF_ENDPOINT"
                );
            var response = await HopAsync(method, uri, subject, timeout, range, cancelled).ConfigureAwait(false);
            if (
                response.StatusCode
                    is not (
                        HttpStatusCode.MovedPermanently
                        or HttpStatusCode.Found
                        or HttpStatusCode.SeeOther
                        or HttpStatusCode.TemporaryRedirect
                        or HttpStatusCode.PermanentRedirect
                    )
                || response.Headers.Location is not { } location
                || enough?.Invoke(response) == true
            )
                return Checked(response);
            response.Dispose();
            var next = location.IsAbsoluteUri ? location : new Uri(uri, location);
            if (next.Scheme is not ("http" or "https") || (uri.Scheme == "https" && next.Scheme == "http"))
                throw new ResourceUnavailableException(
                    $"{subject}: {uri.Host} redirects to {next.Scheme}://{next.Host}, which is not followed"
                        + "\n  hint: check HF_ENDPOINT"
                );
            uri = next;
        }
    }

    /// <summary>Whether the token may be sent there.</summary>
    public bool IsHub(Uri uri) =>
        (uri.Scheme, uri.IdnHost, uri.Port)
        == (_settings.Endpoint.Scheme, _settings.Endpoint.IdnHost, _settings.Endpoint.Port);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task<HttpResponseMessage> HopAsync(
        HttpMethod method,
        Uri uri,
        string subject,
        TimeSpan timeout,
        Action<HttpRequestHeaders>? range,
        CancellationToken cancelled
    )
    {
        using var request = new HttpRequestMessage(method, uri);
        if (_settings.Token is { } token && IsHub(uri))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        range?.Invoke(request.Headers);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        limit.CancelAfter(timeout);
        try
        {
            return await _client
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token)
                .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new TransientException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{uri.Host} did not answer within {timeout.TotalSeconds:0.#} s"
                )
            );
        }
        catch (HttpRequestException e)
        {
            throw new TransientException($"{uri.Host} cannot be reached ({Cause(e)})", inner: e, unreachable: true);
        }
    }

    private HttpResponseMessage Checked(HttpResponseMessage response)
    {
        if (!Passing.Contains(response.StatusCode))
            return response;
        using (response)
            throw new TransientException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the server answered {(int)response.StatusCode} {response.ReasonPhrase}"
                ),
                _retry.Asked(response.Headers.RetryAfter)
            );
    }

    internal static string Cause(Exception e) =>
        e.GetBaseException() is SocketException s
            ? s.SocketErrorCode.ToString()
            : e.GetBaseException().Message.TrimEnd('.');
}
