using System.Globalization;
using System.Runtime.InteropServices;

namespace EditUnlearn.Foundation;

/// <summary>Makes what was written durable, and fails where the disk says that it could not.</summary>
/// <remarks>
/// <see cref="FileStream.Flush(bool)"/> of .NET 10 keeps quiet about a failing fsync (tests/torture shows it), and then
/// bytes that a disk has lost would pass for a result. So the call is made here.
/// </remarks>
public static class DiskFlush
{
    // What file systems answer that know no such thing: EINVAL, EROFS, ENOTSUP.
    private static readonly int[] Unsupported = [22, 30, 95];
    private static readonly Call? Sync = Find();

    [UnmanagedFunctionPointer(CallingConvention.Cdecl, SetLastError = true)]
    private delegate int Call(int file);

    /// <summary>Flushes a file to disk.</summary>
    /// <exception cref="IOException">The disk could not take it.</exception>
    public static void File(FileStream file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (Sync is null)
        {
            file.Flush(flushToDisk: true);
            return;
        }
        file.Flush();
        Handle((int)file.SafeFileHandle.DangerousGetHandle(), file.Name);
    }

    /// <summary>Flushes an open file or folder of the system.</summary>
    /// <param name="handle">Its number.</param>
    /// <param name="name">For the message.</param>
    /// <exception cref="IOException">The disk could not take it.</exception>
    public static void Handle(int handle, string name)
    {
        if (Sync is null || Sync(handle) == 0)
            return;
        var error = Marshal.GetLastPInvokeError();
        if (!Unsupported.Contains(error))
            throw new IOException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{name}: the disk could not take what was written: {Marshal.GetPInvokeErrorMessage(error)}"
                )
            );
    }

    // As the program itself would find it.
    private static Call? Find() =>
        OperatingSystem.IsLinux()
        && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "fsync", out var address)
            ? Marshal.GetDelegateForFunctionPointer<Call>(address)
            : null;
}
