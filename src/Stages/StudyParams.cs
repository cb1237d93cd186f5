using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Claims;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Stages;

/// <summary>Which models and sets play the paper's parts; the block <c>tables</c> of a profile.</summary>
/// <param name="Main">The model of most tables.</param>
/// <param name="Second">The second model of Tables 1 and 4.</param>
/// <param name="Third">The model of Table 3.</param>
/// <param name="Facts">The set of Tables 1, 2 and 3 whose questions the model knows from pretraining.</param>
/// <param name="Contracts">The set of Table 1 whose questions it was taught.</param>
/// <param name="MoreContracts">The set of Table 4.</param>
/// <param name="Sizes">The sets of Table 5 and Figure 3, the smallest first.</param>
/// <param name="BeforeImprovement">The set of Table 6 and left Figure 6 with plain refusals.</param>
/// <param name="AfterImprovement">The same questions with refusals of the model's own.</param>
/// <param name="Unmerged">The set of Table 7 and right Figure 6 with an edit for each question.</param>
/// <param name="Merged">The same questions with several in one edit, the smallest number first.</param>
/// <param name="Further">More sets that get a block of their own in Table 1.</param>
internal sealed record StudyParams(
    string Main,
    string Second,
    string Third,
    string Facts,
    string Contracts,
    string MoreContracts,
    IReadOnlyList<string> Sizes,
    string BeforeImprovement,
    string AfterImprovement,
    string Unmerged,
    IReadOnlyList<string> Merged,
    IReadOnlyList<string>? Further = null
);

/// <summary>What every report is told.</summary>
/// <param name="Study">The parts.</param>
/// <param name="Sets">All forget sets of the profile, as it describes them.</param>
/// <param name="Kind">What the models are; every caption says so.</param>
/// <param name="Profile">Of the metrics: <c>strict</c> or <c>paper</c>.</param>
/// <param name="Repeats">Models that others repeat with other seeds.</param>
/// <param name="Seed">Of the resamples that decide claims.</param>
/// <param name="Methods">The method of the catalogue behind each entry of the profile's map of methods; null for the
/// catalogue alone.</param>
/// <param name="Labels">What each entry is called in print.</param>
internal sealed record ReportParams(
    StudyParams Study,
    IReadOnlyDictionary<string, JsonObject> Sets,
    ModelKind Kind,
    string Profile = "strict",
    IReadOnlyList<string>? Repeats = null,
    ulong Seed = 17,
    IReadOnlyDictionary<string, string>? Methods = null,
    IReadOnlyDictionary<string, string>? Labels = null
);

/// <summary>What the report stages share: checks, scope, numbers.</summary>
internal static class ReportInputs
{
    /// <summary>What models are called in print.</summary>
    public static StudyScope Labels { get; } =
        new() { ModelLabels = FamilyCatalog.All.ToDictionary(f => f.Name, f => f.Label, StringComparer.Ordinal) };

    public static IEnumerable<ParameterProblem> Check(ReportParams p)
    {
        if (MetricProfile.All.All(x => x.Name != p.Profile))
            yield return new ParameterProblem(
                "profile",
                $"'{p.Profile}' is not a profile of metrics",
                "known: " + string.Join(", ", MetricProfile.All.Select(x => x.Name))
            );
        string[] models = [p.Study.Main, p.Study.Second, p.Study.Third];
        foreach (var other in (p.Repeats ?? []).Except(models, StringComparer.Ordinal))
            yield return new ParameterProblem(
                "repeats",
                $"names '{other}', which plays no part in the tables",
                Spelling.Nearest(other, models) is { } near
                    ? $"did you mean '{near}'?"
                    : "tables.main, tables.second and tables.third say which do"
            );
        foreach (var problem in Scope(p, []).Problems())
            yield return new ParameterProblem("study." + problem.Part, problem.Message, problem.Hint);
    }

