using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A stage failed: its work, not its input. The command line ends with exit code 1.</summary>
public sealed class StageFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Failures of the engine itself, in words.</summary>
internal static class Failures
{
    /// <summary>Files from outside are not there; all of them, with the commands that fetch them.</summary>
    public static ResourceUnavailableException NotThere(IReadOnlyList<FileInput> files)
    {
        var hints = files.Select(f => f.Obtain).OfType<string>().Distinct().Select(c => $"\n  hint: {c}");
        return new(string.Join('\n', files.Select(f => $"{f.Path}: is not there")) + string.Concat(hints));
    }

    /// <summary>A cell needs more memory than the run may use.</summary>
    public static ResourceUnavailableException TooLarge(string refusal, string? relief) =>
        new(refusal + "\n  hint: " + (relief ?? "allow more with --memory or --gpu-memory, or use a larger machine"));

    /// <summary>Memory ran out: the stage, what it needs, what there is, and what to change.</summary>
    public static ResourceUnavailableException OutOfMemory(
        Cell cell,
        MemoryShortage shortage,
        Need need,
        bool fellBack,
        string? relief
    )
    {
        var where = shortage.OnGpu ? "on the GPU" : "in the machine's memory";
        var expected = shortage.OnGpu ? need.GpuBytes : need.HostBytes;
        string[] needs =
        [
            .. expected is { } bytes ? (string[])[$"{Dispatcher.Bytes(bytes)} expected"] : [],
            .. shortage.Tried is { } tried ? (string[])[$"another {Dispatcher.Bytes(tried)} when it failed"] : [],
        ];
        var lines = new List<string>
        {
            $"memory ran out {where}" + (fellBack ? ", and again after the fallback" : ""),
            $"  stage: {cell.Stage.Info.Name}",
            $"  need:  {(needs.Length > 0 ? string.Join(", ", needs) : "unknown")}",
            "  limit: " + (shortage.Limit is { } limit ? Dispatcher.Bytes(limit) : "what the system gives"),
            $"  said:  {shortage.Text}",
            "  hint: " + (relief ?? "fewer stages side by side (-j 1), a smaller batch, or more memory"),
        };
        return new(string.Join('\n', lines));
    }
}
