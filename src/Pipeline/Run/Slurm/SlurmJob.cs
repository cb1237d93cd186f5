using System.Globalization;
using System.Runtime.InteropServices;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The part of a run that a Slurm job does: one cell, by the same scheduler and the same store as anywhere.
/// </summary>
/// <remarks>
/// The cell's key is worked out from the inputs that are there when the job starts, so that a result that was made
/// meanwhile, or an input that came out as before, ends the job at once.
/// </remarks>
public static class SlurmJob
{
    private const int NotYet = 75; // EX_TEMPFAIL: what it reads is not there
    private const int Stopped = 143;
    private static readonly TimeSpan TimeToStop = TimeSpan.FromSeconds(20);

    /// <summary>What a job works with.</summary>
    /// <param name="Plan">As ordered.</param>
    /// <param name="Store">On the shared disk.</param>
    /// <param name="Keys">Of the plan.</param>
    /// <param name="Runner">Runs the stage.</param>
    /// <param name="Options">What the job may use.</param>
    public sealed record Ground(
        Plan Plan,
        ResultStore Store,
        KeyResolver Keys,
        IStageRunner Runner,
        RunOptions Options
    );

    /// <summary>Runs the job of a folder as a process of its own.</summary>
    /// <param name="folder">Holds the order; gets signs of life and the result.</param>
    /// <param name="open">Makes the plan of an order.</param>
    /// <returns>0 where the cell has a result.</returns>
    public static async Task<int> RunAsync(string folder, Func<JobOrder, Ground> open)
    {
        ArgumentNullException.ThrowIfNull(open);
        if (!ProcessGroup.Own())
            return Stopped;
        using var stop = new CancellationTokenSource();
        using var term = PosixSignalRegistration.Create(
            PosixSignal.SIGTERM,
            context =>
            {
                context.Cancel = true;
                stop.Cancel();
                // A stage in native code may not come back.
                _ = Task.Delay(TimeToStop, CancellationToken.None)
                    .ContinueWith(_ => ProcessGroup.Kill(), TaskScheduler.Default);
            }
        );
        return await RunAsync(new JobFolder(folder), open, stop.Token).ConfigureAwait(false);
    }

    internal static async Task<int> RunAsync(JobFolder folder, Func<JobOrder, Ground> open, CancellationToken stop)
    {
        var order =
            folder.Order()
            ?? throw new Foundation.InputException(folder.Path, "holds no order of a job", "not for people");
        var beats = new Beats(folder, TimeSpan.FromSeconds(order.HeartbeatSeconds));
        JobResult result;
        await using (beats.ConfigureAwait(false))
            result = await ResultAsync(order, open, beats, stop).ConfigureAwait(false);
        // A job that is stopped leaves no result: what Slurm says of it decides what is done.
        if (stop.IsCancellationRequested)
            return Stopped;
        folder.Write(result);
        return result.Outcome switch
        {
            Outcome.Failed => 1,
            Outcome.NotRun => NotYet,
            _ => 0,
        };
    }

    private static async Task<JobResult> ResultAsync(
        JobOrder order,
        Func<JobOrder, Ground> open,
        Beats beats,
        CancellationToken stop
    )
    {
        var empty = new JobResult(
            order.Cell,
            null,
            Outcome.NotRun,
            0,
            [],
            null,
            null,
            new Dictionary<string, string>(),
            0,
            Environment.MachineName
        );
        try
        {
            var ground = open(order);
            await using var runner = ground.Runner;
            var (plan, store, keys) = (ground.Plan, ground.Store, ground.Keys);
            var status = await SeenAsync(ground, order, stop).ConfigureAwait(false);
            if (status.State is CellState.Waiting or CellState.Missing)
                return empty with { Reasons = status.Reasons };
            var options = ground.Options with
            {
                Force = order.Force ? new HashSet<CellId> { status.Cell.Id } : [],
            };
            var run = await new Scheduler(plan, store, keys, runner, beats)
                .RunAsync([status.Cell], options, stop)
                .ConfigureAwait(false);
            var outcome = run.Cells.Single();
            return empty with
            {
                Key = status.Key,
                Outcome = outcome.Outcome,
                Seconds = outcome.Seconds,
                Reasons = outcome.Reasons,
                Failure = outcome.Error is { } error ? WorkerFailure.Of(error) : null,
                Publication = outcome.Publication,
                Outputs = store.Find(status.Key!) ?? empty.Outputs,
                PeakBytes = store.ReadManifest(status.Key!)?.PeakBytes ?? 0,
            };
        }
        catch (Exception e)
        {
            // Whatever it is, the run that waits must hear of it.
            return empty with
            {
                Outcome = Outcome.Failed,
                Failure = WorkerFailure.Of(e),
            };
        }
    }

    // What this node sees of the cell. A shared disk may show late what another node has written.
    private static async Task<CellStatus> SeenAsync(Ground ground, JobOrder order, CancellationToken stop)
    {
        const int Patience = 6;
        var beat = TimeSpan.FromSeconds(order.HeartbeatSeconds);
        for (var look = 0; ; look++)
        {
            var status = Status
                .Of(ground.Plan, ground.Store, ground.Keys)
                .Single(s => s.Cell.Id.Text == order.Cell);
            if (status.State != CellState.Waiting || look == Patience)
                return status;
            await Task.Delay(beat, stop).ConfigureAwait(false);
        }
    }

    // Signs of life from a thread of its own, with how far the stage is; lines for the job's log.
    private sealed class Beats : IRunObserver, IAsyncDisposable
    {
        private readonly ManualResetEventSlim _end = new();
        private readonly Thread _thread;
        private readonly JobFolder _folder;
        private JobBeat _last = new(0, 0, 0, null);

        public Beats(JobFolder folder, TimeSpan interval)
        {
            _folder = folder;
            _thread = new Thread(() =>
            {
                do
                    Tell();
                while (!_end.Wait(interval));
            })
            {
                IsBackground = true,
                Name = "heartbeat",
            };
            _thread.Start();
        }

        public ValueTask DisposeAsync()
        {
            _end.Set();
            _thread.Join();
            _end.Dispose();
            return ValueTask.CompletedTask;
        }

        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) => Line($"{cell}: starts");

        public void Told(CellId cell, StageMessage message)
        {
            if (message.Kind == StageMessageKind.Progress)
                _last = _last with { Done = message.Done, Total = message.Total, What = message.Text };
            else if (message.Kind == StageMessageKind.Warning)
                Line($"{cell}: warning: {message.Text}");
        }

        public void Finished(CellOutcome outcome) =>
            Line($"{outcome.Cell}: {outcome.Outcome} {outcome.Error?.Message}");

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) => Line($"{cell}: waits for {holder}");

        private void Tell()
        {
            try
            {
                _last = _last with { Count = _last.Count + 1 };
                _folder.Write(_last);
            }
            catch (IOException e)
            {
                Line("no sign of life could be written: " + e.Message);
            }
        }

        private static void Line(string text) =>
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:HH:mm:ss} {text}"));
    }
}
