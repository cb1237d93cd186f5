using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>How much there is of what costs time and memory.</summary>
/// <param name="Edits">Requests, or rows to forget.</param>
/// <param name="Asked">Questions asked before, and again after.</param>
/// <param name="NewTokens">Limit of an answer.</param>
/// <param name="TextTokens">Tokens second moments are measured on; 0 where they are there.</param>
/// <param name="Makes">Statistics that have to be made, by name.</param>
/// <param name="WeightBytes">Of the checkpoint on disk.</param>
/// <param name="WritesCheckpoint">Whether it is written again.</param>
internal sealed record WorkSize(
    int Edits,
    int Asked,
    int NewTokens,
    double TextTokens,
    IReadOnlyList<string> Makes,
    double WeightBytes,
    bool WritesCheckpoint
);

/// <summary>What <c>apply</c> will hold in memory and how much it has to do.</summary>
/// <param name="config">Shape of the model.</param>
/// <param name="entry">The method.</param>
/// <param name="options">Its options record.</param>
/// <param name="size">Of the work.</param>
internal sealed class ApplyEstimate(ModelConfig config, MethodEntry entry, object options, WorkSize size)
{
    private readonly IReadOnlyList<int> _layers = (options as IEditingOptions)?.Layers ?? [];

    /// <summary>Phases follow one another; the largest counts.</summary>
    /// <param name="typeBytes">4 for float32, 2 for bfloat16 and float16.</param>
    public MemoryEstimate Memory(int typeBytes)
    {
        MemoryEstimate?[] phases =
        [
            MethodEstimates.Memory(config, typeBytes, entry, options),
            size.Asked > 0 ? MemoryModel.Answers(config, typeBytes, size.NewTokens) : null,
            size.Makes.Contains(MethodMaterial.Moments) ? MemoryModel.Moments(config, typeBytes, _layers.Count) : null,
            size.Makes.Contains(MethodMaterial.Projector) ? MemoryModel.Projectors(config, _layers.Count) : null,
        ];
        return phases.OfType<MemoryEstimate>().MaxBy(m => m.Bytes)!;
    }

    /// <summary>The parts in order.</summary>
    public IReadOnlyList<WorkPart> Parts()
    {
        var parts = new List<WorkPart> { new("load", 0, size.WeightBytes) };
        foreach (var made in size.Makes)
            parts.Add(
                made switch
                {
                    MethodMaterial.Contexts => new("contexts", TimeModel.Contexts(config)),
                    MethodMaterial.Moments => new("moments", TimeModel.Moments(config, size.TextTokens, _layers)),
                    _ => new("projector", TimeModel.Projectors(config, _layers.Count)),
                }
            );
        parts.Add(new("edit", MethodEstimates.Operations(config, entry, options, size.Edits)));
        parts.Add(new("answers", TimeModel.Answers(config, size.Asked, size.NewTokens)));
        if (size.WritesCheckpoint)
            parts.Add(new("write", 0, size.WeightBytes));
        return [.. parts.Where(p => p.Operations + p.Bytes > 0)];
    }
}
