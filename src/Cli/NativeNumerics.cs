using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
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

    private static Choice Measure(string processor)
    {
        // libtorch reads this when it is loaded, which nothing has done yet.
        Environment.SetEnvironmentVariable(NumericsNames.Variable, NumericsNames.Native);
        var (own, library) = ProductProbe.Measure();
        var products = library > own ? NumericsNames.Library : NumericsNames.Own;
        Screen.Note(
            string.Create(
                CultureInfo.InvariantCulture,
                $"native numerics: products run at {own:0} GFLOP/s here, the library's at {library:0}: {products}"
            )
        );
        return new Choice(processor, products, Math.Round(own, 1), Math.Round(library, 1));
    }
}
