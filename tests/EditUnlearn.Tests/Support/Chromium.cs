using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A fact that needs a browser: <c>chromium</c> on the path, installed by the test itself only when
/// <c>EU_INSTALL_CHROMIUM=1</c> or as root on CI.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ChromiumFactAttribute : FactAttribute
{
    public ChromiumFactAttribute() =>
        Skip = Chromium.Program is null
            ? "not installed: chromium (EU_INSTALL_CHROMIUM=1 as root installs Debian's package)"
            : null;
}

/// <summary>A headless browser that is driven through its debugging protocol, with real key events.</summary>
public sealed class Chromium : IDisposable
{
    private static readonly Lazy<string?> Found = new(FindOrInstall);
    private readonly TemporaryFolder _profile = new();
    private readonly Process _process;
    private readonly ClientWebSocket _socket = new();
    private readonly List<string> _complaints = [];
    private int _id;

    private Chromium(string page)
    {
        _process = Process.Start(
            new ProcessStartInfo(
                Program!,
                [
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--disable-dev-shm-usage",
                    "--hide-scrollbars",
                    "--remote-debugging-port=0",
                    $"--user-data-dir={_profile.Path}",
                    new Uri(page).AbsoluteUri,
                ]
            )
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            }
        )!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
    }

    /// <summary>The browser's path; null where there is none.</summary>
    public static string? Program => Found.Value;

    /// <summary>
    /// Errors and warnings of the page's console so far, failed loads and scripts that were not let run among them.
    /// </summary>
    public async Task<IReadOnlyList<string>> ComplaintsAsync()
    {
        // Both tell what came before they were asked.
        await SendAsync("Runtime.enable", []);
        await SendAsync("Log.enable", []);
        await EvaluateAsync("1");
        return _complaints;
    }

    /// <summary>Shows the page as a medium or with a preference would: <c>print</c>, <c>dark</c>.</summary>
    public Task EmulateAsync(string media = "", string scheme = "light") =>
        SendAsync(
            "Emulation.setEmulatedMedia",
            new JsonObject
            {
                ["media"] = media,
                ["features"] = new JsonArray(
                    new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = scheme }
                ),
            }
        );

    /// <summary>Gives the page's window a size.</summary>
    public Task ResizeAsync(int width, int height) =>
        SendAsync(
            "Emulation.setDeviceMetricsOverride",
            new JsonObject
            {
                ["width"] = width,
                ["height"] = height,
                ["deviceScaleFactor"] = 1,
                ["mobile"] = false,
            }
        );

    /// <summary>Opens a page from a file and waits until it is there.</summary>
    public static async Task<Chromium> OpenAsync(string page)
    {
        var browser = new Chromium(page);
        var port = browser._profile["DevToolsActivePort"];
        var clock = Stopwatch.StartNew();
        while (!File.Exists(port) || (await File.ReadAllTextAsync(port)).Length == 0)
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60) || browser._process.HasExited)
                throw new InvalidOperationException("the browser did not start");
            await Task.Delay(50);
        }
        using var http = new HttpClient();
        while (true)
        {
            var targets = JsonNode
                .Parse(
                    await http.GetStringAsync(
                        new Uri($"http://127.0.0.1:{(await File.ReadAllLinesAsync(port))[0]}/json/list")
                    )
                )!
                .AsArray();
            if (
                targets.FirstOrDefault(t =>
                    (string?)t!["type"] == "page" && ((string?)t["url"])!.StartsWith("file:", StringComparison.Ordinal)
                ) is
                { } target
            )
            {
                await browser._socket.ConnectAsync(
                    new Uri((string)target["webSocketDebuggerUrl"]!),
                    CancellationToken.None
                );
                break;
            }
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                throw new InvalidOperationException("the page did not open");
            await Task.Delay(50);
        }
        // The target has its address before its document.
        while (
            await browser.EvaluateAsync("location.protocol === 'file:' && document.readyState === 'complete'") != "true"
        )
            await Task.Delay(20);
        return browser;
    }

    /// <summary>The value of an expression, as text; a promise is waited for.</summary>
    public async Task<string> EvaluateAsync(string script)
    {
        var answer = await SendAsync(
            "Runtime.evaluate",
            new JsonObject
            {
                ["expression"] = $"(async () => String(await ({script})))()",
                ["returnByValue"] = true,
                ["awaitPromise"] = true,
            }
        );
        if (answer["exceptionDetails"] is { } failed)
            throw new InvalidOperationException(failed.ToJsonString());
        return (string)answer["result"]!["value"]!;
    }

    /// <summary>Presses keys one after the other; a name such as <c>ArrowRight</c>, or a character.</summary>
    public async Task PressAsync(params string[] keys)
    {
        foreach (var key in keys)
        {
            var down = new JsonObject
            {
                ["type"] = "keyDown",
                ["key"] = key,
                ["code"] = key.Length == 1 && char.IsAsciiDigit(key[0]) ? "Digit" + key : key,
            };
            if (key.Length == 1)
                down["text"] = key;
            await SendAsync("Input.dispatchKeyEvent", down);
            await SendAsync("Input.dispatchKeyEvent", new JsonObject { ["type"] = "keyUp", ["key"] = key });
        }
    }

    /// <summary>Lets downloads land in a folder.</summary>
    public Task DownloadToAsync(string folder) =>
        SendAsync("Browser.setDownloadBehavior", new JsonObject { ["behavior"] = "allow", ["downloadPath"] = folder });

    /// <summary>Sets a file of an input element, as its dialog would.</summary>
    public async Task ChooseFileAsync(string selector, string file)
    {
        var root = await SendAsync("DOM.getDocument", []);
        var node = await SendAsync(
            "DOM.querySelector",
            new JsonObject { ["nodeId"] = (int)root["root"]!["nodeId"]!, ["selector"] = selector }
        );
        await SendAsync(
            "DOM.setFileInputFiles",
            new JsonObject { ["files"] = new JsonArray(file), ["nodeId"] = (int)node["nodeId"]! }
        );
    }

    /// <summary>A picture of the page at a width.</summary>
    public async Task<byte[]> PictureAsync(int width, int height)
    {
        await ResizeAsync(width, height);
        return Convert.FromBase64String((string)(await SendAsync("Page.captureScreenshot", []))["data"]!);
    }

    /// <summary>One command of the protocol.</summary>
    public async Task<JsonObject> SendAsync(string method, JsonObject parameters)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var id = ++_id;
        await _socket.SendAsync(
            Encoding.UTF8.GetBytes(
                new JsonObject
                {
                    ["id"] = id,
                    ["method"] = method,
                    ["params"] = parameters,
                }.ToJsonString()
            ),
            WebSocketMessageType.Text,
            true,
            limit.Token
        );
        var buffer = new byte[1 << 16];
        while (true)
        {
            using var message = new MemoryStream();
            WebSocketReceiveResult part;
            do
            {
                part = await _socket.ReceiveAsync(buffer, limit.Token);
                message.Write(buffer, 0, part.Count);
            } while (!part.EndOfMessage);
            var answer = JsonNode.Parse(message.ToArray())!.AsObject();
            if ((int?)answer["id"] != id)
            {
                Hear(answer);
                continue;
            }
            if (answer["error"] is { } error)
                throw new InvalidOperationException($"{method}: {error.ToJsonString()}");
            return answer["result"]!.AsObject();
        }
    }

    private void Hear(JsonObject happened)
    {
        var told = happened["params"];
        var complaint = (string?)happened["method"] switch
        {
            "Runtime.exceptionThrown" => told,
            "Runtime.consoleAPICalled" when (string?)told!["type"] is "error" or "warning" or "assert" => told,
            "Log.entryAdded" when (string?)told!["entry"]!["level"] is "error" or "warning" => told,
            _ => null,
        };
        if (complaint is not null)
            _complaints.Add(complaint.ToJsonString());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _profile.Dispose();
    }

    private static string? FindOrInstall()
    {
        string? Find() =>
            (Environment.GetEnvironmentVariable("PATH") ?? "")
                .Split(Path.PathSeparator)
                .SelectMany(f => (string[])[Path.Combine(f, "chromium"), Path.Combine(f, "chromium-browser")])
                .FirstOrDefault(File.Exists);
        if (Find() is { } there)
            return there;
        var asked =
            Environment.GetEnvironmentVariable("EU_INSTALL_CHROMIUM") == "1"
            || Environment.GetEnvironmentVariable("CI") == "true";
        if (!asked || Environment.UserName != "root" || !File.Exists("/usr/bin/apt-get"))
            return null;
        using var install = Process.Start(
            new ProcessStartInfo(
                "/bin/sh",
                [
                    "-c",
                    "apt-get -qq -o DPkg::Lock::Timeout=300 update && DEBIAN_FRONTEND=noninteractive apt-get -qq -o "
                        + "DPkg::Lock::Timeout=300 install -y --no-install-recommends chromium fonts-dejavu-core "
                        + ">/dev/null 2>&1",
                ]
            )
        )!;
        install.WaitForExit();
        return Find();
    }
}
