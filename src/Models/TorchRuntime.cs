using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using EditUnlearn.Foundation;
using TorchSharp;

namespace EditUnlearn.Models;

/// <summary>Prepares the native library, once per process, before the first tensor exists.</summary>
/// <remarks>
/// One libtorch thread per process: with two, OpenMP spins and a step of 0.3 s takes 6 s as soon as anything else runs,
/// and solve/eigh change bits with the thread count. Parallelism comes from .NET threads and worker processes.
/// The instruction set is pinned because AVX2 and AVX-512 kernels round differently, unless
/// <see cref="NumericsNames.Variable"/> asks for native numerics.
/// </remarks>
public static class TorchRuntime
{
    private static readonly Lazy<bool> Started = new(Start, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>The libtorch that <c>EU_LIBTORCH</c> brought, or null for the one beside the program.</summary>
    public static LibTorchFolder? Brought { get; private set; }

    /// <summary>Runs the preparation if it has not run yet.</summary>
    /// <exception cref="ResourceUnavailableException">libtorch cannot be loaded; the message says what to
    /// do.</exception>
    public static void Initialise() => _ = Started.Value;

    private static bool Start()
    {
        if (OperatingSystem.IsLinux())
        {
            SetNative("OMP_NUM_THREADS", "1");
            SetNative("MKL_NUM_THREADS", "1");
            SetNative("GOMP_SPINCOUNT", "0");
            if (Environment.GetEnvironmentVariable(NumericsNames.Variable) != NumericsNames.Native)
            {
                SetNative("ATEN_CPU_CAPABILITY", "avx2");
                SetNative("MKL_CBWR", "AVX2");
            }
        }
        Brought = LibTorchFolder.FromEnvironment();
        if (Brought is { IsExpectedVersion: false })
            Console.Error.WriteLine(
                $"{LibTorchFolder.Variable}: libtorch {Brought.Version}, while TorchSharp is made for "
                    + $"{LibTorchFolder.BuiltFor}; what it needs and does not find ends the program"
            );
        Brought?.Load();
        try
        {
            torch.set_num_threads(1);
            torch.set_num_interop_threads(1);
        }
        catch (TypeInitializationException e)
        {
            // TorchSharp tells its whole search; the first line says what was sought.
            var cause = (e.InnerException?.Message ?? e.Message).Split('\n')[0].Trim();
            throw new ResourceUnavailableException(
                $"libtorch could not be loaded: {cause}\n  hint: build with the default -p:Torch=cpu, "
                    + $"or set {LibTorchFolder.Variable} to a folder with libtorch {LibTorchFolder.BuiltFor}, "
                    + "for example <site-packages>/torch/lib",
                e
            );
        }
        return true;
    }

    // Environment.SetEnvironmentVariable does not reach native code; libc's setenv does. A value the user set stays.
    private static void SetNative(string name, string value)
    {
        if (Environment.GetEnvironmentVariable(name) is null)
            _ = setenv(name, value, 1);
    }

    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int setenv(string name, string value, int overwrite);

    // The initialiser runs before any other code of this assembly, so no tensor can come first.
    [ModuleInitializer]
    [System.Diagnostics.CodeAnalysis.SuppressMessage(
        "Usage",
        "CA2255",
        Justification = "The settings must precede the first tensor of any caller."
    )]
    internal static void OnLoad() => Initialise();
}
