using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using EditUnlearn.Cli.Commands;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>
/// Whose products native numerics use on this machine. A probe decides once; what it chose is written down beside the
/// results, because it enters their keys, and measured again only on another processor.
/// </summary>
internal static class NativeNumerics
{
    /// <summary>The verb of the process that measures.</summary>
    public const string Verb = "probe";

    private sealed record Choice(string Processor, string Products, double Own, double Library);

    /// <summary>The plan with the choice in it; the same plan under portable numerics.</summary>
    public static Plan Chosen(Plan plan, string root)
    {
        if (plan.Numerics != NumericsNames.Native)
            return plan;
        var file = Path.Combine(root, Study.ArtifactFolder, ".store", "native.json");
        var processor = Processor();
        if (Read(file) is not { } choice || choice.Processor != processor)
        {
            choice = Measure(processor);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, JsonSerializer.Serialize(choice));
        }
        return plan with { Numerics = NumericsNames.NativeWith(choice.Products) };
    }

    private static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        var model = File.Exists(Info)
            ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return $"{RuntimeInformation.ProcessArchitecture} {model?.Split(':')[^1].Trim()}";
    }

    private static Choice? Read(string file)
    {
        try
        {
            return File.Exists(file) ? JsonSerializer.Deserialize<Choice>(File.ReadAllText(file)) : null;
        }
        catch (JsonException)
        {
            return null; // measured again
        }
    }

    /// <summary>Measures in this process and prints both rates in GFLOP/s. Not for people.</summary>
    /// <returns>The exit code: 0.</returns>
    public static int Probe()
    {
        var (own, library) = ProductProbe.Measure();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{own:0.0} {library:0.0}"));
        return ExitCodes.Done;
    }

    // In a process of its own: here the library may be loaded already, and pinned.
    private static Choice Measure(string processor)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [.. ReproCommand.OwnAssembly(), Verb])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        WorkerPool.Prepare(start, 1);
        start.Environment[NumericsNames.Variable] = NumericsNames.Native;
        using var probe = Process.Start(start)!;
        var said = probe.StandardOutput.ReadToEnd();
        probe.WaitForExit();
        if (said.Split() is not [var first, var second, ..] || probe.ExitCode != 0)
            throw new ResourceUnavailableException("the probe of native numerics failed: " + said.Trim());
        var own = double.Parse(first, CultureInfo.InvariantCulture);
        var library = double.Parse(second, CultureInfo.InvariantCulture);
        var products = library > own ? NumericsNames.Library : NumericsNames.Own;
        Screen.Note(
            string.Create(
                CultureInfo.InvariantCulture,
                $"native numerics: products run at {own:0} GFLOP/s here, the library's at {library:0}: {products}"
            )
        );
        return new Choice(processor, products, own, library);
    }
}
