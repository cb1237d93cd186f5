using System.Collections.Concurrent;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The far end of a worker process: reads jobs as JSON lines, runs them, answers in JSON lines. Ends when its input
/// does.
/// </summary>
public static class Worker
{
    /// <summary>One line from a worker.</summary>
    /// <param name="Message">While a job runs.</param>
    /// <param name="Result">When it is done.</param>
    /// <param name="Failure">When it failed.</param>
    internal sealed record Reply(
        StageMessage? Message = null,
        StageResult? Result = null,
        WorkerFailure? Failure = null
    );

    /// <summary>Serves until the scheduler closes the pipe.</summary>
    /// <param name="catalog">The stages.</param>
    /// <param name="input">Jobs.</param>
    /// <param name="output">Replies.</param>
    public static int Serve(StageCatalog catalog, Stream input, Stream output)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        // Replies own the real stdout; whatever a stage or a library prints goes to the log instead.
        Console.SetOut(Console.Error);
        using var jobs = new BlockingCollection<string>();
        Listen(input, jobs);
        using var gate = new SemaphoreSlim(1, 1);
        void Send(Reply reply)
        {
            gate.Wait();
            try
            {
                output.Write([.. JsonSerializer.SerializeToUtf8Bytes(reply, WorkerProtocol.Json), (byte)'\n']);
                output.Flush();
            }
            finally
            {
                gate.Release();
            }
        }
        foreach (var line in jobs.GetConsumingEnumerable())
        {
            try
            {
                var job = JsonSerializer.Deserialize<StageJob>(line, WorkerProtocol.Json)!;
                var stage =
                    catalog.Find(job.Stage)
                    ?? throw new InvalidOperationException($"This worker knows no stage '{job.Stage}'.");
                Send(
                    new Reply(
                        Result: StageExecution.Run(stage, job, m => Send(new Reply(Message: m)), CancellationToken.None)
                    )
                );
            }
            catch (Exception e)
            {
                Send(new Reply(Failure: WorkerFailure.Of(e)));
            }
        }
        return 0;
    }

    // The pipe closes when the scheduler dies, however it dies; a worker in the middle of a stage must not go on
    // without it.
    private static void Listen(Stream input, BlockingCollection<string> jobs) =>
        new Thread(() =>
        {
            using var reader = new StreamReader(input);
            while (reader.ReadLine() is { } line)
                jobs.Add(line);
            // At once: the orderly way can take seconds on a busy machine, and there is nothing left to write.
            System.Diagnostics.Process.GetCurrentProcess().Kill();
        })
        {
            IsBackground = true,
            Name = "jobs",
        }.Start();
}

/// <summary>A failure on its way from a worker: its kind decides the exit code.</summary>
/// <param name="Kind">input, damaged, unavailable, memory or failed.</param>
/// <param name="Message">For the user.</param>
/// <param name="Detail">With the stack, for the log.</param>
/// <param name="Problems">Of an input.</param>
/// <param name="Shortage">Of memory.</param>
internal sealed record WorkerFailure(
    string Kind,
    string Message,
    string Detail,
    IReadOnlyList<InputProblem>? Problems,
    MemoryShortage? Shortage = null
)
{
    public static WorkerFailure Of(Exception e) =>
        e switch
        {
            InputException i => new("input", e.Message, e.ToString(), i.Problems),
            DamagedFileException d => new(
                "damaged",
                e.Message,
                e.ToString(),
                [new InputProblem(d.File, 0, 0, d.Problem, d.Hint)]
            ),
            ResourceUnavailableException => new("unavailable", e.Message, e.ToString(), null),
            _ when MemoryShortage.Of(e) is { } shortage => new("memory", e.Message, e.ToString(), null, shortage),
            _ => new("failed", e.Message, e.ToString(), null),
        };

    public Exception ToException() =>
        Kind switch
        {
            "input" => new InputException(Problems!),
            "damaged" => new DamagedFileException(Problems![0].File, Problems[0].Message, Problems[0].Hint),
            "unavailable" => new ResourceUnavailableException(Message),
            "memory" => new MemoryShortageException(Shortage!),
            _ => new StageFailedException(Message),
        };
}

/// <summary>How jobs and replies are written.</summary>
internal static class WorkerProtocol
{
    public static JsonSerializerOptions Json { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
        };
}
