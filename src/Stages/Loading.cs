using EditUnlearn.Models;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>What stages do with their input and output alike.</summary>
internal static class Loading
{
    /// <summary>Opens a model on the run's device, in the run's type.</summary>
    public static Checkpoint LoadModel(this StageIo io, string input) =>
        Checkpoint.Load(io.Input(input), Compute.Of(io.Device, io.DType));

    /// <summary>Tells the stage what is told while statistics are measured.</summary>
    public static ModelStatistics.Listener Listener(this StageIo io) =>
        new()
        {
            Progress = (done, total) => io.Progress(done, total),
            Log = io.Log,
            Warn = io.Warn,
            Metric = io.Metric,
            Cancelled = io.Cancelled,
        };
}
