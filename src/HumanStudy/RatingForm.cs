using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// The page a rater works in: one file that needs no network and no server, and saves the same CSV as a sheet.
/// </summary>
/// <remarks>
/// Texts of models are hostile: they reach the page as JSON whose every <c>&lt;</c>, <c>&gt;</c>, <c>&amp;</c> and
/// quote is escaped, are shown as text only, and a content security policy lets no script run but the page's own, by
/// its hash, and nothing load from anywhere.
/// </remarks>
internal static class RatingForm
{
    /// <summary>The page of one rater.</summary>
    /// <param name="rater">Name in the study.</param>
    /// <param name="items">In the order of the sheet.</param>
    public static string Html(string rater, IReadOnlyList<StudyItem> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        // The default encoder escapes everything that could end a script element or an attribute.
        var data = new JsonObject
        {
            ["rater"] = rater,
            ["file"] = StudyExport.SheetName(rater),
            ["columns"] = new JsonArray([.. StudyExport.Columns.Select(c => (JsonNode)c)]),
            ["items"] = new JsonArray([
                .. items.Select(i => new JsonObject
                {
                    ["code"] = i.Code,
                    ["question"] = i.Answer.Question,
                    ["truth"] = i.Answer.GroundTruth,
                    ["answer"] = i.Answer.Answer,
                }),
            ]),
        }.ToJsonString(JsonSerializerOptions.Default);
        var (script, style) = (Resource("form.js"), Resource("form.css"));
        return Resource("form.html")
            .Replace(
                "{{policy}}",
                $"default-src 'none'; img-src data:; style-src '{Hash(style)}'; script-src '{Hash(script)}'; "
                    + "base-uri 'none'; form-action 'none'",
                StringComparison.Ordinal
            )
            .Replace("{{style}}", style, StringComparison.Ordinal)
            .Replace("{{script}}", script, StringComparison.Ordinal)
            .Replace("{{data}}", data, StringComparison.Ordinal); // last: nothing in it is looked at again
    }

    internal static string Resource(string name)
    {
        using var stream = typeof(RatingForm).Assembly.GetManifestResourceStream(
            $"EditUnlearn.HumanStudy.Form.{name}"
        )!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static string Hash(string text) =>
        "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
