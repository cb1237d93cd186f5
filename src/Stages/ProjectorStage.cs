using EditUnlearn.Methods.Shared;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;
using static TorchSharp.torch;

namespace EditUnlearn.Stages;

/// <summary>Finds the directions of each memory that ordinary keys hardly use; once per model and bound.</summary>
internal sealed class ProjectorStage : Stage<ProjectorStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Layers">Blocks, 0-based; the moments must hold them.</param>
    /// <param name="Threshold">Directions whose eigenvalue lies below are kept; .02 is the reference's for 7B
    /// models.</param>
    /// <param name="Unit">Whether the bound is absolute, as in the reference, or in units of the mean
    /// eigenvalue.</param>
    public sealed record Params(
        IReadOnlyList<int> Layers,
        double Threshold = 0.02,
        EigenvalueUnit Unit = EigenvalueUnit.Absolute
    );

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("projector", 1, "projectors onto the null space of the MLP keys")
        {
            Inputs = [new("moments")],
            Outputs = [ModelStatistics.ProjectorFile],
            Resource = Resource.Accelerator,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        foreach (var problem in Layers.Problems(parameters.Layers))
            yield return problem;
        if (!(parameters.Threshold > 0))
            yield return new ParameterProblem("threshold", "must be above 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        ModelStatistics.WriteProjector(
            io.Output(ModelStatistics.ProjectorFile),
            io.Input("moments"),
            parameters.Layers,
            parameters.Threshold,
            parameters.Unit,
            device(io.Device),
            io.Listener()
        );
    }
}
