namespace EditUnlearn.Pipeline;

/// <summary>Garbage collections at moments when nothing is on its way into native code (docs/decisions/0010).</summary>
internal static class QuietCollection
{
    /// <summary>
    /// Well below the budget at which the runtime would collect by itself (<see cref="WorkerPool"/>), in bytes.
    /// </summary>
    private const long Due = 256 << 20;

    private static long _allocated;

    /// <summary>
    /// Collects if enough was allocated since the last time. Called between steps by the thread that computes.
    /// </summary>
    public static void IfDue()
    {
        if (GC.GetTotalAllocatedBytes() - Interlocked.Read(ref _allocated) < Due)
            return;
        GC.Collect(1, GCCollectionMode.Forced, blocking: true);
        GC.WaitForPendingFinalizers();
        Interlocked.Exchange(ref _allocated, GC.GetTotalAllocatedBytes());
    }
}
