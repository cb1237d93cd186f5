using System.Runtime.InteropServices;
using EditUnlearn.Tests.Fuzzing;
using SharpFuzz.Common;

namespace EditUnlearn.Fuzz;

/// <summary>
/// Which edges of the instrumented code an input ran along, and how often: new is an edge, or a power of two of times,
/// that no input before had.
/// </summary>
internal sealed unsafe class EdgeCoverage : IFuzzCoverage
{
    private const int Edges = 1 << 16;
    private readonly byte* _counts = (byte*)NativeMemory.AllocZeroed(Edges);
    private readonly byte[] _seen = new byte[Edges];

    /// <summary>Instrumented code counts here from now on; the memory lives as long as the process.</summary>
    public EdgeCoverage() => Trace.SharedMem = _counts;

    /// <summary>Begins anew, for another reader.</summary>
    public void Forget() => Array.Clear(_seen);

    /// <inheritdoc/>
    public void Begin()
    {
        NativeMemory.Clear(_counts, Edges);
        Trace.PrevLocation = 0;
    }

    /// <inheritdoc/>
    public bool IsNew()
    {
        var isNew = false;
        var counts = new ReadOnlySpan<byte>(_counts, Edges);
        // Most edges are never run along: those are passed in strides.
        for (var at = 0; at < Edges; at++)
        {
            var next = counts[at..].IndexOfAnyExcept((byte)0);
            if (next < 0)
                break;
            at += next;
            var bucket = (byte)(1 << (int)Math.Log2(counts[at]));
            isNew |= (_seen[at] & bucket) == 0;
            _seen[at] |= bucket;
        }
        return isNew;
    }
}
