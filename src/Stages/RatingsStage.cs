using System.Security.Cryptography;
using System.Text.Json;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Stages;

/// <summary>
/// Takes what <c>study import</c> made of people's ratings into the study, for left Figure 6, the claims and the
/// report; without a setting that names it nothing comes out.
/// </summary>
/// <remarks>
/// Which half of left Figure 6 a rating belongs to is said by the label that its answers were exported under
/// (<c>before</c>, <c>after</c>) or by the forget set. Ratings of answers that are not this study's are left out and
/// named; where nothing is left that is an error.
/// </remarks>
internal sealed class RatingsStage : Stage<ReportParams>
{
    private const string Means = "rating-means.parquet",
        Agreement = "rating-agreement.parquet",
        Study = "study.json",
        Before = "before",
        After = "after";

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("ratings", 1, "what people said of the answers")
        {
            Inputs = [new("study", InputCount.Optional), new("answers", InputCount.Many)],
            Outputs = ["ratings.parquet", "ratings.tex", "ratings.md", "ratings.json"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(ReportParams parameters) => ReportInputs.Check(parameters);

    /// <inheritdoc/>
    protected override void Run(ReportParams parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var scope = ReportInputs.Scope(parameters, []);
        var study = io.HasInput("study") ? Read(io.Input("study"), scope, io) : new RatedStudy([], [], []);
        ParquetTable.Write(io.Output("ratings.parquet"), [.. study.Means]);
        File.WriteAllText(io.Output("ratings.tex"), study.Latex(scope));
        File.WriteAllText(io.Output("ratings.md"), study.Markdown(scope));
        File.WriteAllText(io.Output("ratings.json"), study.Json());
        io.Metric("rated", study.Means.Count);
        foreach (var note in study.Notes)
            io.Warn(note);
    }

    private static RatedStudy Read(string path, StudyScope scope, StageIo io)
    {
        var isFolder = Directory.Exists(path);
        var file = isFolder ? Path.Combine(path, Means) : path;
        if (!File.Exists(file))
            throw new InputException(
                path,
                $"holds no {Means}",
                "'ratings' names the folder that eu-stage study import wrote (--out), or that file in it"
            );
        var means = ParquetTable.Read<RatingMean>(file);
        if (means.Count == 0)
            throw new InputException(path, "holds no rating", "eu-stage study import FOLDER --out RATED");
        var agreement = Path.Combine(path, Agreement);
        var (kept, notes) = Kept(path, means, scope, io);
        var hashes = isFolder ? Hashes(Path.Combine(path, Study)) : null;
        if (hashes is null)
            notes.Add($"Whether this study's own answers were rated was not checked: {Study} is not beside the means.");
        var other = hashes is null ? [] : Other(kept, hashes, io);
        if (other.Count > 0)
            notes.Add(
                "Answers of another run were rated, not those of this one: "
                    + string.Join(", ", other.Select(o => Name(o)).Distinct(StringComparer.Ordinal))
                    + "."
            );
        return new RatedStudy(
            [.. kept.Select(k => Row(k, scope, other.Contains(System(k))))],
            isFolder && File.Exists(agreement) ? ParquetTable.Read<RatingAgreement>(agreement) : [],
            notes
        );
    }

    // What left Figure 6 can show, and a note on everything else.
    private static (List<RatingMean> Kept, List<string> Notes) Kept(
        string path,
        IReadOnlyList<RatingMean> means,
        StudyScope scope,
        StageIo io
    )
    {
        var runs = io.Inputs("answers").Select(i => Run(i)).ToHashSet();
        var notes = new List<string>();
        var leftOut = new Dictionary<RatedOf, string>();
        foreach (var system in means.Select(System).Distinct())
            if (Foreign(system, scope, runs) is { } why)
                leftOut[system] = why;
        foreach (var group in leftOut.GroupBy(l => l.Value, l => Name(l.Key)))
            notes.Add($"Left out, because {group.Key}: {string.Join(", ", group.Distinct(StringComparer.Ordinal))}.");
        var wrong = means
            .Select(System)
            .Distinct()
            .FirstOrDefault(s => !leftOut.ContainsKey(s) && Contradicts(s, scope));
        if (wrong is not null)
            throw new InputException(
                path,
                $"{Name(wrong)} was exported as '{wrong.Variant}', but its set '{wrong.Set}' is the one "
                    + (wrong.Variant == Before ? "after" : "before")
                    + " self-improvement",
                $"before={scope.BeforeImprovement}, after={scope.AfterImprovement} (tables.before-improvement, "
                    + "tables.after-improvement)"
            );
        List<RatingMean> kept = [.. means.Where(m => !leftOut.ContainsKey(System(m)))];
        return kept.Count > 0
            ? (kept, notes)
            : throw new InputException([
                .. leftOut.Select(l => new InputProblem(
                    path,
                    0,
                    0,
                    $"rates {Name(l.Key)}, but {l.Value}",
                    $"ratings are read for {scope.Main} on {scope.BeforeImprovement} and {scope.AfterImprovement}"
                )),
            ]);
    }

    // Why a rated system has no place in left Figure 6; null where it has one.
    private static string? Foreign(RatedOf system, StudyScope scope, HashSet<(string, string, string)> runs)
    {
        if (system.Model.Length > 0 && system.Model != scope.Main)
            return $"the figure shows {scope.Main}";
        if (system.Set.Length > 0 && system.Set != scope.BeforeImprovement && system.Set != scope.AfterImprovement)
            return $"the figure shows {scope.BeforeImprovement} and {scope.AfterImprovement}";
        return runs.Any(r =>
            r.Item3 == system.Method
            && (system.Model.Length == 0 || r.Item1 == system.Model)
            && (system.Set.Length == 0 || r.Item2 == system.Set)
        )
            ? null
            : "this study has no such run";
    }

    private static bool Contradicts(RatedOf system, StudyScope scope) =>
        ScoreStage.UsesRefusals(system.Method)
        && (
            system.Variant == Before && system.Set == scope.AfterImprovement
            || system.Variant == After && system.Set == scope.BeforeImprovement
        );

    // SHA-256 of the answers that were rated, as the study's key has it; null where the file is not there.
    private static Dictionary<RatedOf, string>? Hashes(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            string Text(JsonElement source, string name) => source.GetProperty(name).GetString() ?? "";
            return json
                .RootElement.GetProperty("sources")
                .EnumerateArray()
                .ToDictionary(
                    s => new RatedOf(Text(s, "model"), Text(s, "set"), Text(s, "method"), Text(s, "variant")),
                    s => Text(s, "hash")
                );
        }
        catch (Exception e)
            when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new InputException(path, "is not what study import writes: " + e.Message.Split(" LineNumber")[0]);
        }
    }

