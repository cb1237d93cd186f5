using System.Globalization;
using System.Net.Http.Headers;
using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>
/// How often and after what pause something is tried again. Clock and pause are handed in, so that a test waits for
/// nobody.
/// </summary>
public sealed record RetryPolicy
{
    // An attempt that brought this much counts as a fresh start: a long download over a bad line is not a failure.
    private const long Enough = 1 << 20;

    /// <summary>Attempts in a row that may bring nothing.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>The first pause; each further one is twice as long.</summary>
    public TimeSpan First { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest pause, also if a server asks for more.</summary>
    public TimeSpan Longest { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The time of day, for servers that name one.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Waits.</summary>
    public Func<TimeSpan, CancellationToken, Task> Wait { get; init; } = Task.Delay;

    /// <summary>Runs an attempt until it succeeds.</summary>
    /// <param name="what">For messages: what is being fetched.</param>
    /// <param name="attempt">Throws <see cref="TransientException"/> where another attempt may help.</param>
    /// <param name="observer">Told of every pause.</param>
    /// <param name="cancelled">Ends the pauses.</param>
    /// <exception cref="ResourceUnavailableException">The attempts are used up.</exception>
    internal async Task<T> RunAsync<T>(
        string what,
        Func<Task<T>> attempt,
        IPullObserver observer,
        CancellationToken cancelled
    )
    {
        var contact = false;
        for (var failed = 0; ;)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (TransientException e)
            {
                cancelled.ThrowIfCancellationRequested();
                failed = e.Received >= Enough ? 1 : failed + 1;
                contact |= !e.Unreachable;
                // A machine without a network should not take half a minute to say so; one that had it a moment ago may
                // get it back.
                if (failed >= (contact ? Attempts : Math.Min(3, Attempts)))
                    throw new ResourceUnavailableException(
                        $"{what}: {e.Message}, {failed} times in a row\n  hint: {HubErrors.NetworkHint}",
                        e
                    );
                var pause = TimeSpan.FromSeconds(Math.Min(First.TotalSeconds * Math.Pow(2, failed - 1), 30));
                if (e.RetryAfter is { } asked)
                    pause = asked;
                if (pause > Longest)
                    throw new ResourceUnavailableException(
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"{what}: {e.Message}, and the server asks to come back in {pause.TotalMinutes:0} "
                                + $"minutes\n  hint: run the same command then; what has arrived is kept"
                        ),
                        e
                    );
                observer.Note(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{what}: {e.Message}; again in {pause.TotalSeconds:0} s"
                    )
                );
                await Wait(pause, cancelled).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The pause a server asks for, in seconds or as a date; null where it asks for none.</summary>
    internal TimeSpan? Asked(RetryConditionHeaderValue? header) =>
        header switch
        {
            { Delta: { } delta } => delta < TimeSpan.Zero ? TimeSpan.Zero : delta,
            { Date: { } date } => date > Clock.GetUtcNow() ? date - Clock.GetUtcNow() : TimeSpan.Zero,
            _ => null,
        };
}

/// <summary>An attempt failed in a way that may pass.</summary>
/// <param name="message">What happened.</param>
/// <param name="retryAfter">The pause the server asks for.</param>
/// <param name="received">Bytes that arrived before.</param>
/// <param name="inner">The cause.</param>
/// <param name="unreachable">Nobody answered at all.</param>
internal sealed class TransientException(
    string message,
    TimeSpan? retryAfter = null,
    long received = 0,
    Exception? inner = null,
    bool unreachable = false
) : Exception(message, inner)
{
    public bool Unreachable { get; } = unreachable;

    public TimeSpan? RetryAfter { get; } = retryAfter;

    public long Received { get; } = received;
}
