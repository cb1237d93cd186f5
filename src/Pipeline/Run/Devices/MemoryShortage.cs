using System.Globalization;
using System.Text.RegularExpressions;

namespace EditUnlearn.Pipeline;

/// <summary>Memory ran out in a stage: libtorch's on the processor, CUDA's, or the runtime's.</summary>
/// <param name="Text">The first line of what was said.</param>
/// <param name="Tried">What was asked for when it failed [bytes]; null where that is not said.</param>
/// <param name="Limit">What the device has in all [bytes]; null where that is not said.</param>
/// <param name="OnGpu">Whether it was a GPU's.</param>
internal sealed partial record MemoryShortage(string Text, long? Tried, long? Limit, bool OnGpu)
{
    /// <summary>Whether memory running out is what an exception is about; null where it is not.</summary>
    public static MemoryShortage? Of(Exception e) =>
        e switch
        {
            MemoryShortageException m => m.Shortage,
            OutOfMemoryException => new(e.Message, null, null, false),
            AggregateException many => many.InnerExceptions.Select(Of).FirstOrDefault(s => s is not null),
            _ => Read(e.Message) ?? (e.InnerException is { } inner ? Of(inner) : null),
        };

    // The sentences are libtorch's, from c10's allocators and from CUDA's own errors.
    private static MemoryShortage? Read(string message)
    {
        var line = message.Split('\n')[0];
        if (Processor().Match(message) is { Success: true } cpu)
            return new(line, Number(cpu.Groups[1].Value, 1), null, false);
        if (!Gpu().IsMatch(message))
            return null;
        return new(line, Size(Asked().Match(message)), Size(Capacity().Match(message)), true);
    }

    private static long? Size(Match match) =>
        match.Success
            ? Number(
                match.Groups[1].Value,
                match.Groups[2].Value switch
                {
                    "GiB" => 1L << 30,
                    "MiB" => 1L << 20,
                    "KiB" => 1L << 10,
                    _ => 1,
                }
            )
            : null;

    private static long? Number(string text, long unit) =>
        double.TryParse(text, CultureInfo.InvariantCulture, out var n) ? (long)(n * unit) : null;

    [GeneratedRegex(@"DefaultCPUAllocator: (?:can't allocate|not enough) memory: you tried to allocate (\d+) bytes")]
    private static partial Regex Processor();

    [GeneratedRegex("CUDA out of memory|CUDA error: out of memory|CU(BLAS|DNN)_STATUS_ALLOC_FAILED")]
    private static partial Regex Gpu();

    [GeneratedRegex(@"Tried to allocate ([\d.]+) (GiB|MiB|KiB|bytes)")]
    private static partial Regex Asked();

    [GeneratedRegex(@"total capacity of ([\d.]+) (GiB|MiB|KiB|bytes)")]
    private static partial Regex Capacity();
}

/// <summary>A stage that ran in another process found no more memory.</summary>
internal sealed class MemoryShortageException(MemoryShortage shortage) : Exception(shortage.Text)
{
    public MemoryShortage Shortage { get; } = shortage;
}
