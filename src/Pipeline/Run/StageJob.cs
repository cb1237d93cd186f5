using System.Text.Json.Nodes;

namespace EditUnlearn.Pipeline;

/// <summary>One attempt at one cell, in a form that can be sent to another process.</summary>
/// <param name="Stage">The kind of work.</param>
/// <param name="Cell">Name of the stage in the file.</param>
/// <param name="Axes">Labels of the cell.</param>
/// <param name="Parameters">As in the key.</param>
/// <param name="Inputs">Paths of the inputs.</param>
/// <param name="Staging">Where outputs are written.</param>
/// <param name="Scratch">Survives a killed attempt.</param>
/// <param name="Device">For tensors.</param>
/// <param name="DType">For weights.</param>
/// <param name="Threads">That the stage may keep busy; no result depends on it.</param>
/// <param name="Gpu">The one GPU that its process sees; null leaves that to the environment.</param>
/// <param name="FellBack">Whether memory ran out before and the stage's fallback is in force.</param>
public sealed record StageJob(
    string Stage,
    string Cell,
    IReadOnlyList<KeyValuePair<string, string>> Axes,
    JsonObject Parameters,
    IReadOnlyList<JobInput> Inputs,
    string Staging,
    string Scratch,
    string Device,
    string DType,
    int Threads = 1,
    string? Gpu = null,
    bool FellBack = false
);

/// <summary>One artifact behind an input.</summary>
/// <param name="Name">Under <c>in:</c>.</param>
/// <param name="SourceStage">Stage of the cell that made it; null for a file.</param>
/// <param name="SourceAxes">Its labels.</param>
/// <param name="Path">File or folder.</param>
public sealed record JobInput(
    string Name,
    string? SourceStage,
    IReadOnlyList<KeyValuePair<string, string>> SourceAxes,
    string Path
);

/// <summary>What an attempt produced.</summary>
/// <param name="Outputs">Hashed and flushed.</param>
/// <param name="CpuSeconds">Processor time.</param>
/// <param name="PeakBytes">Highest resident memory.</param>
/// <param name="Metrics">Numbers reported.</param>
/// <param name="Warnings">What the user should know.</param>
/// <param name="GpuPeakBytes">Highest memory held on a GPU; null where nobody could tell.</param>
public sealed record StageResult(
    IReadOnlyList<StoredOutput> Outputs,
    double CpuSeconds,
    long PeakBytes,
    IReadOnlyDictionary<string, double> Metrics,
    IReadOnlyList<string> Warnings,
    long? GpuPeakBytes = null
);

/// <summary>Runs attempts: in this process or in others.</summary>
public interface IStageRunner : IAsyncDisposable
{
    /// <summary>Runs one attempt to its end.</summary>
    /// <param name="job">What to run.</param>
    /// <param name="observe">Told of progress, log lines and warnings, on any thread.</param>
    /// <param name="cancelled">Stops the attempt.</param>
    /// <exception cref="StageFailedException">The stage failed.</exception>
    /// <exception cref="Foundation.InputException">Its input is wrong.</exception>
    /// <exception cref="Foundation.DamagedFileException">Its input is damaged.</exception>
    Task<StageResult> RunAsync(StageJob job, Action<StageMessage> observe, CancellationToken cancelled);
}

/// <summary>What a running stage tells.</summary>
/// <param name="Kind">progress, log or warning.</param>
/// <param name="Text">The line, or what is being done.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
public sealed record StageMessage(StageMessageKind Kind, string? Text, double Done = 0, double Total = 0);

/// <summary>Kinds of messages.</summary>
public enum StageMessageKind
{
    /// <summary>How far it is.</summary>
    Progress,

    /// <summary>A line for the log.</summary>
    Log,

    /// <summary>A line for the user.</summary>
    Warning,

    /// <summary>What people have waited for, some lines of text.</summary>
    Result,
}
