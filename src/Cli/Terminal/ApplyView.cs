using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Workbench.OwnModel;
using Spectre.Console;

namespace EditUnlearn.Cli.Terminal;

/// <summary>How <c>apply</c> and <c>eval</c> tell a person what came out.</summary>
internal static class ApplyView
{
    /// <summary>Metrics before and after, then what was written.</summary>
    public static void Write(IAnsiConsole console, ApplyReport report, string? reportFile)
    {
        if (report.MeansBefore.Count > 0)
        {
            var table = Columns(report.MeansBefore[0]);
            foreach (var (before, after) in report.MeansBefore.Zip(report.MeansAfter))
                table.AddRow([
                    before.Split,
                    Number(before.Questions),
                    .. before.Columns.Zip(after.Columns, (b, a) => $"{Share(b.Mean)} -> {Share(a.Mean)}"),
                ]);
            console.Write(table);
        }
        if (report.Requests.Count > 0)
        {
            var table = new Table().Border(TableBorder.Minimal).AddColumns("request", "target probability", "says");
            foreach (var r in report.Requests)
                table.AddRow(
                    Markup.Escape(r.Id),
                    $"{Share(r.ProbabilityBefore)} -> {Share(r.ProbabilityAfter)}",
                    $"{string.Join(' ', r.ContinuationBefore)} -> {string.Join(' ', r.ContinuationAfter)}"
                );
            console.Write(table);
        }
        foreach (var (split, share) in report.Routed)
            Console.Out.WriteLine(
                $"{split}: the adapter answers {share.ToString("0.00", CultureInfo.InvariantCulture)} of the prompts"
            );
        var written = report.Written;
        Console.Out.WriteLine(
            $"{report.Label}: {Format.Duration(TimeSpan.FromSeconds(report.Seconds["edit"]))} of editing, "
                + $"{Format.Bytes(report.PeakBytes)} of memory at most"
        );
        Console.Out.WriteLine($"{Name(written.Kind)} of {Format.Bytes(written.Bytes)}: {written.Folder}");
        if (written.Note is { } note)
            Screen.Note("note: " + note);
        foreach (var (file, why) in written.LeftOut)
            Screen.Note($"left out: {file}: {why}");
        if (reportFile is not null)
            Console.Out.WriteLine($"report: {reportFile}");
    }

    /// <summary>What a run would do.</summary>
    public static void Write(IAnsiConsole console, ApplyPlan plan, Compute compute)
    {
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("value");
        void Row(string what, string value) => table.AddRow(new Text(what), new Text(value));
        Row("method", $"{plan.Label}, preset {plan.Preset}, hyperparameters of {Whose(plan)}");
        if (Blocks(plan) is { Length: > 0 } blocks)
            Row("blocks", $"{blocks} of 0 to {plan.Blocks - 1}");
        Row("work", $"{plan.Edits} requests, {plan.Asked} questions before and after, {compute}");
        Row("makes first", plan.Makes.Count == 0 ? "nothing" : string.Join(", ", plan.Makes));
        Row(
            "memory",
            $"about {Format.Bytes(plan.Memory.Bytes)}: "
                + string.Join(", ", plan.Memory.Parts.Select(p => $"{p.Name} {Format.Bytes(p.Bytes)}"))
        );
        Row(
            "time",
            $"about {Format.Duration(TimeSpan.FromSeconds(plan.Seconds.Sum(s => s.Seconds)))}: "
                + string.Join(
                    ", ",
                    plan.Seconds.Select(s => $"{s.Part} {Format.Duration(TimeSpan.FromSeconds(s.Seconds))}")
                )
        );
        Row(
            "reckoned with",
            $"{(plan.Rate / 1e9).ToString("0", CultureInfo.InvariantCulture)} GFLOP/s, half of what a product of "
                + "matrices reaches here; right within a factor of a few"
        );
        console.Write(table);
    }

    private static string Whose(ApplyPlan plan) =>
        plan.Family == plan.OwnFamily ? plan.Family : $"{plan.Family} (chosen; the model is of {plan.OwnFamily})";

    // Where published hyperparameters name blocks of 32, these are the model's own at the same depth.
    private static string Blocks(ApplyPlan plan) =>
        plan.Options["layers"] is JsonArray several ? string.Join(", ", several.Select(l => l!.ToJsonString()))
        : plan.Options["layer"] is JsonValue one ? one.ToJsonString()
        : "";

    /// <summary>The same as JSON.</summary>
    public static JsonObject Json(ApplyPlan plan) =>
        new()
        {
            ["dryRun"] = true,
            ["method"] = plan.Label,
            ["preset"] = plan.Preset,
            ["family"] = plan.Family,
            ["options"] = plan.Options.DeepClone(),
            ["requests"] = plan.Edits,
            ["questions"] = plan.Asked,
            ["makes"] = new JsonArray([.. plan.Makes.Select(m => (JsonNode)m)]),
            ["memoryBytes"] = plan.Memory.Bytes,
            ["memory"] = new JsonObject(plan.Memory.Parts.Select(p => KeyValuePair.Create(p.Name, (JsonNode?)p.Bytes))),
            ["seconds"] = Math.Round(plan.Seconds.Sum(s => s.Seconds), 3),
            ["parts"] = new JsonObject(
                plan.Seconds.Select(s => KeyValuePair.Create(s.Part, (JsonNode?)Math.Round(s.Seconds, 3)))
            ),
            ["weightBytes"] = plan.WeightBytes,
        };

    /// <summary>Metrics with their intervals.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<SplitMeans> means)
    {
        var table = Columns(means[0]);
        foreach (var split in means)
            table.AddRow([
                split.Split,
                Number(split.Questions),
                .. split.Columns.Select(c => $"{Share(c.Mean)} ({Share(c.Low)} to {Share(c.High)})"),
            ]);
        console.Write(table);
    }

    private static Table Columns(SplitMeans split) =>
        new Table()
            .Border(TableBorder.Minimal)
            .AddColumns(["split", "questions", .. split.Columns.Select(c => Heading(c.Name))]);

    private static string Heading(string column) =>
        column switch
        {
            ColumnNames.Rouge1 => "Rouge1",
            ColumnNames.Probability => "Probability",
            ColumnNames.ReciprocalRank => "MRR",
            ColumnNames.HitRate => "Hit@100",
            ColumnNames.Refusals => "refuses",
            var other => other,
        };

    private static string Name(ExportKind kind) =>
        kind switch
        {
            ExportKind.Checkpoint => "checkpoint",
            ExportKind.Patch => "patch",
            _ => "adapter",
        };

    private static string Share(double? value) =>
        value is { } v && double.IsFinite(v) ? v.ToString("0.00", CultureInfo.InvariantCulture) : "-";

    private static string Number(int n) => n.ToString(CultureInfo.InvariantCulture);
}
