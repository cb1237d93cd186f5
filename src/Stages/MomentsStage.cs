using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>
/// Measures which keys a model's memories see in ordinary text; once per model, before any edit, shared by all methods
/// that need it.
/// </summary>
internal sealed class MomentsStage : Stage<MomentsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Layers">Blocks, 0-based; all in one pass.</param>
    /// <param name="Truncation">Tokens of a row beyond are left out. The reference cuts at the model's position limit,
    /// which for Llama-3.1 does not fit any memory (defect S14).</param>
    /// <param name="Mom2Samples">Documents to measure on, drawn from the text by the seed; the reference's
    /// <c>mom2_n_samples</c>, which counts documents too. Null for all.</param>
    /// <param name="Seed">Of that draw; without one it is not looked at.</param>
    public sealed record Params(
        IReadOnlyList<int> Layers,
        int Truncation = 4096,
        int? Mom2Samples = null,
        ulong? Seed = null
    );

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("moments", 1, "second moments of the MLP keys")
        {
            Inputs = [new("model"), new("text")],
            Outputs = [ModelStatistics.MomentsFile],
            Resource = Resource.Accelerator,
            SpareThreads = ProductThreads.Useful,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        foreach (var problem in Layers.Problems(parameters.Layers))
            yield return problem;
        if (parameters.Truncation < 1)
            yield return new ParameterProblem("truncation", "must be at least 1 token");
        if (parameters.Mom2Samples < 1)
            yield return new ParameterProblem("mom2Samples", "must be at least 1 document", "null for all of the text");
        if (parameters.Mom2Samples is not null && parameters.Seed is null)
            yield return new ParameterProblem("seed", "is missing: documents are drawn by it");
    }

    /// <inheritdoc/>
    /// <remarks>Where all documents are taken nothing is drawn, and no key needs the seed.</remarks>
    protected override Params Complete(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return parameters.Mom2Samples is null ? parameters with { Seed = null } : parameters;
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var spread = ProductThreads.Use(io.Threads);
        using var checkpoint = io.LoadModel("model");
        Layers.Check(parameters.Layers, checkpoint.Model.Config.Layers, "layers of the stage 'moments'");
        var rows = ModelStatistics.Text(
            checkpoint,
            io.Input("text"),
            parameters.Mom2Samples is { } samples ? (samples, new Seed(parameters.Seed!.Value)) : null
        );
        ModelStatistics.WriteMoments(
            io.Output(ModelStatistics.MomentsFile),
            checkpoint.Model,
            rows,
            parameters.Layers,
            parameters.Truncation,
            io.Listener()
        );
    }
}
