using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>
/// <c>-- beside --study DIR --model DIR [--texts FILE] [--only rome,memit] [--draws N] [--out FILE.md]</c>: repeats the
/// stored runs of the reference toolkit with our methods, asks the same questions, and prints both side by side.
/// </summary>
/// <remarks>
/// Beside <c>FILE.md</c> lies <c>FILE.md.json</c> with the results so far; a run that is there is not run again.
/// <c>--only</c> takes methods or whole names of runs, <c>--draws</c> the most draws of a setting, <c>--texts</c> the
/// file with the texts of second moments.
/// </remarks>
internal static class BesideVerb
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Runs what is missing and prints the table.</summary>
    /// <param name="arguments">Pairs of name and value.</param>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        var options = arguments
            .Chunk(2)
            .ToDictionary(
                p => p[0],
                p => p.Length == 2 ? p[1] : throw new ArgumentException($"{p[0]} needs a value."),
                StringComparer.Ordinal
            );
        string Needed(string name) =>
            options.GetValueOrDefault(name) ?? throw new ArgumentException($"{name} is needed.");
        var folder = Needed("--study");
        var texts =
            options.GetValueOrDefault("--texts")
            ?? Path.Combine(folder, "..", "goldens", "real", "edit", "common", "inputs.json");
        var only = options.GetValueOrDefault("--only")?.Split(',');
        var draws = int.Parse(options.GetValueOrDefault("--draws", "9"), CultureInfo.InvariantCulture);
        var output = options.GetValueOrDefault("--out");
        var study = Study.Read(folder);
        var asked = study
            .Runs.Where(r => only is null || only.Contains(r.Method) || only.Contains(r.Name))
            .GroupBy(r => (r.Method, r.Setting))
            .SelectMany(g => g.OrderBy(r => r.Draw).Take(draws))
            .ToHashSet();
        var runs = study.Runs.Where(asked.Contains).ToList();

        TorchRuntime.Initialise(); // one thread
        using var checkpoint = Checkpoint.Load(Needed("--model"));
        using var repeated = new Repeated(study, checkpoint, texts);
        var found = Kept(output);
        RunAll(runs, found, repeated, output);
        var table = BesideTable.Of([.. runs.Select(r => (r, found[r.Name]))]);
        Console.WriteLine(table);
        if (output is not null)
            AtomicFile.Write(output, table);
        return 0;
    }

    private static void RunAll(List<StudyRun> runs, Dictionary<string, OurRun> found, Repeated repeated, string? output)
    {
        var clock = Stopwatch.StartNew();
        var missing = runs.Where(r => !found.ContainsKey(r.Name)).ToList();
        var total = missing.Sum(Cost);
        var done = 0.0;
        foreach (var run in missing)
        {
            Console.Error.WriteLine(run.Name);
            found[run.Name] = repeated.Of(run);
            if (output is not null)
                AtomicFile.Write(Beside(output), JsonSerializer.Serialize(found, Indented));
            done += Cost(run);
            var ours = found[run.Name];
            Console.Error.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {ours.Means}\n  for {run.Means}\n  {ours.EditSeconds:0} + {ours.AskSeconds:0} CPU s, about "
                        + $"{clock.Elapsed / done * (total - done):hh\\:mm\\:ss} left"
                )
            );
        }
    }

    // The reference's seconds, to tell how much is left.
    private static double Cost(StudyRun run) => run.EditSeconds + 30;

    private static Dictionary<string, OurRun> Kept(string? output) =>
        output is not null && File.Exists(Beside(output))
            ? JsonSerializer.Deserialize<Dictionary<string, OurRun>>(File.ReadAllText(Beside(output)))!
            : [];

    private static string Beside(string output) => output + ".json";
}
