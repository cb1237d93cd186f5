using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// Asks Linux to back the memory of a large new tensor with pages of 2 MiB: filling it then takes hundreds of page
/// faults instead of hundreds of thousands.
/// </summary>
internal static class HugePages
{
    private const int AdviceHugePage = 14; // MADV_HUGEPAGE
    private const long PageBytes = 4096,
        Least = 1 << 22;

    /// <summary>
    /// Does nothing for small tensors, other devices and other systems; a refusal of the system changes nothing.
    /// </summary>
    public static Tensor Advise(Tensor fresh)
    {
        var bytes = fresh.numel() * fresh.element_size();
        if (!OperatingSystem.IsLinux() || fresh.device_type != DeviceType.CPU || bytes < Least)
            return fresh;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        ref var first = ref fresh.view(-1).narrow(0, 0, 1).bytes[0];
        var start = (long)Unsafe.ByteOffset(ref Unsafe.NullRef<byte>(), ref first);
        var aligned = (start + PageBytes - 1) / PageBytes * PageBytes;
        _ = madvise((nint)aligned, (nuint)((start + bytes - aligned) / PageBytes * PageBytes), AdviceHugePage);
        return fresh;
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int madvise(nint address, nuint length, int advice);
}
