using System.Globalization;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>One filled-in row of a sheet.</summary>
/// <param name="Rater">Whose.</param>
/// <param name="Code">Of the item.</param>
/// <param name="ForgetQuality">0 or 1.</param>
/// <param name="Entailment">1 to 5; null after a 0.</param>
/// <param name="Trustworthiness">1 to 5; null after a 0.</param>
/// <param name="Comment">Free text.</param>
public sealed record SheetRating(
    string Rater,
    string Code,
    int ForgetQuality,
    int? Entailment,
    int? Trustworthiness,
    string Comment
);

/// <summary>What came back from raters, checked against the key.</summary>
/// <param name="Key">The key.</param>
/// <param name="Ratings">Of ordinary items, by rater and in the order of the sheets.</param>
/// <param name="Attention">For each rater with a rated attention item: how many were failed, of how many.</param>
/// <param name="Problems">What was left out under <c>--lenient</c>; empty otherwise.</param>
/// <param name="People">Raters by age band, gender and education, counted; small groups are not told apart.</param>
public sealed partial record StudyImport(
    StudyKey Key,
    IReadOnlyList<SheetRating> Ratings,
    IReadOnlyDictionary<string, (int Failed, int Of)> Attention,
    IReadOnlyList<InputProblem> Problems,
    IReadOnlyList<string> People
)
{
    // Below this a count in the report could point at a person.
    private const int SmallestGroup = 3;

    /// <summary>Raters who failed more than half of their attention items.</summary>
    public IReadOnlySet<string> Flagged { get; } =
        Attention.Where(a => 2 * a.Value.Failed > a.Value.Of).Select(a => a.Key).ToHashSet(StringComparer.Ordinal);

    /// <summary>Reads all sheets of a folder (docs/human-study.md says what is wrong with a cell).</summary>
    /// <param name="folder">Where <c>sheet-*.csv</c> lie, and perhaps <c>raters.csv</c>.</param>
    /// <param name="key">The key they were made with.</param>
    /// <param name="lenient">Leave out what is wrong instead of failing.</param>
    /// <exception cref="InputException">Anything is wrong and not <paramref name="lenient"/>, or nothing is left; all
    /// problems at once.</exception>
    public static StudyImport Read(string folder, StudyKey key, bool lenient)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var problems = new List<InputProblem>();
        var (ratings, attention) = (
            new List<SheetRating>(),
            new SortedDictionary<string, (int, int)>(StringComparer.Ordinal)
        );
        var files = Sheets(folder, key, problems);
        foreach (var sheet in key.Sheets)
        {
            if (!files.TryGetValue(sheet.Rater, out var file))
            {
                problems.Add(
                    new InputProblem(
                        Path.Combine(folder, StudyExport.SheetName(sheet.Rater)),
                        0,
                        0,
                        $"the sheet of {sheet.Rater} is missing"
                    )
                );
                continue;
            }
            Sheet(file, sheet, key, problems, ratings, attention);
        }
        var people = PeopleOf(folder, key, problems);
        if (problems.Count > 0 && !lenient)
            throw new InputException([
                .. problems.Append(
                    new InputProblem(
                        folder,
                        0,
                        0,
                        $"{problems.Count} problems",
                        "correct the sheets, or --lenient leaves out what is wrong"
                    )
                ),
            ]);
        return ratings.Count > 0
            ? new StudyImport(key, ratings, attention, problems, people)
            : throw new InputException([.. problems.Append(new InputProblem(folder, 0, 0, "holds no rating"))]);
    }

    // A browser that saves twice writes "sheet-r01 (1).csv"; the plain name counts as the first.
    private static Dictionary<string, string> Sheets(string folder, StudyKey key, List<InputProblem> problems)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (
            var path in Directory
                .EnumerateFiles(folder, "*.csv")
                .OrderBy(p => p.Length)
                .ThenBy(p => p, StringComparer.Ordinal)
        )
        {
            if (SheetFile().Match(Path.GetFileName(path)) is not { Success: true } name)
                continue;
            var rater = name.Groups[1].Value;
            if (key.Sheets.All(s => s.Rater != rater))
                problems.Add(
                    new InputProblem(
                        path,
                        0,
                        0,
                        $"the study has no rater '{rater}'",
                        Spelling.Nearest(rater, key.Sheets.Select(s => s.Rater)) is { } near
                            ? $"did you mean '{near}'?"
                            : "it belongs to another study"
                    )
                );
            else if (!files.TryAdd(rater, path))
                problems.Add(
                    new InputProblem(
                        path,
                        0,
                        0,
                        $"is a second sheet of {rater}, beside {Path.GetFileName(files[rater])}",
                        "keep the one that counts"
                    )
                );
        }
        return files;
    }

    private static void Sheet(
        string path,
        StudyKey.Sheet sheet,
        StudyKey key,
        List<InputProblem> problems,
        List<SheetRating> ratings,
        SortedDictionary<string, (int Failed, int Of)> attention
    )
    {
        if (RowsOf(path, problems) is not { } rows || ColumnsOf(path, rows[0], problems) is not { } columns)
            return;
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        var given = sheet.Codes.ToHashSet(StringComparer.Ordinal);
        var kinds = key.Attention.ToDictionary(a => a.Code, a => a.Shows, StringComparer.Ordinal);
        var rated = new Dictionary<string, SheetRating>(StringComparer.Ordinal);
        var open = new List<(int Line, string Code)>();
        foreach (var row in rows.Skip(1))
        {
            string Field(string name) =>
                columns[name] is var at and >= 0 && at < row.Fields.Count ? row.Fields[at].Trim() : "";
            void Wrong(string field, string message, string? hint = null) =>
                problems.Add(new InputProblem(path, row.Line, 0, $"{field} {message}", hint));
            var code = SheetCsv.Plain(Field("item_code"));
            if (!given.Contains(code))
                Wrong(
                    "item_code",
                    $"'{code}' is not an item of this sheet",
                    "a spreadsheet may have changed it, or the sheet belongs to somebody else"
                );
            else if (!seen.TryAdd(code, row.Line))
                Wrong("item_code", $"{code} stands already in line {seen[code]}");
            else if (Field("forget_quality").Length == 0)
                open.Add((row.Line, code));
            else if (Rating(sheet.Rater, code, Field, Wrong) is { } rating)
                rated.Add(code, rating);
        }
        if (rated.Count == 0 && open.Count > 0)
            problems.Add(new InputProblem(path, 0, 0, $"the sheet of {sheet.Rater} is not filled in"));
        else
            foreach (var (line, code) in open)
                problems.Add(new InputProblem(path, line, 0, $"forget_quality of item {code} is empty"));
        var absent = sheet.Codes.Where(c => !seen.ContainsKey(c)).ToList();
        if (absent.Count > 0)
            problems.Add(
                new InputProblem(
                    path,
                    0,
                    0,
                    $"rows of the sheet are missing, {absent.Count} of {sheet.Codes.Count}: "
                        + $"{string.Join(", ", absent.Take(3))}{(absent.Count > 3 ? ", ..." : "")}"
                )
            );

        ratings.AddRange(
            sheet.Codes.Where(c => !kinds.ContainsKey(c)).Select(rated.GetValueOrDefault).OfType<SheetRating>()
        );
        var checks = sheet.Codes.Where(c => kinds.ContainsKey(c) && rated.ContainsKey(c)).ToList();
        if (checks.Count > 0)
            attention[sheet.Rater] = (checks.Count(c => Fails(rated[c], kinds[c])), checks.Count);
    }

    // Null, and a problem more, where there is nothing to read.
    private static IReadOnlyList<SheetCsv.Row>? RowsOf(string path, List<InputProblem> problems)
    {
        try
        {
            var rows = SheetCsv.Read(path);
            if (rows.Count > 0)
                return rows;
            problems.Add(new InputProblem(path, 0, 0, "is empty"));
        }
        catch (InputException e)
        {
            problems.AddRange(e.Problems);
        }
        return null;
    }

    // Where each column stands, -1 for a comment that is not there; null, and a problem more, where another is missing.
    private static Dictionary<string, int>? ColumnsOf(string path, SheetCsv.Row header, List<InputProblem> problems)
    {
        string[] read = ["item_code", "forget_quality", "entailment", "trustworthiness", "comment"];
        var names = header.Fields.Select(f => f.Trim()).ToList();
        var columns = read.ToDictionary(c => c, names.IndexOf, StringComparer.Ordinal);
        var lacking = columns.Where(c => c.Value < 0 && c.Key != "comment").Select(c => $"'{c.Key}'").ToList();
        if (lacking.Count == 0)
            return columns;
        problems.Add(
            new InputProblem(
                path,
                header.Line,
                0,
                $"the column {string.Join(", ", lacking)} is missing",
                "the first line names the columns as they were exported"
            )
        );
        return null;
    }

    private static SheetRating? Rating(
        string rater,
        string code,
        Func<string, string> field,
        Action<string, string, string?> wrong
    )
    {
        var fine = true;
        int? Whole(string name, int low, int high, bool wanted)
        {
            var text = field(name);
            // A spreadsheet may have made 4 into 4.0.
            if (
                decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var d)
                && d == decimal.Truncate(d)
                && d >= low
                && d <= high
            )
                return (int)d;
            if (!wanted)
                return null;
            fine = false;
            wrong(
                name,
                text.Length == 0 ? $"of item {code} is empty" : $"of item {code} is '{text}'",
                low == 0 ? "0: the true answer is still there; 1: it is gone" : $"a whole number from {low} to {high}"
            );
            return null;
        }
        var forgotten = Whole("forget_quality", 0, 1, wanted: true);
        var gated = forgotten == 1;
        var (entailment, trust) = (Whole("entailment", 1, 5, gated), Whole("trustworthiness", 1, 5, gated));
        // Whatever stands in the scales after a 0 does not count.
        return fine
            ? new SheetRating(
                rater,
                code,
                forgotten!.Value,
                gated ? entailment : null,
                gated ? trust : null,
                SheetCsv.Plain(field("comment"))
            )
            : null;
    }

    private static bool Fails(SheetRating rating, AttentionKind kind) =>
        kind == AttentionKind.TrueAnswer
            ? rating.ForgetQuality != 0
            : rating.ForgetQuality != 1 || rating.Entailment < 4 || rating.Trustworthiness < 4;

    private static List<string> PeopleOf(string folder, StudyKey key, List<InputProblem> problems)
    {
        var path = Path.Combine(folder, "raters.csv");
        if (!File.Exists(path))
            return [];
        var rows = SheetCsv.Read(path);
        string[] read = ["rater_id", "age_band", "gender", "education", "consent"];
        if (rows.Count == 0 || read.Any(c => !rows[0].Fields.Contains(c)))
        {
            problems.Add(new InputProblem(path, 1, 0, "the columns are not " + string.Join(", ", read)));
            return [];
        }
        var people = new List<Dictionary<string, string>>();
        foreach (var row in rows.Skip(1))
        {
            var person = read.ToDictionary(
                c => c,
                c =>
                    rows[0].Fields.ToList().IndexOf(c) is var at && at < row.Fields.Count
                        ? SheetCsv.Plain(row.Fields[at]).Trim()
                        : "",
                StringComparer.Ordinal
            );
            if (read.Skip(1).All(c => person[c].Length == 0))
                continue; // not filled in, which is allowed
            if (key.Sheets.All(s => s.Rater != person["rater_id"]))
                problems.Add(
                    new InputProblem(path, row.Line, 0, $"rater_id '{person["rater_id"]}' is not a rater of the study")
                );
            else if (!string.Equals(person["consent"], "yes", StringComparison.OrdinalIgnoreCase))
                problems.Add(
                    new InputProblem(
                        path,
                        row.Line,
                        0,
                        $"consent of {person["rater_id"]} is '{person["consent"]}'",
                        "only 'yes' is consent; without it, empty the row: nothing of it is used"
                    )
                );
            else
                people.Add(person);
        }
        if (people.Count == 0)
            return [];
        return
        [
            $"{people.Count} raters told about themselves",
            .. from column in read[1..^1]
            let groups = people
                .GroupBy(p => p[column].ToLowerInvariant())
                .OrderBy(g => g.Key, StringComparer.Ordinal)
                .ToList()
            let few = groups.Where(g => g.Count() < SmallestGroup).Sum(g => g.Count())
            let told = groups
                .Where(g => g.Count() >= SmallestGroup && g.Key.Length > 0)
                .Select(g => $"{g.Key} {g.Count()}")
                .Concat(few > 0 ? [$"in groups of fewer than {SmallestGroup}: {few}"] : [])
            select $"{column.Replace('_', ' ')}: {string.Join(", ", told)}",
        ];
    }

    [GeneratedRegex(@"^sheet-([A-Za-z0-9_-]{1,40})(?: ?\(\d+\))?\.csv$")]
    private static partial Regex SheetFile();
}
