using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Methods;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>The whole line on a miniature of a few steps: every stage is real, the numbers mean nothing.</summary>
[Trait("Category", "EndToEnd")]
public sealed class SmokeTests
{
    [Fact]
    public void The_study_runs_to_its_table_then_does_nothing_then_exactly_what_a_change_asks_for()
    {
        using var tool = new Tool();
        var (first, ran) = tool.Repro();
        Assert.Contains("tables", ran);
        HasTheTable(tool, ran);
        var table = File.ReadAllBytes(tool["artifacts/tables/table1.tex"]);

        var (second, none) = tool.Repro();
        Assert.Empty(none);
        Assert.Equal((int)first["executed"]!, (int)second["upToDate"]!);
        Assert.True((double)second["timings"]!["plannerMilliseconds"]! > 0);
        Assert.Equal(0, tool.Run("repro", "--profile", "smoke", "--frozen").ExitCode);

        string[] change = ["--set", "methods.ga.options.learning-rate=1e-4"];
        var frozen = tool.Run(["repro", "--profile", "smoke", "--frozen", .. change]);
        Assert.Equal(3, frozen.ExitCode);
        Assert.Contains(
            "options.learning-rate 1.5E-05 -> 0.0001 (--set methods.ga.options.learning-rate=1e-4)",
            frozen.Out,
            StringComparison.Ordinal
        );
        var planned = tool.Run(["plan", "--profile", "smoke", .. change]).Out;
        var changed = tool.Repro(change).Ran;
        Assert.Equal(
            ["answer[llama2,facts-4,ga]", "apply[llama2,facts-4,ga]", .. Reports("score[llama2,facts-4,ga]")],
            changed
        );
        Assert.Contains($"\n{changed.Length} stages are stale,", planned, StringComparison.Ordinal);
        Assert.EndsWith(
            $"; up to {changed.Length - 1} may be left out when what they read comes out as before.\n",
            planned,
            StringComparison.Ordinal
        );

        Assert.Empty(tool.Repro().Ran); // back again: all from the store
        Assert.Equal(table, File.ReadAllBytes(tool["artifacts/tables/table1.tex"]));
        string[] added = tool.Repro("--set", "run-methods=null").Ran;
        // apply, answer and score of each further method, and the reports; context prefixes, moments and projectors
        // were there already
        Assert.Equal((MethodCatalog.All.Count - 3) * 3 + 8, added.Length);
        Assert.DoesNotContain(
            added,
            c => c.Contains(",ga]", StringComparison.Ordinal) || c.Contains(",rome]", StringComparison.Ordinal)
        );
        Assert.Equal(
            ["answer[llama2,facts-4,rome]", "apply[llama2,facts-4,rome]", .. Reports("score[llama2,facts-4,rome]")],
            tool.Repro("--set", "methods.rome.options.value.steps=2").Ran
        );
    }

    private static void HasTheTable(Tool tool, string[] ran)
    {
        var latex = File.ReadAllText(tool["artifacts/tables/table1.tex"]);
        Assert.Contains(@"\begin{tabular}", latex, StringComparison.Ordinal);
        Assert.Contains("miniature", latex, StringComparison.Ordinal);
        var cells = ParquetTable.Read<TableCell>(tool["artifacts/tables/table1.parquet"]);
        // Two models and two kinds of data stand in the table; the profile has one of each.
        string[] methods =
        [
            .. ran.Where(c => c.StartsWith("answer[llama2,facts-4,", StringComparison.Ordinal))
                .Select(c => c.Split(',', ']')[2]),
        ];
        Assert.Equal(["ga", "none", "rome"], methods.Order(StringComparer.Ordinal));
        var own = cells.Where(c => c is { Model: "llama2", Data: "facts" } && methods.Contains(c.Method)).ToList();
        // Five columns of each of two splits, and Rouge1 of all kept questions.
        Assert.Equal(methods.Length * (2 * 5 + 1), own.Count);
        Assert.All(own, c => Assert.NotNull(c.Value));
        Assert.All(cells.Except(own), c => Assert.Null(c.Value));
    }

    // What a changed score makes stale, sorted by name. A claim or picture that comes out the same stops the rest.
    private static string[] Reports(string score) =>
        ["cases", "claims", "figures", "first-table", "ratings", "report", score, "tables", "tables-paper"];

