using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;

namespace EditUnlearn.Workbench;

/// <summary>
/// What a method takes in memory and time, before any row is read: its options in the terms of
/// <see cref="MemoryModel"/> and <see cref="TimeModel"/>.
/// </summary>
public static class MethodEstimates
{
    /// <summary>Memory of a method at work; null for one this class does not know.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="typeBytes">4 for float32, 2 for bfloat16 and float16.</param>
    /// <param name="entry">The method.</param>
    /// <param name="options">Its options record.</param>
    public static MemoryEstimate? Memory(ModelConfig config, int typeBytes, MethodEntry entry, object options)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(entry);
        return options switch
        {
            TrainingOptions training => MemoryModel.Training(
                Planned(config, typeBytes, training, entry.Needs(options))
            ),
            IEditingOptions { Layers.Count: > 0 } editing => MemoryModel.Editing(
                config,
                typeBytes,
                editing.Layers,
                RowsTogether(editing),
                entry.Needs(options).HasFlag(Needs.SecondMoments)
            ),
            _ => entry.Kind == MethodKind.Untouched ? MemoryModel.Loaded(config, typeBytes) : null,
        };
    }

    /// <summary>Floating-point operations of the edits.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="entry">The method.</param>
    /// <param name="options">Its options record.</param>
    /// <param name="edits">Requests, or rows to forget.</param>
    public static double Operations(ModelConfig config, MethodEntry entry, object options, int edits)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(entry);
        var needs = entry.Needs(options);
        var layers = (options as IEditingOptions)?.Layers ?? [];
        var edit = options is TrainingOptions training
            ? TimeModel.TrainingRow(config, training.Epochs, Kinds(needs))
            : TimeModel.ValueSearch(config, Steps(options), Rows(options as IEditingOptions), layers);
        return edits * edit + (needs.HasFlag(Needs.SecondMoments) ? TimeModel.Solve(config, layers.Count) : 0);
    }

    // A reference is compared with at every position of the retain rows.
    private static TrainingPlan Planned(ModelConfig config, int typeBytes, TrainingOptions options, Needs needs)
    {
        var compared = options.ComparesStates ? (long)options.BatchSize * UsualRow.Tokens : 0;
        var labels = options.BatchSize * Kinds(needs) * UsualRow.AnswerTokens;
        return new TrainingPlan
        {
            Config = config,
            Moves = options.Moving(),
            Rows = options.BatchSize,
            Width = UsualRow.Tokens,
            Forwards = Kinds(needs),
            Labels = labels,
            Read = labels + compared,
            Compared = Math.Min(compared, TrainedModel.PositionsAtOnce(config.VocabSize)),
            WeightBytes = typeBytes,
        };
    }

    // Forget rows, and beside them as many retain or refusal rows as the loss asks for.
    private static int Kinds(Needs needs) =>
        1 + (needs.HasFlag(Needs.RetainSet) ? 1 : 0) + (needs.HasFlag(Needs.Refusals) ? 1 : 0);

    // Contexts, the bare prompt, the essence sentence.
    private static int Rows(IEditingOptions? options) => 2 + (options?.Contexts ?? 0);

    // Those of a batch, as far as they go through the model together.
    private static long RowsTogether(IEditingOptions options) =>
        Math.Min((long)options.BatchSize * Rows(options), Math.Max(IEditingOptions.RowsTogether, Rows(options)));

    private static double Steps(object options)
    {
        var named = MethodCatalog.ToJson(options);
        return (double?)(named["value"]?["steps"] ?? named["steps"]) ?? 1;
    }
}
