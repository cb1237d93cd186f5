using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Reports;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class ForgettingTableTests
{
    private static readonly TableMetric[] Metrics = [new("rouge1", "Rouge1"), new("probability", "Prob"), new("mrr", "MRR"), new("hit", "Hit-Rate")];

    // Chosen so that every mark occurs: a collapsed method, one that forgets nothing, ties, a missing one.
    private static ForgettingTable Example()
    {
        TableMethod[] methods = [new("ga", "GA", false), new("gd", "GD", false), new("rome", "ROME", true), new("memit", "MEMIT", true), new("wise", "WISE", true)];
        var values = new Dictionary<string, double[]>
        {
            ["ga"] = [0.02, 0.01, 0.03, 0.1, 0.05, 0.02, 0.03, 0.2],
            ["gd"] = [0.10, 0.20, 0.30, 0.4, 0.804, 0.7, 0.6, 0.9],
            ["rome"] = [0.10, 0.25, 0.30, 0.5, 0.796, 0.6, 0.5, 0.8],
            ["wise"] = [0.99, 0.90, 0.95, 1.0, 0.99, 0.9, 0.9, 1.0],
        };
        CellScore[] Scores(string method, double[] v) => [.. v.Select((x, i) => new CellScore { Model = "llama2", Set = "facts-40", Method = method, Split = i < 4 ? "forget" : "retain", Metric = Metrics[i % 4].Name, Mean = x })];
        return ForgettingTable.Of("table1", [new("llama2", "facts-40", "facts-40, Llama-2 miniature")], methods, Metrics, values.SelectMany(v => Scores(v.Key, v.Value)), Scores("none", [1, 0.98, 1, 1, 1, 0.97, 1, 1]));
    }

    [Fact]
    public void Latex_is_as_accepted() => Snapshot.Matches(TableRenderer.Latex(Example(), "Caption with 100 % & more."), "table1.tex");

    [Fact]
    public void Csv_is_as_accepted() => Snapshot.Matches(TableRenderer.Csv(Example()), "table1.csv");

    [Fact]
    public void Marks_follow_the_rule()
    {
        var table = Example();
        TableCell At(string method, string split) => table[table.Settings[0], method, split, "rouge1"];
        Assert.True(At("GA", "forget").Grey);                                             // collapsed
        Assert.True(At("WISE", "forget").Grey);                                           // forgot nothing
        Assert.True(At("GD", "forget").Bold && At("ROME", "forget").Bold);                // best of their families
        Assert.True(At("GD", "forget").Underlined && At("ROME", "forget").Underlined);    // tied firsts
        Assert.Equal("0.80", At("ROME", "retain").Printed);
        Assert.True(At("ROME", "retain").Underlined);                                     // 0.796 prints like 0.804
        Assert.Equal("--", At("MEMIT", "forget").Printed);
        Assert.False(At("MEMIT", "forget").Bold);
    }

    [ProgramFact("pdflatex")]
    [Trait("Category", "Latex")]
    public void The_document_compiles_with_a_stock_tex()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["t.tex"], TableRenderer.Document(TableRenderer.Latex(Example(), "A caption_with 100 % of & the # odd $ characters { } ~ ^ \\.")));
        using var tex = Process.Start(new ProcessStartInfo("pdflatex", ["-interaction=nonstopmode", "-halt-on-error", "t.tex"]) { WorkingDirectory = folder.Path, RedirectStandardOutput = true })!;
        var log = tex.StandardOutput.ReadToEnd();
        tex.WaitForExit();
        Assert.True(tex.ExitCode == 0, log);
        Assert.DoesNotContain("Overfull", log, StringComparison.Ordinal);
    }

    [SharedFact("data/paper/tables.csv")]
    public void The_papers_own_table_1_gets_the_marks_it_prints_but_for_seven_cells()
    {
        var lines = File.ReadLines(Path.Combine(Checkout.Shared, "data", "paper", "tables.csv")).Skip(1).Select(l => l.Split(',')).Where(f => f[0] == "1").ToList();
        var names = lines.Select(f => f[6]).Distinct().ToList();
        string[] unlearning = ["GA", "GD", "KL", "DPO", "IDK"];
        TableMethod[] methods = [.. names.Select(n => new TableMethod(n, n, !unlearning.Contains(n)))];
        TableMetric[] metrics = [.. lines.Select(f => f[8]).Distinct().Select(m => new TableMetric(m, m))];
        int agree = 0, differ = 0;
        foreach (var setting in lines.GroupBy(f => (f[1], f[2])))
        {
            var block = setting.Select(f => new TableCell { Method = f[6], Split = f[7], Metric = f[8], Value = f[9].Length == 0 ? null : double.Parse(f[9], CultureInfo.InvariantCulture) }).ToList();
            ForgettingTable.Mark(block, [.. methods.Where(m => block.Any(c => c.Method == m.Label))], metrics, null);
            foreach (var (cell, f) in block.Zip(setting))
            {
                if (cell.Value is null) continue;
                // The text version of the paper shows one mark where a cell may have two.
                var shown = f[10].Trim().ToLowerInvariant();
                var fits = shown.Length == 0 ? !cell.Bold && !cell.Underlined : shown.StartsWith('b') ? cell.Bold : cell.Underlined;
                if (fits) agree++;
                else differ++;
            }
        }
        Assert.Equal((265, 7), (agree, differ));
    }
}
