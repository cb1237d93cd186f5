using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>The kinds of work of the study, from data to tables.</summary>
[CodeBoundary]
public static class StudyStages
{
    /// <summary>One line a stage.</summary>
    public static StageCatalog Catalog { get; } =
        new(
            [
                new DataStage(),
                new RephraseStage(),
                new KnownStage(),
                new SplitsStage(),
                new TargetsStage(),
                new MergeStage(),
                new PretrainStage(),
                new CheckpointStage(),
                new FinetuneStage(),
                new QualityStage(),
                new ContextsStage(),
                new MomentsStage(),
                new ProjectorStage(),
                new ApplyStage(),
                new AnswerStage(),
                new ScoreStage(),
                new ForgetQualityStage(),
                new ForgetQualityTableStage(),
                new FirstTableStage(),
                new TablesStage(),
                new KnownTableStage(),
                new RatingsStage(),
                new FiguresStage(),
                new CasesStage(),
                new ClaimsStage(),
                new ReportStage(),
            ],
            Methods
        );

    // Every method is a label of the axis `methods`; profiles add presets and options, and variants of methods.
    private static KnownEntries Methods =>
        new("methods", [.. MethodCatalog.All.Select(m => (m.Name, ValuesOf(m)))]) { VariantOf = "method" };

    private static IReadOnlyList<(string Key, string Value)> ValuesOf(MethodEntry method) =>
        [
            ("method", method.Name),
            ("label", method.Label),
            ("runs", "true"),
            ("kind", method.Kind.ToString().ToLowerInvariant()),
            ("in-paper", method.InPaper || method.Kind == MethodKind.Untouched ? "true" : "false"),
        ];
}
