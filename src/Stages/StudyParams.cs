using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Figures;

namespace EditUnlearn.Stages;

/// <summary>Which models, data and sizes play the paper's parts; the block <c>tables</c> of the settings.</summary>
/// <param name="Main">The model of most tables.</param>
/// <param name="Second">The second model of Tables 1 and 4.</param>
/// <param name="Third">The model of Table 3.</param>
/// <param name="Facts">Data from pretraining.</param>
/// <param name="Contracts">Data from finetuning.</param>
/// <param name="FactsSize">Facts to be forgotten in Tables 1, 2, 3.</param>
/// <param name="ContractsSize">Contract questions to be forgotten in Table 1.</param>
/// <param name="LargeContractsSize">The same in Table 4.</param>
/// <param name="Sizes">Facts to be forgotten in Table 5, rising; null for the paper's 20 to 100.</param>
/// <param name="ImprovedSize">Facts to be forgotten in Table 6.</param>
/// <param name="MergedSize">Facts to be forgotten in Table 7.</param>
/// <param name="Merges">Questions merged into one in Table 7, rising; null for the paper's.</param>
public sealed record StudyParams(
    string Main = "llama2",
    string Second = "mistral",
    string Third = "llama31",
    string Facts = "facts",
    string Contracts = "contracts",
    int FactsSize = 40,
    int ContractsSize = 20,
    int LargeContractsSize = 40,
    IReadOnlyList<int>? Sizes = null,
    int ImprovedSize = 20,
    int MergedSize = 80,
    IReadOnlyList<int>? Merges = null
);

/// <summary>What every report is told.</summary>
/// <param name="Study">The parts.</param>
/// <param name="Methods">That were run.</param>
/// <param name="Kind">What the models are; every caption says so.</param>
/// <param name="Target">Refusals of the main runs.</param>
/// <param name="Profile">Of the metrics: <c>strict</c> or <c>paper</c>.</param>
public sealed record ReportParams(
    StudyParams Study,
    IReadOnlyList<string> Methods,
    ModelKind Kind,
    TargetsStage.RefusalSource Target,
    string Profile = "strict"
);

/// <summary>What the report stages share: checks, scope, numbers.</summary>
internal static class ReportInputs
{
    public static IEnumerable<ParameterProblem> Check(ReportParams p)
    {
        foreach (var method in p.Methods.Where(m => MethodCatalog.Find(m) is null))
            yield return new ParameterProblem(
                "methods",
                $"names '{method}', which is not a method",
                Spelling.Nearest(method, MethodCatalog.All.Select(m => m.Name)) is { } near
                    ? $"did you mean '{near}'?"
                    : null
            );
        if (MetricProfile.All.All(x => x.Name != p.Profile))
            yield return new ParameterProblem(
                "profile",
                $"'{p.Profile}' is not a profile of metrics",
                "known: " + string.Join(", ", MetricProfile.All.Select(x => x.Name))
            );
        foreach (
            var (name, list) in ((string, IReadOnlyList<int>?)[])
                [("study.sizes", p.Study.Sizes), ("study.merges", p.Study.Merges)]
        )
            if (
                list is not null
                && (list.Count == 0 || list.Zip(list.Skip(1)).Any(x => x.First >= x.Second) || list[0] < 1)
            )
                yield return new ParameterProblem(name, "must be whole numbers of at least 1, rising");
    }

    public static StudyScope Scope(ReportParams p)
    {
        ArgumentNullException.ThrowIfNull(p);
        var own = p.Target == TargetsStage.RefusalSource.Model;
        var target = own ? StudySet.SelfImproved : StudySet.Plain;
        var (s, sets) = (p.Study, new Dictionary<string, StudySet>(StringComparer.Ordinal));
        string Set(string data, int size, string suffix = "", string? refusals = null, int merge = 1)
        {
            var set = new StudySet($"{data}-{size}{suffix}", data, size, refusals ?? target, merge);
            sets[set.Name] = set;
            return set.Name;
        }
        return new StudyScope
        {
            Main = s.Main,
            Second = s.Second,
            Third = s.Third,
            Facts = Set(s.Facts, s.FactsSize),
            Contracts = Set(s.Contracts, s.ContractsSize),
            MoreContracts = Set(s.Contracts, s.LargeContractsSize),
            Sizes = [.. (s.Sizes ?? [20, 40, 60, 80, 100]).Select(n => Set(s.Facts, n))],
            BeforeImprovement = Set(s.Facts, s.ImprovedSize, own ? "-list" : "", StudySet.Plain),
            AfterImprovement = Set(s.Facts, s.ImprovedSize, own ? "" : "-model", StudySet.SelfImproved),
            Unmerged = Set(s.Facts, s.MergedSize),
            Merged = [.. (s.Merges ?? [2, 4, 5, 8, 10]).Select(k => Set(s.Facts, s.MergedSize, $"-by-{k}", merge: k))],
            Sets = sets,
            Kind = p.Kind,
            Methods = StudyScope.WithPaperMethods([
                .. p
                    .Methods.Select(m => MethodCatalog.Find(m)!)
                    .Select(m => new ReportMethod(m.Name, m.Label, m.IsEditing)),
            ]),
            ModelLabels = FamilyCatalog.All.ToDictionary(f => f.Name, f => f.Label, StringComparer.Ordinal),
        };
    }

    public static IReadOnlyList<CellScore> Scores(StageIo io) =>
        [
            .. ((string[])["before", "scores"])
                .SelectMany(io.Inputs)
                .SelectMany(i => ParquetTable.Read<CellScore>(i.Path)),
        ];

    public static ScoreBook Book(IReadOnlyList<CellScore> scores, ReportParams p)
    {
        var profile = MetricProfile.All.First(x => x.Name == p.Profile);
        return new ScoreBook(
            scores,
            profile.Name,
            [.. profile.Columns, .. FigureCatalog.StandIns.Select(s => KeyValuePair.Create(s, s))]
        );
    }

    public static IReadOnlyList<RatedMean> Ratings(StageIo io) =>
        [.. io.Inputs("ratings").SelectMany(i => ParquetTable.Read<RatedMean>(i.Path))];
}
