using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>What a job is to do.</summary>
/// <param name="Cell">Text of its cell.</param>
/// <param name="Profile">Of the plan.</param>
/// <param name="Sets">Changes of settings, as typed.</param>
/// <param name="Force">Whether to run whatever the store holds.</param>
/// <param name="HeartbeatSeconds">How often it says that it lives.</param>
public sealed record JobOrder(
    string Cell,
    string Profile,
    IReadOnlyList<string> Sets,
    bool Force,
    double HeartbeatSeconds
);

/// <summary>How far a job is; another count each time.</summary>
/// <param name="Count">Since its start.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all; 0 while unknown.</param>
/// <param name="What">What is being done.</param>
internal sealed record JobBeat(long Count, double Done, double Total, string? What);

/// <summary>What became of a job, written last: where it stands, the job has ended by itself.</summary>
/// <param name="Cell">Text of its cell.</param>
/// <param name="Key">The key that the job worked out from the inputs it found; null where they were not there.</param>
/// <param name="Outcome">What became of the cell; not run where its inputs were not there.</param>
/// <param name="Seconds">Of the stage.</param>
/// <param name="Reasons">Why it ran, or why not.</param>
/// <param name="Failure">Why it failed.</param>
/// <param name="Publication">See <see cref="CellOutcome"/>.</param>
/// <param name="Outputs">Hashes by name.</param>
/// <param name="PeakBytes">Highest resident memory of the stage: Slurm's own limits need cgroups.</param>
/// <param name="Host">Where it ran.</param>
internal sealed record JobResult(
    string Cell,
    string? Key,
    Outcome Outcome,
    double Seconds,
    IReadOnlyList<string> Reasons,
    WorkerFailure? Failure,
    Publication? Publication,
    IReadOnlyDictionary<string, string> Outputs,
    long PeakBytes,
    string Host
);

/// <summary>Where a job and the run that sent it meet, on the disk that both see.</summary>
/// <param name="path">The folder; named by ticket, attempt and a drawn number.</param>
internal sealed class JobFolder(string path)
{
    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>What the job prints.</summary>
    public string Log => In("out.log");

    /// <summary>What <c>sbatch</c> gets.</summary>
    public string Script => In("job.sh");

    /// <summary>What the job's comment says: ticket, attempt, and a number drawn for this job alone.</summary>
    public string Comment => System.IO.Path.GetFileName(Path);

    /// <summary>Counts from 1.</summary>
    public int Attempt =>
        Comment.Split('.') is [_, var attempt, _] && int.TryParse(attempt, CultureInfo.InvariantCulture, out var n)
            ? n
            : 0;

    /// <summary>A folder for an attempt.</summary>
    /// <param name="store">On the shared disk.</param>
    /// <param name="ticket">Of the cell.</param>
    /// <param name="attempt">Its number.</param>
    public static JobFolder New(ResultStore store, string ticket, int attempt) =>
        new(
            System.IO.Path.Combine(
                Parent(store),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{ticket}.{attempt}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}"
                )
            )
        );

    /// <summary>Folders of all attempts at a ticket that are still there, the first one first.</summary>
    public static IReadOnlyList<JobFolder> Attempts(ResultStore store, string ticket) =>
        Directory.Exists(Parent(store))
            ?
            [
                .. Directory
                    .EnumerateDirectories(Parent(store), ticket + ".*")
                    .Select(f => new JobFolder(f))
                    .Where(f => f.Attempt > 0)
                    .OrderBy(f => f.Attempt),
            ]
            : [];

    /// <summary>Makes the folder, for its owner alone.</summary>
    public void Write(JobOrder order, string script)
    {
        Directory.CreateDirectory(Path);
        AtomicFile.Write(In("job.json"), JsonSerializer.SerializeToUtf8Bytes(order, WorkerProtocol.Json));
        File.WriteAllText(Script, script);
    }

    /// <summary>The order; null where there is none.</summary>
    public JobOrder? Order() => Read<JobOrder>("job.json");

    /// <summary>The result; null while there is none.</summary>
    public JobResult? Result() => Read<JobResult>("result.json");

    /// <summary>The last sign of life; null for none.</summary>
    public JobBeat? Beat() => Read<JobBeat>("heartbeat.json");

    /// <summary>How long ago the last sign of life was, by this machine's clock; null for none.</summary>
    public TimeSpan? Silence() =>
        File.Exists(In("heartbeat.json")) ? DateTime.UtcNow - File.GetLastWriteTimeUtc(In("heartbeat.json")) : null;

    public void Write(JobResult result) =>
        AtomicFile.Write(In("result.json"), JsonSerializer.SerializeToUtf8Bytes(result, WorkerProtocol.Json));

    public void Write(JobBeat beat)
    {
        var next = In("heartbeat.json.tmp");
        File.WriteAllBytes(next, JsonSerializer.SerializeToUtf8Bytes(beat, WorkerProtocol.Json));
        File.Move(next, In("heartbeat.json"), overwrite: true);
    }

    /// <summary>The last lines that the job printed.</summary>
    public string LogTail()
    {
        try
        {
            return File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(5)) : "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static string Parent(ResultStore store) => System.IO.Path.Combine(store.Folder, "slurm");

    private string In(string name) => System.IO.Path.Combine(Path, name);

    private T? Read<T>(string name)
        where T : class
    {
        try
        {
            return File.Exists(In(name))
                ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(In(name)), WorkerProtocol.Json)
                : null;
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            return null; // replaced at this moment; the next look sees it
        }
    }
}
