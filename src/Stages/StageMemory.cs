using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>
/// Memory of a cell of the study: its parameters in the terms of <see cref="MemoryModel"/>. Nothing is loaded.
/// </summary>
public static class StageMemory
{
    private const int ShortAnswer = 48;

    /// <summary>The estimate for a cell; null where this class does not know the stage or the method.</summary>
    /// <param name="cell">With its parameters.</param>
    /// <param name="config">Shape of the model it works on.</param>
    /// <param name="typeBytes">4 for float32, 2 for bfloat16 and float16.</param>
    public static MemoryEstimate? Of(Cell cell, ModelConfig config, int typeBytes)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Parameters switch
        {
            AnswerStage.Params p => MemoryModel.Answers(config, typeBytes, p.MaxNewTokens),
            QualityStage.Params p => MemoryModel.Answers(config, typeBytes, p.MaxNewTokens),
            KnownStage.Params p => MemoryModel.Answers(config, typeBytes, p.MaxNewTokens),
            TargetsStage.Params { From: TargetsStage.RefusalSource.Model } => MemoryModel.Answers(
                config,
                typeBytes,
                ShortAnswer
            ),
            TargetsStage.Params => MemoryModel.Text,
            ContextsStage.Params => MemoryModel.Answers(config, typeBytes, UsualRow.AnswerTokens),
            ProjectorStage.Params p => MemoryModel.Projectors(config, p.Layers.Count),
            FinetuneStage.Params p => MemoryModel.Training(Planned(config, typeBytes, p)),
            MomentsStage.Params p => MemoryModel.Moments(config, typeBytes, p.Layers.Count),
            PretrainStage.Params p => MemoryModel.Pretraining(config, p.Size.Batch),
            ApplyStage.Params p => MethodCatalog.Bind(p.Method, p.Preset, p.Options, out _) is { } bound
                ? MethodEstimates.Memory(config, typeBytes, bound.Entry, bound.Options)
                : null,
            _ => null,
        };
    }

    // Contracts and the rows of the pretraining text shown beside them.
    private static TrainingPlan Planned(ModelConfig config, int typeBytes, FinetuneStage.Params parameters)
    {
        var rows = parameters.Training.BatchSize * (1 + (int)Math.Ceiling((parameters.Replay?.RowsPerRow ?? 0)));
        return new TrainingPlan
        {
            Config = config,
            Moves = parameters.Training.Moves,
            Rows = rows,
            Width = UsualRow.Tokens,
            Labels = rows * UsualRow.AnswerTokens,
            Read = (long)rows * UsualRow.AnswerTokens,
            WeightBytes = typeBytes,
        };
    }
}