    [Fact]
    public void Accepted_tables_are_held_and_a_perturbed_cell_is_named()
    {
        using var tool = new Tool();
        string[] smoke = ["--profile", "smoke"];
        Assert.Equal(2, tool.Run(["check", .. smoke]).ExitCode); // nothing has run
        tool.Repro();
        var (none, _, hint) = tool.Run(["check", .. smoke]);
        Assert.Equal(2, none);
        Assert.Contains("--accept '*'", hint, StringComparison.Ordinal);
        Assert.Equal(0, tool.Run(["check", .. smoke, "--accept", "*"]).ExitCode);
        // The first guess of the time left for whoever clones it next.
        var seconds = JsonNode.Parse(File.ReadAllText(tool["accepted/smoke/seconds.json"]))!.AsObject();
        Assert.True((double)seconds["pretrain"]! > 0 && seconds.ContainsKey("apply"));
        var (same, text, _) = tool.Run(["check", .. smoke]);
        Assert.True(same == 0, text);

        var file = tool["accepted/smoke/table1.csv"];
        var accepted = File.ReadAllLines(file);
        var (ga, rome) = (
            Line("table1[GA,llama2,facts-4,retain.rouge1]"),
            Line("table1[ROME,llama2,facts-4,retain.prob]@paper")
        );
        int Line(string name) => Array.FindIndex(accepted, l => l.StartsWith($"\"{name}\",", StringComparison.Ordinal));
        foreach (var i in (int[])[ga, rome])
            accepted[i] = Perturbed(accepted[i]);
        File.WriteAllLines(file, accepted);
        var (moved, report, _) = tool.Run([
            "check",
            .. smoke,
            "--markdown",
            tool["check.md"],
            "--junit",
            tool["check.xml"],
        ]);
        Assert.Equal(4, moved);
        Assert.Contains("table1[GA,llama2,facts-4,retain.rouge1]", report, StringComparison.Ordinal);
        Assert.Contains("2 of ", report, StringComparison.Ordinal);
        Assert.Contains(
            "ROME,llama2,facts-4,retain.prob]@paper",
            File.ReadAllText(tool["check.md"]),
            StringComparison.Ordinal
        );
        Assert.Contains("failures=\"2\"", File.ReadAllText(tool["check.xml"]), StringComparison.Ordinal);

        Assert.Equal(0, tool.Run(["check", .. smoke, "--accept", "table1[GA,*]"]).ExitCode);
        var now = File.ReadAllLines(file);
        Assert.Equal([ga], Enumerable.Range(0, now.Length).Where(i => now[i] != accepted[i]));
        Assert.Equal(4, tool.Run(["check", .. smoke]).ExitCode);
        Assert.Equal(2, tool.Run(["check", .. smoke, "--accept", "table1[WIZE,*]"]).ExitCode);

        var diff = tool.Run(["diff", "--against", "paper", .. smoke]);
        Assert.True(diff.ExitCode == 0, diff.Error);
        // the paper forgets 40, the smoke profile 4
        Assert.Contains("T1: 0 of 272 cells", diff.Out, StringComparison.Ordinal);
        Assert.Equal(0, tool.Run(["diff", "study", "accepted/smoke", "--csv", .. smoke]).ExitCode);
        Assert.Contains("Miniature models", tool.Run(["claims", .. smoke]).Out, StringComparison.Ordinal);
        Assert.Contains("9 claims", tool.Run("claims", "--of", "paper").Out, StringComparison.Ordinal);
    }

    // The row of a table with its value moved by 0.1.
    private static string Perturbed(string line)
    {
        var fields = line.Split(',');
        var value = fields.Length - 12; // counted from the end: the name holds commas
        fields[value] = (double.Parse(fields[value], CultureInfo.InvariantCulture) + 0.1).ToString(
            "R",
            CultureInfo.InvariantCulture
        );
        return string.Join(',', fields);
    }

    [Fact]
    public void Killed_in_the_middle_the_next_run_just_runs_and_ends_with_the_same_bytes()
    {
        using var whole = new Tool();
        whole.Repro();
        using var killed = new Tool();
        foreach (var milliseconds in (int[])[700, 1600, 2600])
        {
            using var process = killed.Start("repro", "--profile", "smoke");
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            Thread.Sleep(milliseconds);
            // The tool alone: its workers must notice by themselves.
            process.Kill(entireProcessTree: false);
            process.WaitForExit();
        }
        killed.Repro();
        foreach (var file in (string[])["table1.tex", "table1.csv", "table1.parquet"])
            Assert.Equal(
                File.ReadAllBytes(whole[$"artifacts/tables/{file}"]),
                File.ReadAllBytes(killed[$"artifacts/tables/{file}"])
            );
        Assert.Empty(Directory.EnumerateFileSystemEntries(killed["artifacts/.store/scratch"]));
        Assert.Empty(Process.GetProcessesByName("dotnet").Where(p => Orphaned(p, killed["artifacts"])));
    }

