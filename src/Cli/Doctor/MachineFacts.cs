using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Models;

namespace EditUnlearn.Cli.Doctor;

/// <summary>A graphics processor.</summary>
/// <param name="Name">Its model.</param>
/// <param name="TotalBytes">Memory in all.</param>
/// <param name="FreeBytes">Memory nobody uses now.</param>
internal sealed record GpuFacts(string Name, long TotalBytes, long FreeBytes);

/// <summary>What this machine is and has, looked at once.</summary>
internal sealed record MachineFacts
{
    /// <summary>Operating system and architecture.</summary>
    public required string Platform { get; init; }

    /// <summary>The runtime.</summary>
    public required string Dotnet { get; init; }

    /// <summary>Package and version of libtorch, and of TorchSharp.</summary>
    public required string Libtorch { get; init; }

    /// <summary>Why libtorch cannot be used; null where it can.</summary>
    public string? LibtorchProblem { get; init; }

    /// <summary>Whether tensors can live on a GPU.</summary>
    public bool Cuda { get; init; }

    public IReadOnlyList<GpuFacts> Gpus { get; init; } = [];

    public int Cores { get; init; }

    /// <summary>Memory of the machine, or of the container around the process.</summary>
    public long TotalBytes { get; init; }

    public long FreeBytes { get; init; }

    /// <summary>On the disk of the results.</summary>
    public long DiskFreeBytes { get; init; }

    /// <summary>On the disk of the hub's cache.</summary>
    public long CacheFreeBytes { get; init; }

    /// <summary>Version of pdflatex; null where there is none.</summary>
    public string? Latex { get; init; }

    /// <summary>Version of git; null where there is none.</summary>
    public string? Git { get; init; }

    /// <summary>Looks.</summary>
    /// <param name="root">The checkout.</param>
    /// <param name="cache">The hub's cache.</param>
    public static MachineFacts Look(string root, string cache)
    {
        var (problem, cuda) = Torch();
        var (total, free) = Memory();
        return new MachineFacts
        {
            Platform = $"{RuntimeInformation.OSDescription} ({RuntimeInformation.ProcessArchitecture})",
            Dotnet = Environment.Version.ToString(),
            Libtorch = $"{Package("libtorch-") ?? "of the user's own"}, TorchSharp {Study.Versions["torchsharp"]}",
            LibtorchProblem = problem,
            Cuda = cuda,
            Gpus = Gpu(),
            Cores = Environment.ProcessorCount,
            TotalBytes = total,
            FreeBytes = free,
            DiskFreeBytes = DiskSpace.Free(root),
            CacheFreeBytes = DiskSpace.Free(cache),
            Latex = FirstLine("pdflatex", "--version"),
            Git = FirstLine("git", "--version")?.Replace("git version ", "", StringComparison.Ordinal),
        };
    }

    private static (string? Problem, bool Cuda) Torch()
    {
        try
        {
            TorchRuntime.Initialise();
            using var one = TorchSharp.torch.ones(1);
            return (null, TorchSharp.torch.cuda.is_available());
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            return ((e.InnerException ?? e).Message.Split('\n')[0], false);
        }
    }

    // The program's list of packages names the native library, which has no way to tell its version itself.
    private static string? Package(string prefix)
    {
        var file = Path.Combine(AppContext.BaseDirectory, typeof(MachineFacts).Assembly.GetName().Name + ".deps.json");
        if (Environment.GetEnvironmentVariable("EU_LIBTORCH") is { Length: > 0 } own)
            return $"EU_LIBTORCH={own}";
        if (!File.Exists(file))
            return null;
        try
        {
            return (JsonNode.Parse(File.ReadAllBytes(file))?["libraries"] as JsonObject)
                ?.Select(p => p.Key)
                .FirstOrDefault(k => k.StartsWith(prefix, StringComparison.Ordinal))
                ?.Replace('/', ' ');
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static (long Total, long Free) Memory()
    {
        // The runtime knows the limit of a container; the kernel knows what is free.
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (!OperatingSystem.IsLinux())
            return (total, total - GC.GetGCMemoryInfo().MemoryLoadBytes);
        foreach (var line in File.ReadLines("/proc/meminfo"))
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
                return (
                    total,
                    Math.Min(
                        total,
                        long.Parse(line.AsSpan(13).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024
                    )
                );
        return (total, total);
    }

    private static List<GpuFacts> Gpu()
    {
        var gpus = new List<GpuFacts>();
        foreach (
            var line in (
                ProgramOutput.Of(
                    "nvidia-smi",
                    ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
                ) ?? ""
            ).Split('\n')
        )
            if (
                line.Split(',', StringSplitOptions.TrimEntries) is [var name, var total, var free]
                && long.TryParse(total, out var t)
                && long.TryParse(free, out var f)
            )
                gpus.Add(new GpuFacts(name, t << 20, f << 20));
        return gpus;
    }

    private static string? FirstLine(string program, string argument) =>
        ProgramOutput.Of(program, [argument])?.Split('\n')[0].Trim();
}
