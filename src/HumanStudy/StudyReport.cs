using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// Writes what a study says: Parquet for programs, CSV for spreadsheets, text for people, JSON for scripts.
/// </summary>
public static class StudyReport
{
    private const string NotAvailable = "n/a";

    /// <summary>Writes all files; existing ones are replaced.</summary>
    public static void Write(StudyResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(result);
        Directory.CreateDirectory(folder);
        ParquetTable.Write(Path.Combine(folder, "ratings.parquet"), [.. result.Ratings]);
        ParquetTable.Write(Path.Combine(folder, "rating-means.parquet"), [.. result.Means]);
        ParquetTable.Write(Path.Combine(folder, "rating-pairs.parquet"), [.. result.Pairs]);
        ParquetTable.Write(Path.Combine(folder, "rating-agreement.parquet"), [.. result.Agreement]);
        SheetCsv.Write(Path.Combine(folder, "ratings.csv"), Csv(result.Ratings));
        SheetCsv.Write(Path.Combine(folder, "rating-means.csv"), Csv(result.Means));
        SheetCsv.Write(Path.Combine(folder, "rating-pairs.csv"), Csv(result.Pairs));
        SheetCsv.Write(Path.Combine(folder, "rating-agreement.csv"), Csv(result.Agreement));
        File.WriteAllText(Path.Combine(folder, "study.txt"), Text(result));
        File.WriteAllText(
            Path.Combine(folder, "study.json"),
            Json(result).ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n"
        );
    }