    /// <summary>Who plays which part; methods of the paper, and what else was scored.</summary>
    public static StudyScope Scope(ReportParams p, IReadOnlyList<CellScore> scores)
    {
        var ran = scores.Select(s => s.Method).ToHashSet(StringComparer.Ordinal);
        return new StudyScope
        {
            Main = p.Study.Main,
            Second = p.Study.Second,
            Third = p.Study.Third,
            Facts = p.Study.Facts,
            Contracts = p.Study.Contracts,
            Further = p.Study.Further ?? [],
            MoreContracts = p.Study.MoreContracts,
            Sizes = p.Study.Sizes,
            BeforeImprovement = p.Study.BeforeImprovement,
            AfterImprovement = p.Study.AfterImprovement,
            Unmerged = p.Study.Unmerged,
            Merged = p.Study.Merged,
            Sets = p.Sets.ToDictionary(s => s.Key, s => Described(s.Key, s.Value), StringComparer.Ordinal),
            Kind = p.Kind,
            Methods =
            [
                .. StudyScope.WithPaperMethods([
                    .. MethodCatalog
                        .All.Where(m => m.Kind != MethodKind.Untouched && ran.Contains(m.Name))
                        .Select(m => new ReportMethod(m.Name, m.Label, m.IsEditing)),
                ]),
                .. Variants(p, scores),
            ],
            ModelLabels = Labels.ModelLabels,
        };
    }

    // Entries of the profile that run a method of another name, where they were scored.
    private static IEnumerable<ReportMethod> Variants(ReportParams p, IReadOnlyList<CellScore> scores)
    {
        var sets = scores.ToLookup(s => s.Method, s => s.Set, StringComparer.Ordinal);
        foreach (var (name, method) in p.Methods ?? new Dictionary<string, string>())
            if (name != method && sets.Contains(name) && MethodCatalog.Find(method) is { } entry)
                yield return new ReportMethod(
                    name,
                    p.Labels?.GetValueOrDefault(name) ?? name,
                    entry.IsEditing,
                    InPaper: false
                )
                {
                    OnlyIn = sets[name].ToHashSet(StringComparer.Ordinal),
                };
    }

    public static IReadOnlyList<CellScore> Scores(StageIo io, string input = "scores") =>
        [.. io.Inputs(input).SelectMany(i => ParquetTable.Read<CellScore>(i.Path))];

    public static ScoreBook Book(IReadOnlyList<CellScore> scores, ReportParams p)
    {
        var profile = MetricProfile.All.First(x => x.Name == p.Profile);
        return new ScoreBook(
            scores,
            profile.Name,
            [
                .. profile.Columns,
                .. FigureCatalog.StandIns.Append(MetricNames.Score).Select(s => KeyValuePair.Create(s, s)),
            ]
        );
    }

    /// <summary>Every row that stands behind a column of the tables, as the profile counts it.</summary>
    public static IEnumerable<ResampledRow> Rows(StageIo io, ReportParams p)
    {
        var profile = MetricProfile.All.First(x => x.Name == p.Profile);
        var columns = profile.Columns.ToDictionary(c => c.Value, c => c.Key, StringComparer.Ordinal);
        var splits = io.Inputs("rows")
            .AsParallel()
            .AsOrdered()
            .WithDegreeOfParallelism(io.Threads)
            .Select(i => ParquetTable.Read<ScoreRow>(i.Path).Where(r => columns.ContainsKey(r.Metric)).ToList())
            .AsSequential()
            .SelectMany(rows => rows.GroupBy(r => (r.Model, r.Seed, r.Set, r.Method, r.Split, r.Metric)));
        foreach (var split in splits)
        {
            var (model, seed, set, method, name, metric) = split.Key;
            var place = new ScoreKey(model, set, method, name, columns[metric]);
            var rows = split
                .OrderBy(r => r.Order)
                .ThenBy(r => r.Id, StringComparer.Ordinal)
                .Take(profile.Rows ?? int.MaxValue)
                .ToList();
            foreach (var (row, weight) in rows.Zip(profile.WeightsOf(metric, rows.Count)))
                yield return new ResampledRow(place, seed, row.Id, row.Value, weight);
        }
    }

    public static IReadOnlyList<RatedMean> Ratings(StageIo io) =>
        [.. io.Inputs("ratings").SelectMany(i => ParquetTable.Read<RatedMean>(i.Path))];

    // A set is described by what its block in the profile says; what else stands there is not for reports. A value of
    // another type is the complaint of the stage that makes the set.
    internal static StudySet Described(string name, JsonObject set) =>
        new(
            name,
            Text(set["data"]) ?? "",
            Whole(set["size"]),
            Text(set["target"]) == "model" ? "self-improved" : "plain",
            Whole(set["merge"]) ?? 1,
            set["unseen"] is { } unseen && unseen.GetValueKind() == JsonValueKind.Number
                ? double.Parse(unseen.ToJsonString(), CultureInfo.InvariantCulture)
                : 0
        );

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static int? Whole(JsonNode? node) =>
        node is JsonValue value
        && int.TryParse(value.ToJsonString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n)
            ? n
            : null;
}
