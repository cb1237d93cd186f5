using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Fuzz;
using EditUnlearn.Tests.Fuzzing;

// The long form of the fuzzing tests: every reader of what strangers bring, guided by the code that an input touches.
//
//   dotnet run -c Release --project tests/EditUnlearn.Fuzz -- [--inputs 1000000] [--only PART-OF-A-NAME] [--seed 1]

const string Guided = "EU_FUZZ_GUIDED";
string? Option(string name) => args.SkipWhile(a => a != name).Skip(1).FirstOrDefault();
if (
    !long.TryParse(Option("--inputs") ?? "1000000", NumberStyles.None, CultureInfo.InvariantCulture, out var inputs)
    || !ulong.TryParse(Option("--seed") ?? "1", NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
)
{
    Console.Error.WriteLine("--inputs and --seed take whole numbers");
    return 2;
}
if (Environment.GetEnvironmentVariable(Guided) is null)
    return InstrumentedCopy.Run(args, Guided);

// Before any instrumented code runs: it counts from its first step.
var coverage = new EdgeCoverage();
var chosen = FuzzTargets
    .All.Where(t => t.Name.Contains(Option("--only") ?? "", StringComparison.OrdinalIgnoreCase))
    .ToList();
var weights = chosen.Sum(t => t.Weight);
var (tried, faults) = (0L, 0);
Console.WriteLine("| reader | inputs | read | refused | new ways | slowest, s | most memory, MB | faults |");
Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|");
var clock = Stopwatch.StartNew();
foreach (var target in chosen)
{
    coverage.Forget();
    var share = (int)Math.Ceiling(inputs * target.Weight / weights);
    var outcome = new FuzzLoop(target, new Seed(seed), coverage).Run(share);
    Console.WriteLine(
        string.Create(
            CultureInfo.InvariantCulture,
            $"| {target.Name} | {outcome.Inputs} | {outcome.Read} | {outcome.Refused} | {outcome.Kept} | "
                + $"{outcome.Slowest:0.00} | {outcome.MostBytes / 1e6:0} | {outcome.Faults.Count} |"
        )
    );
    foreach (var fault in outcome.Faults)
        Console.Error.WriteLine($"{target.Name}: {fault}");
    (tried, faults) = (tried + outcome.Inputs, faults + outcome.Faults.Count);
}
var minutes = clock.Elapsed.TotalMinutes.ToString("0", CultureInfo.InvariantCulture);
Console.WriteLine($"\n{tried} inputs in {minutes} minutes, {faults} faults: {(faults == 0 ? "PASS" : "FAIL")}");
return faults == 0 ? 0 : 1;