    // A worker of the killed tool would still hold its folder open.
    private static bool Orphaned(Process process, string folder)
    {
        try
        {
            return Directory
                .EnumerateFiles($"/proc/{process.Id}/fd")
                .Any(f => new FileInfo(f).LinkTarget?.StartsWith(folder, StringComparison.Ordinal) == true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    [Fact]
    public void Results_do_not_depend_on_how_many_cells_run_at_once()
    {
        using var one = new Tool();
        one.Repro("-j", "1");
        using var four = new Tool();
        four.Repro("-j", "4");
        Assert.Equal(
            File.ReadAllBytes(one["artifacts/tables/table1.parquet"]),
            File.ReadAllBytes(four["artifacts/tables/table1.parquet"])
        );
    }

    [Fact]
    public void Every_file_has_the_same_bytes_on_a_processor_without_wide_vectors()
    {
        static Dictionary<string, string> Hashes(Tool tool)
        {
            tool.Repro("--set", "run-methods=null");
            return Directory
                .EnumerateFiles(tool["artifacts"], "manifest.json", SearchOption.AllDirectories)
                .Where(f => !f.Contains(".store", StringComparison.Ordinal))
                .Select(f => JsonNode.Parse(File.ReadAllText(f))!)
                .Where(m => (string)m["stage"]! is not ("figures" or "report")) // drawn by the system's own fonts
                .SelectMany(m => m["outputs"]!.AsArray().Select(o => ($"{m["cell"]}/{o!["name"]}", (string)o["hash"]!)))
                .ToDictionary();
        }
        using var here = new Tool();
        using var narrow = new Tool();
        foreach (
            var (name, value) in new[]
            {
                ("DOTNET_EnableAVX512", "0"),
                ("DOTNET_EnableAVX512F", "0"),
                ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
                ("ONEDNN_MAX_CPU_ISA", "AVX2"),
            }
        )
            narrow.Variables[name] = value;
        var (expected, actual) = (Hashes(here), Hashes(narrow));
        Assert.NotEmpty(expected);
        Assert.Equal(
            expected.OrderBy(e => e.Key, StringComparer.Ordinal),
            actual.OrderBy(e => e.Key, StringComparer.Ordinal)
        );
    }

    [Fact]
    public void Damaged_results_end_with_exit_code_5_and_lose_nothing_else()
    {
        using var tool = new Tool();
        tool.Repro();
        var answers = tool["artifacts/answer/llama2,facts-4,ga/answers.parquet"];
        var bytes = File.ReadAllBytes(answers);
        Replace(answers, bytes[..(bytes.Length / 2)]);
        var show = tool.Run("show", "answer/llama2,facts-4,ga/answers.parquet", "--profile", "smoke");
        Assert.Equal(5, show.ExitCode);
        Assert.Contains("answer[llama2,facts-4,ga]/answers.parquet: has", show.Error, StringComparison.Ordinal);
        Assert.Contains("--force 'answer[llama2,facts-4,ga]'", show.Error, StringComparison.Ordinal);
        var score = tool.Run("repro", "--profile", "smoke", "--force", "score[llama2,facts-4,ga]");
        Assert.Equal(5, score.ExitCode);
        Assert.Equal(["answer[llama2,facts-4,ga]"], tool.Repro("--force", "answer[llama2,facts-4,ga]").Ran);
        Assert.Equal(bytes, File.ReadAllBytes(answers));

        // Same length, other bytes: the reader of the file finds out.
        var weights = tool["artifacts/pretrain/llama2/model/model.safetensors"];
        var header = File.ReadAllBytes(weights);
        header[3] = 0xFF;
        Replace(weights, header);
        var quality = tool.Run("repro", "--profile", "smoke", "--force", "quality");
        Assert.Equal(5, quality.ExitCode);
        Assert.Contains("model.safetensors: the header claims", quality.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_diverges_is_a_result_with_a_mark_in_the_tables()
    {
        using var tool = new Tool();
        string[] study = ["tables", "--set", "methods.ga.options.learning-rate=1e15"];
        var (_, ran) = tool.Repro(study);
        Assert.Contains("apply[llama2,facts-4,ga]", ran);
        var end = Assert.Single(
            ParquetTable.Read<TrainingSummaryRow>(tool["artifacts/apply/llama2,facts-4,ga/curve/summary.parquet"])
        );
        Assert.True(end.Diverged);
        Assert.True(end.DivergedStep > end.Steps);
        Assert.Empty(
            ParquetTable.Read<TrainingSummaryRow>(tool["artifacts/apply/llama2,facts-4,rome/curve/summary.parquet"])
        );
        Assert.Contains(
            "diverged at step",
            tool.Run("log", "apply[llama2,facts-4,ga]", "--profile", "smoke").Out,
            StringComparison.Ordinal
        );

        // The last finite state was evaluated like any other, and its cells say what it is.
        var cells = ParquetTable
            .Read<TableCell>(tool["artifacts/tables/table1.parquet"])
            .Where(c => c is { Model: "llama2", Data: "facts", Value: not null })
            .ToList();
        Assert.Contains(cells, c => c.Method == "ga");
        Assert.All(cells, c => Assert.Equal(c.Method == "ga", c.Diverged));
        var table = File.ReadAllText(tool["artifacts/tables/table1.tex"]);
        Assert.Contains(@"\textsuperscript{\dag}", table, StringComparison.Ordinal);
        Assert.Contains("training diverged", table, StringComparison.Ordinal);

        Assert.Equal(0, tool.Run("cache", "verify").ExitCode);
        Assert.Empty(tool.Repro(study).Ran);
        // With a rate that stays finite the mark goes.
        tool.Repro("tables");
        Assert.DoesNotContain(@"\dag", File.ReadAllText(tool["artifacts/tables/table1.tex"]), StringComparison.Ordinal);
    }

    private static void Replace(string file, byte[] bytes)
    {
        File.Delete(file); // results are read-only; what is replaced is this name only
        File.WriteAllBytes(file, bytes);
    }
}
