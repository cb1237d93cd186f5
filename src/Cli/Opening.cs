using EditUnlearn.Cli.Terminal;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Cli;

/// <summary>How commands load a model: progress while it lasts, oddities of the weights as warnings.</summary>
internal static class Opening
{
    /// <summary>Weights alone, for exact work without a tokenizer.</summary>
    public static CausalLm Weights(string folder, Compute compute, CancellationToken cancelled) =>
        Shown(options => WeightFolder.Load(folder, compute.Device, compute.DType, options), cancelled);

    /// <summary>Weights, tokenizer and chat template.</summary>
    /// <param name="folder">A model folder.</param>
    /// <param name="compute">Device and type.</param>
    /// <param name="template">Name or file of a chat template; <c>own</c>, <c>family</c>, or null for what
    /// belongs to the checkpoint.</param>
    /// <param name="official">Whether the template's own system text is used.</param>
    /// <param name="cancelled">Stops the load.</param>
    public static Checkpoint Checkpoint(
        string folder,
        Compute compute,
        string? template,
        bool official,
        CancellationToken cancelled
    )
    {
        var checkpoint = Shown(
            options => Models.Checkpoint.Load(folder, compute, template, official, options),
            cancelled
        );
        if (checkpoint.TemplateNote is { } note)
            Screen.Note(note);
        return checkpoint;
    }

    /// <summary>A command that somebody waits for has the machine to itself, until it ends.</summary>
    public static void TakeThreads()
    {
        if (ProductThreads.Count == 1)
            _ = ProductThreads.Use(Math.Min(Environment.ProcessorCount, ProductThreads.Useful));
    }

    private static T Shown<T>(Func<LoadOptions, T> load, CancellationToken cancelled)
    {
        TakeThreads();
        using var counter = new Counter("loading", Format.Bytes);
        return load(
            new LoadOptions
            {
                Progress = p => counter.Report(p.BytesDone, p.BytesTotal),
                Warn = w => Screen.Note("warning: " + w),
                Cancelled = cancelled,
            }
        );
    }
}
