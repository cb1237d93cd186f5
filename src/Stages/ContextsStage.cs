using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>
/// Lets the untouched model write the context prefixes of all recipes; once per model, shared by all methods and cells.
/// </summary>
internal sealed class ContextsStage : Stage<ContextsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the draws.</param>
    public sealed record Params(ulong Seed);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("contexts", 1, "context prefixes written by the model")
        {
            Inputs = [new("model")],
            Outputs = [ModelStatistics.ContextsFile],
            Resource = Resource.Accelerator,
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        ModelStatistics.WriteContexts(
            io.Output(ModelStatistics.ContextsFile),
            checkpoint,
            new Seed(parameters.Seed),
            io.Listener()
        );
    }
}
