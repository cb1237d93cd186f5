using System.Runtime.InteropServices;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>What a stage is said to have needed must not be what an earlier one has left behind.</summary>
public sealed class ProcessMemoryTests
{
    private const int Block = 1 << 16,
        Blocks = 8000;
    private static readonly byte[] Ones = [.. Enumerable.Repeat((byte)1, Block)];

    [Fact]
    public void Memory_that_an_allocator_keeps_goes_back_to_the_system()
    {
        if (!OperatingSystem.IsLinux())
            return;
        var blocks = Enumerable.Range(0, Blocks).Select(_ => Touched()).ToArray();
        var full = Resident();
        // The last one stays: by itself the allocator gives back from the end only.
        foreach (var block in blocks[..^1])
            Marshal.FreeHGlobal(block);
        ProcessMemory.Release();
        // Other tests run beside this one.
        Assert.InRange(Resident(), 0, full - (long)Block * Blocks / 2);
        Marshal.FreeHGlobal(blocks[^1]);
    }

    private static nint Touched()
    {
        var block = Marshal.AllocHGlobal(Block);
        Marshal.Copy(Ones, 0, block, Block);
        return block;
    }

    private static long Resident() => Environment.WorkingSet;
}
