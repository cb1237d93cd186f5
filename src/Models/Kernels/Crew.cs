using System.Diagnostics;

namespace EditUnlearn.Models.Kernels;

/// <summary>
/// Threads that help one other: it hands out parts of its work and does parts itself until none is left.
/// </summary>
/// <remarks>
/// A product of a real model takes a millisecond, and there are hundreds in a pass, with little between them. A thread
/// of the common pool that slept meanwhile comes too late for most; these watch for a moment before they sleep.
/// </remarks>
internal sealed class Crew : IDisposable
{
    // Longer than what stands between two products of a pass.
    private static readonly long Watched = Stopwatch.Frequency / 2000;

    private readonly SemaphoreSlim _wake = new(0);
    private volatile Job? _job;
    private volatile bool _ended;
    private int _asleep;

    /// <summary>Starts helpers.</summary>
    /// <param name="helpers">At least 1.</param>
    public Crew(int helpers)
    {
        Helpers = helpers;
        for (var i = 0; i < helpers; i++)
            new Thread(Help) { IsBackground = true, Name = "products" }.Start();
    }

    /// <summary>How many help.</summary>
    public int Helpers { get; }

    /// <summary>Does all parts, each once, on this thread and the helpers; returns when the last is done.</summary>
    /// <param name="parts">How many there are.</param>
    /// <param name="part">Does one, 0-based; parts are done at the same time.</param>
    /// <exception cref="AggregateException">A part failed.</exception>
    public void Run(int parts, Action<int> part)
    {
        var job = new Job(parts, part);
        _job = job;
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _asleep) is > 0 and var asleep)
            _wake.Release(asleep);
        job.Work();
        var wait = new SpinWait();
        while (!job.IsDone)
            wait.SpinOnce(sleep1Threshold: -1);
        if (job.Failure is { } failure)
            throw new AggregateException(failure);
    }

    /// <summary>Sends the helpers home.</summary>
    public void Dispose()
    {
        _ended = true;
        Interlocked.MemoryBarrier();
        _wake.Release(Helpers);
    }

    private void Help()
    {
        Job? last = null;
        while (!_ended)
        {
            if (_job is { } job && job != last)
            {
                job.Work();
                last = job;
            }
            else if (!Watch(last))
            {
                Sleep(last);
            }
        }
    }

    // Whether there is something new before the time is up.
    private bool Watch(Job? last)
    {
        var until = Stopwatch.GetTimestamp() + Watched;
        while (_job == last && !_ended)
        {
            if (Stopwatch.GetTimestamp() > until)
                return false;
            Thread.SpinWait(16);
        }
        return true;
    }

    private void Sleep(Job? last)
    {
        Interlocked.Increment(ref _asleep);
        // Whoever brings work sees the number first or is seen here.
        if (_job == last && !_ended)
            _wake.Wait();
        Interlocked.Decrement(ref _asleep);
    }

    private sealed class Job(int parts, Action<int> part)
    {
        private int _next,
            _done;

        public bool IsDone => Volatile.Read(ref _done) == parts;

        public Exception? Failure { get; private set; }

        // Parts that nobody has taken yet, one after the other.
        public void Work()
        {
            while (Interlocked.Increment(ref _next) - 1 is var i && i < parts)
            {
                try
                {
                    part(i);
                }
                catch (Exception e)
                {
                    Failure = e;
                }
                Interlocked.Increment(ref _done);
            }
        }
    }
}
