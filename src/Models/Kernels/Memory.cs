using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>What the kernels read and write: contiguous float32 tensors on the processor, by address.</summary>
internal static unsafe class Memory
{
    /// <summary>A new tensor whose values nobody has set; owned by the current scope.</summary>
    public static Tensor New(params long[] shape) => empty(shape, dtype: ScalarType.Float32);

    /// <summary>Whether the kernels can take a tensor as it is, or after <c>contiguous()</c>.</summary>
    public static bool Takes(Tensor t) => t.dtype == ScalarType.Float32 && t.device_type == DeviceType.CPU;

    /// <summary>Address of the first value.</summary>
    /// <exception cref="ArgumentException">The values do not lie one behind the other.</exception>
    public static float* Of(Tensor t) =>
        t.is_contiguous()
            ? Start(t)
            : throw new ArgumentException($"[{string.Join(", ", t.shape)}] is not contiguous.", nameof(t));

    /// <summary>Address of the first value of a tensor that may be a view with strides of its own.</summary>
    public static float* Start(Tensor t) => (float*)THSTensor_data(t.Handle);

    /// <summary>A contiguous tensor as rows of a width.</summary>
    public static Matrix Rows(Tensor t, long width) => Matrix.Rows(Of(t), width);

    /// <summary>Address of the first of 64-bit integers.</summary>
    public static long* Longs(Tensor t) => (long*)THSTensor_data(t.Handle);

    // TorchSharp's own accessor checks and allocates at every call, which costs more than a small kernel.
    [DllImport("LibTorchSharp")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    private static extern nint THSTensor_data(nint handle);
}

/// <summary>A piece of memory that one thread keeps between calls, aligned to 64 bytes.</summary>
internal sealed unsafe class Workspace : IDisposable
{
    private void* _start;
    private nuint _count;

    /// <summary>For those that belong to a thread, which nobody disposes of.</summary>
    ~Workspace() => Dispose();

    /// <summary>Room for so many values; what was in it is gone.</summary>
    public float* Of(long count)
    {
        if ((nuint)count > _count)
        {
            NativeMemory.AlignedFree(_start);
            _count = (nuint)count;
            _start = NativeMemory.AlignedAlloc(_count * sizeof(float), 64);
        }
        return (float*)_start;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
        _count = 0;
        GC.SuppressFinalize(this);
    }
}
