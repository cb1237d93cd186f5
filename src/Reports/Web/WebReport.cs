using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.Reports.Web;

/// <summary>
/// The report as one page: a file that needs no network, no server and nothing installed but a browser.
/// </summary>
/// <remarks>
/// Texts of models and of users are hostile. None of them is ever part of the markup: all data stands in the page as
/// base64 of compressed JSON, the page's code shows it as text only, and a content security policy lets no script run
/// but the page's own, by their hashes, and nothing load from anywhere.
/// </remarks>
public static class WebReport
{
    private const string Prefix = "EditUnlearn.Reports.Web.";

    // In this order: what a file uses stands before it.
    private static readonly string[] Parts =
    [
        "uplot.uPlot.iife.min.js",
        "dagre.dagre.min.js",
        "sortable.sortable.min.js",
    ];
    private static readonly string[] Own =
    [
        "dom",
        "data",
        "provenance",
        "summary",
        "tables",
        "figures",
        "search",
        "answers",
        "curves",
        "ratings",
        "graph",
        "main",
    ];
    private static readonly string[] Styles = ["vendor.uplot.uPlot.min.css", "page.css", "parts.css", "print.css"];

    /// <summary>The page. The same data gives the same bytes.</summary>
    /// <param name="data">What it shows; see docs/report.md.</param>
    public static string Html(JsonObject data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var style = string.Join('\n', Styles.Select(Resource));
        string[] scripts =
        [
            .. Parts.Select(p => $"/*!\n{Resource($"vendor.{p.Split('.')[0]}.LICENSE")}*/\n{Resource("vendor." + p)}"),
            "\"use strict\";\n(() => {\n" + string.Join('\n', Own.Select(n => Resource($"js.{n}.js"))) + "})();\n",
        ];
        var policy =
            "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
            + $"style-src '{Hash(style)}'; script-src {string.Join(' ', scripts.Select(s => $"'{Hash(s)}'"))}";
        return Resource("page.html")
            .Replace("{{policy}}", policy, StringComparison.Ordinal)
            .Replace("{{style}}", style, StringComparison.Ordinal)
            .Replace(
                "{{scripts}}",
                string.Join('\n', scripts.Select(s => $"<script>{s}</script>")),
                StringComparison.Ordinal
            )
            .Replace("{{data}}", Packed(data), StringComparison.Ordinal); // last: nothing in it is looked at again
    }

    /// <summary>The data that a page holds.</summary>
    /// <exception cref="ArgumentException">It is not such a page.</exception>
    internal static JsonObject DataOf(string html)
    {
        const string Start = "id=\"data\">";
        var from = html.IndexOf(Start, StringComparison.Ordinal);
        if (from < 0)
            throw new ArgumentException("The page holds no data.", nameof(html));
        from += Start.Length;
        var packed = Convert.FromBase64String(html[from..html.IndexOf('<', from)]);
        using var stream = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        return JsonNode.Parse(stream)!.AsObject();
    }

    private static string Packed(JsonObject data)
    {
        using var packed = new MemoryStream();
        using (var stream = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        using (var json = new Utf8JsonWriter(stream))
            data.WriteTo(json);
        return Convert.ToBase64String(packed.ToArray());
    }

    private static string Resource(string name)
    {
        using var stream =
            typeof(WebReport).Assembly.GetManifestResourceStream(Prefix + name)
            ?? throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"The page's part '{name}' is not built in.")
            );
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static string Hash(string text) =>
        "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
