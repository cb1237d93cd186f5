using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Runs attempts in child processes of this program: a crash or a leak of native code takes one cell with it, not the
/// run.
/// </summary>
/// <param name="program">File name and leading arguments of the worker command.</param>
/// <param name="threads">Native and .NET threads a worker may use, for its environment.</param>
/// <param name="numerics">See <see cref="Plan.Numerics"/>.</param>
public sealed class WorkerPool(IReadOnlyList<string> program, int threads = 1, string numerics = NumericsNames.Portable)
    : IStageRunner
{
    // A worker is replaced above this: libtorch keeps what it once had.
    private const long RecycleBytes = 6L << 30;
    private readonly Stack<Process> _idle = [];
    private readonly Dictionary<CellId, int> _working = [];
    private readonly Lock _gate = new();

    /// <summary>Resident bytes of every worker that has a cell now.</summary>
    public IReadOnlyDictionary<CellId, long> Memory()
    {
        KeyValuePair<CellId, int>[] working;
        lock (_gate)
            working = [.. _working];
        return working.ToDictionary(w => w.Key, w => ResidentBytes(w.Value));
    }

    /// <inheritdoc/>
    public async Task<StageResult> RunAsync(StageJob job, Action<StageMessage> observe, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(observe);
        var cell = new CellId(job.Cell, job.Axes);
        var worker = Take(cell, job.Gpu);
        await using var gpu = job.Gpu is null ? null : new GpuWatch(worker.Id);
        var errors = new Queue<string>();
        void OnError(object _, DataReceivedEventArgs e)
        {
            if (e.Data is null)
                return;
            lock (errors)
            {
                errors.Enqueue(e.Data);
                if (errors.Count > 20)
                    errors.Dequeue();
            }
            observe(new StageMessage(StageMessageKind.Log, e.Data));
        }
        worker.ErrorDataReceived += OnError;
        var reusable = false;
        try
        {
            // Cancelling kills: a stage inside native code cannot be asked.
            await using var kill = cancelled.Register(() => Kill(worker));
            await worker
                .StandardInput.WriteLineAsync(JsonSerializer.Serialize(job, WorkerProtocol.Json))
                .ConfigureAwait(false);
            await worker.StandardInput.FlushAsync(cancelled).ConfigureAwait(false);
            if (await AnswerAsync(worker, observe).ConfigureAwait(false) is { } result)
            {
                // An idle process would keep its memory of the GPU, and the next peak would hold this one.
                reusable = result.PeakBytes < RecycleBytes && gpu is null;
                return result with { GpuPeakBytes = gpu?.Peak() };
            }
            cancelled.ThrowIfCancellationRequested();
            throw Died(worker, errors);
        }
        catch (IOException)
        {
            cancelled.ThrowIfCancellationRequested();
            throw Died(worker, errors);
        }
        finally
        {
            worker.ErrorDataReceived -= OnError;
            Leave(cell, worker, reusable);
        }
    }

    // What a worker says until its result; null where it ends before.
    private static async Task<StageResult?> AnswerAsync(Process worker, Action<StageMessage> observe)
    {
        while (await worker.StandardOutput.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
        {
            var reply = JsonSerializer.Deserialize<Worker.Reply>(line, WorkerProtocol.Json)!;
            if (reply.Message is { } message)
                observe(message);
            if (reply.Failure is { } failure)
            {
                observe(new StageMessage(StageMessageKind.Log, failure.Detail));
                throw failure.ToException();
            }
            if (reply.Result is { } result)
                return result;
        }
        return null;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (_gate)
            while (_idle.TryPop(out var worker))
                Retire(worker);
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Sets what a process that holds a model needs in its environment; whoever measures a stage outside a pool sets
    /// the same.
    /// </summary>
    /// <param name="start">Of the process.</param>
    /// <param name="threads">What it may keep busy.</param>
    public static void Prepare(ProcessStartInfo start, int threads)
    {
        ArgumentNullException.ThrowIfNull(start);
        start.Environment["OMP_NUM_THREADS"] = "1";
        // docs/decisions/0010: a collection must not meet a number on its way into libtorch. It comes between steps
        // (QuietCollection); the budget of the runtime is out of reach.
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_GCgen0size"] = "0x40000000";
        start.Environment["DOTNET_GCSegmentSize"] = "0x100000000";
        start.Environment["EU_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        // Profiles of methods that are in native code or in kernels most of the time are not worth their price.
        start.Environment["DOTNET_TieredPGO"] = "0";
        // Activations of a few megabytes come and go in every step: kept in the heap, their pages are not asked for
        // again each time (a tenth of a pretraining run).
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = "268435456";
        start.Environment["MALLOC_TRIM_THRESHOLD_"] = "1073741824";
        // One heap for all threads: those of glibc's further ones are given back to the system piece by piece and asked
        // for again (a quarter of a pretraining run on two threads).
        start.Environment["MALLOC_ARENA_MAX"] = "1";
        // libtorch aligns to 64 bytes, which leaves a small rest before and behind each tensor. In glibc's caches of
        // small pieces it stays taken, so a freed tensor's place is too small for the next one of its size and the heap
        // grows without need: without the caches the peaks of training fall by a fifth (docs/log.md).
        const string Tunables = "GLIBC_TUNABLES",
            NoCaches = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";
        start.Environment[Tunables] =
            start.Environment.TryGetValue(Tunables, out var given) && !string.IsNullOrEmpty(given)
                ? given + ":" + NoCaches
                : NoCaches;
    }

    private Process Take(CellId cell, string? gpu)
    {
        var worker = Take(gpu);
        lock (_gate)
            _working[cell] = worker.Id;
        return worker;
    }

    private void Leave(CellId cell, Process worker, bool reusable)
    {
        lock (_gate)
        {
            _working.Remove(cell);
            if (reusable)
                _idle.Push(worker);
        }
        if (!reusable)
            Retire(worker);
    }

    private Process Take(string? gpu)
    {
        lock (_gate)
            while (gpu is null && _idle.TryPop(out var idle))
            {
                if (!idle.HasExited)
                    return idle;
                idle.Dispose();
            }
        var start = new ProcessStartInfo(program[0])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in program.Skip(1))
            start.ArgumentList.Add(argument);
        Prepare(start, threads);
        if (gpu is not null)
            start.Environment["CUDA_VISIBLE_DEVICES"] = gpu;
        if (NumericsNames.IsNative(numerics))
        {
            start.Environment[NumericsNames.Variable] = NumericsNames.Native;
            start.Environment[NumericsNames.ProductsVariable] = numerics[(NumericsNames.Native.Length + 1)..];
        }
        else
        {
            start.Environment.Remove(NumericsNames.Variable);
        }
        var worker =
            Process.Start(start) ?? throw new ResourceUnavailableException($"cannot start a worker: {program[0]}");
        worker.BeginErrorReadLine();
        return worker;
    }

    private static long ResidentBytes(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return process.WorkingSet64;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return 0; // It has ended since.
        }
    }

    private static StageFailedException Died(Process worker, Queue<string> errors)
    {
        worker.WaitForExit(2000);
        var code = worker.HasExited ? worker.ExitCode : -1;
        var cause = code is 137 or 9
            ? "was killed, as the system does when memory runs out"
            : string.Create(CultureInfo.InvariantCulture, $"ended with exit code {code}");
        lock (errors)
            return new StageFailedException(
                string.Join('\n', errors.TakeLast(5).Prepend("the worker process " + cause))
            );
    }

    private static void Kill(Process worker)
    {
        try
        {
            worker.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private static void Retire(Process worker)
    {
        Kill(worker);
        worker.Dispose();
    }
}
