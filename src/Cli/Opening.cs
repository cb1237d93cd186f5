using EditUnlearn.Cli.Terminal;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Cli;

/// <summary>How commands load a model: progress while it lasts, oddities of the weights as warnings.</summary>
internal static class Opening
{
    /// <summary>Weights alone, for exact work without a tokenizer.</summary>
    public static CausalLm Weights(string folder, Compute compute, CancellationToken cancelled) => Shown(options => WeightFolder.Load(folder, compute.Device, compute.DType, options), cancelled);

    private static T Shown<T>(Func<LoadOptions, T> load, CancellationToken cancelled)
    {
        using var counter = new Counter("loading", Format.Bytes);
        return load(new LoadOptions
        {
            Progress = p => counter.Report(p.BytesDone, p.BytesTotal),
            Warn = w => Screen.Note("warning: " + w),
            Cancelled = cancelled,
        });
    }
}
