using EditUnlearn.Models;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>What stages do with their input and output alike.</summary>
internal static class Loading
{
    /// <summary>Opens a model on the run's device, in the run's type.</summary>
    /// <remarks>Questions are put as the study puts them to the family, whatever the checkpoint's own way is.</remarks>
    public static Checkpoint LoadModel(this StageIo io, string input)
    {
        var checkpoint = Checkpoint.Load(io.Input(input), Compute.Of(io.Device, io.DType), ChatTemplate.OfFamily);
        if (checkpoint.TemplateNote is { } note)
            io.Log(note);
        return checkpoint;
    }

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
