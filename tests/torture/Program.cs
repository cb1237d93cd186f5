using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Torture;

// torture [short|long] [rows...]: torments the engine and prints a line for every row of what it withstood.
return args switch
{
    [ToolProcess.Tool, .. var rest] => await ToolProcess.RunAsync(rest).ConfigureAwait(false),
    [ToolProcess.Worker, ..] => ToolProcess.Serve(),
    ["short" or "long", .. var rows] => All(args[0] == "long", rows),
    [] => All(false, []),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: torture [short|long] [kill|disk|together|flip|gc ...]");
    return 2;
}

static int All(bool isLong, string[] rows)
{
    (string Name, Func<bool, IEnumerable<Row>> Run)[] all =
    [
        ("kill", Kills.Run),
        ("disk", BadDisk.Run),
        ("together", Together.Run),
        ("flip", Flips.Run),
        ("gc", Histories.Run),
    ];
    var clock = Stopwatch.StartNew();
    var failed = 0;
    foreach (var (name, run) in all.Where(a => rows.Length == 0 || rows.Contains(a.Name)))
        foreach (var row in run(isLong))
        {
            failed += row.Passed ? 0 : 1;
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{(row.Passed ? "PASS" : "FAIL")}  {name,-8} {row.What}: {row.Counts} "
                        + $"({clock.Elapsed.TotalSeconds:0} s)"
                )
            );
        }
    Console.WriteLine(failed == 0 ? "all rows PASS" : $"{failed} rows FAIL");
    return failed == 0 ? 0 : 1;
}

/// <summary>One row of the report.</summary>
/// <param name="What">Was tried.</param>
/// <param name="Passed">Whether everything held.</param>
/// <param name="Counts">Of what happened.</param>
internal sealed record Row(string What, bool Passed, string Counts);
