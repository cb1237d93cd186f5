using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>The kinds of work of the study, from data to tables.</summary>
[CodeBoundary]
public static class StudyStages
{
    /// <summary>One line a stage.</summary>
    public static StageCatalog Catalog { get; } =
        new([
            new FactsStage(),
            new ContractsStage(),
            new RephraseStage(),
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
            new TablesStage(),
            new FiguresStage(),
            new CasesStage(),
            new ClaimsStage(),
            new ReportStage(),
        ]);
}
