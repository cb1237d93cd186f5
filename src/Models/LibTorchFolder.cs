using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models;

/// <summary>
/// A libtorch that the user brings along with <c>EU_LIBTORCH</c>: that of a Python installation, or an unpacked one.
/// Loaded before TorchSharp looks for its own.
/// </summary>
/// <remarks>
/// TorchSharp's native part binds its symbols lazily and finds an already loaded library by its name, so a build
/// without libtorch (<c>-p:Torch=none</c>) runs on whatever was loaded here. A version other than the one it was made
/// for is said, not refused:
/// only functions that are called matter.
/// </remarks>
/// <param name="Folder">Holds libtorch.so, libtorch_cpu.so and libc10.so.</param>
/// <param name="Version">As the folder says, for example <c>2.11.0+cu130</c>; null where it does not.</param>
public sealed partial record LibTorchFolder(string Folder, string? Version)
{
    /// <summary>Name of the variable.</summary>
    public const string Variable = "EU_LIBTORCH";

    /// <summary>The version TorchSharp 0.107 is made for.</summary>
    public const string BuiltFor = "2.10";

    private static readonly string[] Needed = ["libc10.so", "libtorch_cpu.so", "libtorch.so"];

    // In the order in which they need each other. Those of CUDA are there only in a build that knows it.
    private static readonly string[] Order =
    [
        "libc10.so",
        "libc10_cuda.so",
        "libtorch_cpu.so",
        "libtorch_cuda.so",
        "libtorch.so",
    ];

    /// <summary>Whether the version is the one TorchSharp is made for, as far as is known.</summary>
    public bool IsExpectedVersion =>
        Version is null || Version.StartsWith(BuiltFor + ".", StringComparison.Ordinal) || Version == BuiltFor;

    /// <summary>The folder the variable names, or null when it is not set.</summary>
    /// <exception cref="ResourceUnavailableException">The folder is not there or holds no libtorch.</exception>
    public static LibTorchFolder? FromEnvironment() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? Of(folder) : null;

    /// <summary>Looks at a folder.</summary>
    /// <exception cref="ResourceUnavailableException">It is not there or holds no libtorch; says what is
    /// missing.</exception>
    public static LibTorchFolder Of(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var full = Path.GetFullPath(folder);
        if (!Directory.Exists(full))
            throw new ResourceUnavailableException(
                $"{Variable} names {full}, which does not exist\n  hint: the lib folder of an unpacked libtorch, or "
                    + "<site-packages>/torch/lib of a Python installation"
            );
        var missing = Needed.Where(n => !File.Exists(Path.Combine(full, n))).ToList();
        if (missing.Count > 0)
            throw new ResourceUnavailableException(
                $"{Variable} names {full}, where {string.Join(", ", missing)} {(missing.Count == 1 ? "is" : "are")} "
                    + "missing\n  hint: the lib folder of an unpacked libtorch, or <site-packages>/torch/lib of a "
                    + "Python installation"
            );
        return new LibTorchFolder(full, VersionOf(full));
    }

    /// <summary>Loads its libraries into this process.</summary>
    /// <exception cref="ResourceUnavailableException">The system cannot load one of them; the cause is
    /// said.</exception>
    public void Load()
    {
        foreach (var name in Order.Select(n => Path.Combine(Folder, n)).Where(File.Exists))
            try
            {
                _ = NativeLibrary.Load(name);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new ResourceUnavailableException(
                    $"{Variable}: {name} cannot be loaded: {e.Message.Split('\n')[0]}\n  hint: add the folders of "
                        + "the libraries it needs to LD_LIBRARY_PATH, for example those of "
                        + "<site-packages>/nvidia/*/lib",
                    e
                );
            }
    }

    // Python installations say it in torch/version.py, unpacked ones in build-version beside lib.
    private static string? VersionOf(string folder)
    {
        var parent = Path.GetDirectoryName(folder) ?? folder;
        var plain = Path.Combine(parent, "build-version");
        if (File.Exists(plain))
            return File.ReadLines(plain).FirstOrDefault()?.Trim();
        var python = Path.Combine(parent, "version.py");
        return File.Exists(python) && PythonVersion().Match(File.ReadAllText(python)) is { Success: true } m
            ? m.Groups[1].Value
            : null;
    }

    [GeneratedRegex("""__version__\s*(?::\s*\w+\s*)?=\s*['"]([^'"]{1,40})['"]""")]
    private static partial Regex PythonVersion();
}