    /// <summary>The report for people.</summary>
    public static string Text(StudyResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var import = result.Import;
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"Human study: {import.Key.Sheets.Count} raters asked, "
                + $"{import.Ratings.Select(r => r.Rater).Distinct().Count()} answered, {import.Key.Items.Count} "
                + $"items, assignment {import.Key.Assignment}, split {import.Key.Split}.\n"
        );
        foreach (var line in import.People)
            text.Append(line).Append('\n');
        text.Append(
            import.Attention.Count == 0 ? "No attention item was rated.\n"
            : import.Flagged.Count == 0 ? "No rater failed more than half of the attention items.\n"
            : "Flagged, more than half of the attention items failed: "
                + $"{string.Join(", ", import.Flagged.Order(StringComparer.Ordinal))}.\n"
        );
        if (import.Problems.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"Left out under --lenient: {import.Problems.Count} problems.\n");
        foreach (var raters in result.Means.Select(m => m.Raters).Distinct())
        {
            text.Append('\n')
                .Append(raters == StudyResult.AllRaters ? "All raters" : "Without flagged raters")
                .Append("\n\n");
            Aligned(text, Means(result, raters));
            text.Append(
                "Entailment and trustworthiness count only where the same rater marked the answer as forgotten: "
                    + "methods with other counts are averaged over other answers.\n\n"
            );
            Aligned(text, Pairs(result, raters));
            Aligned(text, Agreement(result, raters));
        }
        return text.ToString();
    }

    private static List<string[]> Means(StudyResult result, string raters) =>
        [
            ["method", "measure", "mean", "95 % interval", "mean of raters", "counted", "rated"],
            .. result.Import.Key.Sources.SelectMany(source =>
                result
                    .Means.Where(m =>
                        m.Raters == raters
                        && (m.Model, m.Set, m.Method, m.Variant)
                            == (source.Model, source.Set, source.Method, source.Variant)
                    )
                    .Select(m =>
                        (string[])
                            [
                                source.System,
                                m.Measure,
                                Number(m.Mean),
                                m.CiLow is null ? NotAvailable : $"{Number(m.CiLow)} .. {Number(m.CiHigh)}",
                                Number(m.MeanOfRaterMeans),
                                Whole(m.Counted),
                                Whole(m.Rated),
                            ]
                    )
            ),
        ];

    private static List<string[]> Pairs(StudyResult result, string raters) =>
        [
            ["first", "second", "measure", "difference", "pairs", "p", "p (Holm)"],
            .. result
                .Pairs.Where(p => p.Raters == raters)
                .Select(p =>
                    (string[])
                        [
                            p.First,
                            p.Second,
                            p.Measure,
                            Signed(p.Difference),
                            Whole(p.Pairs),
                            Probability(p.P),
                            Probability(p.PHolm),
                        ]
                ),
        ];

    private static List<string[]> Agreement(StudyResult result, string raters) =>
        [
            ["agreement", "level", "alpha", "percent", "rater-rest", "items", "ratings"],
            .. result
                .Agreement.Where(a => a.Raters == raters)
                .Select(a =>
                    (string[])
                        [
                            a.Measure,
                            a.Level,
                            a.Alpha is null ? "undefined" : Number(a.Alpha),
                            a.PercentAgreement is { } s ? Number(100 * s, 0) : NotAvailable,
                            Number(a.RaterRest),
                            Whole(a.Units),
                            Whole(a.Ratings),
                        ]
                ),
        ];

    /// <summary>The report for scripts; an absent mean is null.</summary>
    public static JsonObject Json(StudyResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var options = new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
        JsonNode Rows<T>(IEnumerable<T> rows) => JsonSerializer.SerializeToNode(rows, options)!;
        return new JsonObject
        {
            ["format"] = "study/1",
            ["split"] = result.Import.Key.Split,
            ["assignment"] = result.Import.Key.Assignment,
            ["sources"] = Rows(result.Import.Key.Sources),
            ["raters"] = result.Import.Ratings.Select(r => r.Rater).Distinct().Count(),
            ["flagged"] = Rows(result.Import.Flagged.Order(StringComparer.Ordinal)),
            ["attention"] = new JsonObject(
                result.Import.Attention.Select(a =>
                    KeyValuePair.Create(
                        a.Key,
                        (JsonNode?)new JsonObject { ["failed"] = a.Value.Failed, ["of"] = a.Value.Of }
                    )
                )
            ),
            ["leftOut"] = Rows(result.Import.Problems.Select(p => p.ToString())),
            ["means"] = Rows(result.Means),
            ["pairs"] = Rows(result.Pairs),
            ["agreement"] = Rows(result.Agreement),
        };
    }

    private static IEnumerable<IReadOnlyList<string>> Csv<T>(IReadOnlyList<T> rows)
    {
        var columns = typeof(T).GetProperties();
        yield return [.. columns.Select(c => JsonNamingPolicy.CamelCase.ConvertName(c.Name))];
        foreach (var row in rows)
            yield return
            [
                .. columns.Select(c =>
                    c.GetValue(row) switch
                    {
                        double d => d.ToString("R", CultureInfo.InvariantCulture),
                        IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
                        var other => other?.ToString() ?? "",
                    }
                ),
            ];
    }

    private static void Aligned(StringBuilder text, IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length)).ToArray();
        // Names to the left, numbers to the right.
        foreach (var row in rows)
            text.AppendJoin(
                    "  ",
                    row.Select(
                        (cell, c) =>
                            char.IsAsciiLetter(rows[^1][c].FirstOrDefault())
                            && rows[^1][c] is not (NotAvailable or "undefined")
                                ? cell.PadRight(widths[c])
                                : cell.PadLeft(widths[c])
                    )
                )
                .Append('\n');
        text.Append('\n');
    }

    private static string Number(double? value, int digits = 2) =>
        value?.ToString("F" + digits, CultureInfo.InvariantCulture) ?? NotAvailable;

    private static string Signed(double? value) =>
        value?.ToString("+0.00;-0.00;0.00", CultureInfo.InvariantCulture) ?? NotAvailable;

    private static string Probability(double? p) =>
        p is null ? NotAvailable
        : p < 0.001 ? "< 0.001"
        : p.Value.ToString("0.000", CultureInfo.InvariantCulture);

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);
}