    // Systems whose rated answers are no file of this study.
    private static HashSet<RatedOf> Other(List<RatingMean> kept, Dictionary<RatedOf, string> hashes, StageIo io)
    {
        var wanted = kept.Select(System).ToHashSet();
        var present = io.Inputs("answers")
            .Where(i => Run(i) is var run && wanted.Any(w => w.Method == run.Method))
            .Select(i => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(i.Path))))
            .ToHashSet(StringComparer.Ordinal);
        return [.. wanted.Where(w => !hashes.TryGetValue(w, out var hash) || !present.Contains(hash))];
    }

    private static RatedMean Row(RatingMean mean, StudyScope scope, bool other) =>
        new()
        {
            Method = mean.Method,
            Variant = Half(mean, scope),
            Measure = mean.Measure,
            Raters = mean.Raters,
            Mean = mean.Mean,
            CiLow = mean.CiLow,
            CiHigh = mean.CiHigh,
            Counted = mean.Counted,
            Rated = mean.Rated,
            OfAnotherRun = other,
        };

    // A method that sees no refusal is the same in both halves.
    private static string Half(RatingMean mean, StudyScope scope) =>
        !ScoreStage.UsesRefusals(mean.Method) ? ""
        : mean.Variant is Before or After ? mean.Variant
        : mean.Set == scope.AfterImprovement ? After
        : mean.Set == scope.BeforeImprovement ? Before
        : mean.Variant;

    private static (string Model, string Set, string Method) Run(BoundInput answers) =>
        answers.Source is { } cell
            ? (cell.Axis("model") ?? "", cell.Axis("set") ?? "", cell.Axis("method") ?? "")
            : ParquetTable.Read<AnswerRow>(answers.Path).Select(a => (a.Model, a.Set, a.Method)).FirstOrDefault();

    private static RatedOf System(RatingMean mean) => new(mean.Model, mean.Set, mean.Method, mean.Variant);

    private static string Name(RatedOf system) =>
        string.Join(
            '/',
            ((string[])[system.Model, system.Set, system.Method, system.Variant]).Where(p => p.Length > 0)
        );

    // Whose answers were rated.
    private sealed record RatedOf(string Model, string Set, string Method, string Variant);
}
