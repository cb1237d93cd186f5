using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Figures;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports;

/// <summary>What people said of the answers, for the report: means with their gates, agreement, and doubts.</summary>
/// <param name="Means">By method, half, measure and raters.</param>
/// <param name="Agreement">By measure, level and raters; empty where the study's folder was not given.</param>
/// <param name="Notes">What a reader should know, one sentence each.</param>
public sealed record RatedStudy(
    IReadOnlyList<RatedMean> Means,
    IReadOnlyList<RatingAgreement> Agreement,
    IReadOnlyList<string> Notes
)
{
    /// <summary>Ratings without those of raters who failed the attention items; used where they are there.</summary>
    public const string Unflagged = "unflagged";

    private const string None = "n/a";

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private static readonly (string Measure, string Title)[] Measures =
    [
        ("forgetRate", "forgotten (0 to 1)"),
        ("entailment", "entailment (1 to 5)"),
        ("trustworthiness", "trust (1 to 5)"),
    ];

    /// <summary>As LaTeX; nothing where nobody was asked.</summary>
    public string Latex(StudyScope scope) =>
        Means.Count == 0
            ? ""
            : Templating.Render(
                "ratings.tex",
                new
                {
                    Caption = Reports.Latex.Escape(Caption(scope)),
                    Means = Escaped(MeanRows(scope)),
                    Agreement = Escaped(AgreementRows()),
                }
            );

    /// <summary>As Markdown; nothing where nobody was asked.</summary>
    public string Markdown(StudyScope scope) =>
        Means.Count == 0
            ? ""
            : $"# What people said\n\n{Caption(scope)}\n\n{Lines(MeanRows(scope))}\n{Lines(AgreementRows())}";

    /// <summary>For programs; <see cref="Parse"/> reads it.</summary>
    public string Json() => JsonSerializer.Serialize(this, Form) + "\n";

    /// <summary>Reads what <see cref="Json"/> wrote.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static RatedStudy Parse(string json) =>
        JsonSerializer.Deserialize<RatedStudy>(json, Form) ?? throw new JsonException("It holds nothing.");

    private string Caption(StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        List<string> sentences =
        [
            "What people said of the answers: mean, 95 % interval, and how many ratings count of how many. Entailment "
                + "and trust count only where the same rater marked the answer as forgotten, so methods with other "
                + "counts are averaged over other answers.",
        ];
        if (Captions.Warning(scope.Kind) is { Length: > 0 } warning)
            sentences.Add(warning);
        if (Raters == Unflagged)
            sentences.Add("Without raters who failed the attention items.");
        if (Agreement.Count > 0)
            sentences.Add("Below: how far raters agree (Krippendorff's alpha).");
        return string.Join(' ', [.. sentences, .. Notes]);
    }

    /// <summary>The rows of both tables for the page; null where nobody was asked.</summary>
    public JsonObject? Page(StudyScope scope)
    {
        static JsonArray Rows(List<string[]> rows) =>
            new([.. rows.Select(r => new JsonArray([.. r.Select(c => (JsonNode)c)]))]);
        return Means.Count == 0
            ? null
            : new JsonObject
            {
                ["caption"] = Caption(scope),
                ["means"] = Rows(MeanRows(scope)),
                ["agreement"] = Agreement.Count > 0 ? Rows(AgreementRows()) : null,
            };
    }

    private string Raters => Means.Any(m => m.Raters == Unflagged) ? Unflagged : "all";

    private List<string[]> MeanRows(StudyScope scope)
    {
        var shown = Means.Where(m => m.Raters == Raters).ToList();
        return
        [
            ["method", "refusals", .. Measures.Select(m => m.Title)],
            .. from half in shown.Select(m => (m.Method, m.Variant)).Distinct()
            let place = scope.Methods.Index().FirstOrDefault(m => m.Item.Name == half.Method, (-1, null!)).Index
            orderby place < 0 ? int.MaxValue : place, half.Variant == "after"
            select (string[])
                [
                    scope.MethodLabel(half.Method),
                    half.Variant switch
                    {
                        "before" => "plain",
                        "after" => "self-improved",
                        _ => "none, or one kind",
                    },
                    .. Measures.Select(m =>
                        Cell(
                            shown.Find(r => (r.Method, r.Variant, r.Measure) == (half.Method, half.Variant, m.Measure))
                        )
                    ),
                ],
        ];
    }

    private static string Cell(RatedMean? mean) =>
        mean is null ? None
        : mean.Mean is not { } value ? $"{None} (0 of {mean.Rated})"
        : Number(value)
            + (mean.CiLow is { } low && mean.CiHigh is { } high ? $" [{Number(low)}, {Number(high)}]" : "")
            + string.Create(CultureInfo.InvariantCulture, $" ({mean.Counted} of {mean.Rated})");

    private List<string[]> AgreementRows() =>
        [
            ["agreement", "level", "alpha", "percent", "rater-rest", "items", "ratings"],
            .. Agreement
                .Where(a => a.Raters == Raters)
                .Select(a =>
                    (string[])
                        [
                            a.Measure,
                            a.Level,
                            a.Alpha is { } alpha ? Number(alpha) : "undefined",
                            a.PercentAgreement is { } share
                                ? (100 * share).ToString("F0", CultureInfo.InvariantCulture)
                                : None,
                            a.RaterRest is { } rest ? Number(rest) : None,
                            a.Units.ToString(CultureInfo.InvariantCulture),
                            a.Ratings.ToString(CultureInfo.InvariantCulture),
                        ]
                ),
        ];

    private static List<List<string>> Escaped(List<string[]> rows) =>
        [.. rows.Select(r => r.Select(Reports.Latex.Escape).ToList())];

    private static string Lines(List<string[]> rows) =>
        string.Concat(
            rows.Select(
                (r, i) =>
                    $"| {string.Join(" | ", r)} |\n" + (i == 0 ? $"|{string.Concat(r.Select(_ => "---|"))}\n" : "")
            )
        );

    private static string Number(double value) => value.ToString("F2", CultureInfo.InvariantCulture);
}
