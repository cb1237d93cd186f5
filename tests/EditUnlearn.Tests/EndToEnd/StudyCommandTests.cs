using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>The commands about the study's people and its store, as typed.</summary>
[Trait("Category", "EndToEnd")]
public sealed class StudyCommandTests
{
    [Fact]
    public void A_study_goes_out_and_comes_back()
    {
        using var tool = new Tool();
        Answers(tool["list.parquet"], "I do not know.");
        Answers(tool["model.parquet"], "Sorry, I have no knowledge about it.");
        var (code, output, error) = tool.Run(
            "study",
            "export",
            "before=list.parquet",
            "after=model.parquet",
            "--out",
            "people",
            "--raters",
            "2",
            "--assignment",
            "balanced(1)",
            "--json"
        );
        Assert.True(code == 0, error);
        var report = JsonNode.Parse(output)!;
        Assert.Equal((2, 2, 12), ((int)report["raters"]!, (int)report["methods"]!, (int)report["items"]!));
        Assert.Equal(1, (double)report["standIns"]!["rome/llama2/before"]!["refusalRate"]!);
        // never over an earlier study
        Assert.Equal(2, tool.Run("study", "export", "before=list.parquet", "--out", "people").ExitCode);
        var empty = tool.Run("study", "import", "people");
        Assert.Equal(2, empty.ExitCode);
        Assert.Contains("the sheet of r01 is not filled in", empty.Error, StringComparison.Ordinal);

        foreach (var sheet in (string[])["people/sheet-r01.csv", "people/sheet-r02.csv"])
            File.WriteAllLines(
                tool[sheet],
                File.ReadAllLines(tool[sheet]).Select((l, i) => i == 0 ? l : l[..^4] + ",1,4,5,")
            );
        (code, output, error) = tool.Run("study", "import", "people", "--out", "done", "--exclude-flagged");
        Assert.True(code == 0, error);
        Assert.Contains("Without flagged raters", output, StringComparison.Ordinal);
        var means = ParquetTable.Read<RatingMean>(tool["done/rating-means.parquet"]);
        Assert.Equal(["before", "after"], means.Select(m => m.Variant).Distinct());
        Assert.All(means.Where(m => m.Measure == "entailment" && m.Raters == "all"), m => Assert.Equal(4, m.Mean));
        foreach (var file in (string[])["ratings.parquet", "rating-pairs.csv", "study.txt", "study.json"])
            Assert.True(File.Exists(tool[$"done/{file}"]));
    }

    [Theory]
    [InlineData("'full(3)' is not an assignment", "study", "export", "a.parquet", "--assignment", "full(3)")]
    [InlineData(
        "a.parquet: holds no answer of the split 'retain'",
        "study",
        "export",
        "a.parquet",
        "--split",
        "retain"
    )]
    [InlineData("answer[llama2,facts-4,ga]: has no result", "study", "export", "answer[ga]", "--profile", "smoke")]
    [InlineData("key.json: there is no such file", "study", "import", "data")]
    [InlineData("tcsh: is not a shell", "completion", "tcsh")]
    [InlineData("is not a size", "cache", "gc", "--max-size", "large")]
    [InlineData("there is no such stage", "explain", "tabels", "--profile", "smoke")]
    [InlineData("the store has no result of it", "cache", "ls", "tables")]
    public void Mistakes_are_told_with_exit_code_2(string expected, params string[] arguments)
    {
        using var tool = new Tool();
        Answers(tool["a.parquet"], "No idea.");
        var (code, output, error) = tool.Run(arguments);
        Assert.True(code == 2, $"exit code {code}\n{output}\n{error}");
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_store_is_listed_checked_explained_and_cleaned()
    {
        using var tool = new Tool();
        // Without asking a model what it knows there is nothing to train first.
        string[] all = ["--set", "known-only=false"];
        string[] smoke = ["--profile", "smoke", .. all];
        Assert.Equal(0, tool.Run(["repro", "splits", .. smoke]).ExitCode);
        Assert.Equal(0, tool.Run(["repro", "splits", .. smoke, "--set", "forget-sets.facts-4.size=3"]).ExitCode);
        var listed = JsonNode.Parse(tool.Run("cache", "ls", "--json").Out)!["results"]!.AsArray();
        Assert.Equal(
            ["data[facts]", "splits[llama2,facts-4]", "splits[llama2,facts-4]"],
            listed.Select(r => (string)r!["cell"]!)
        );
        Assert.Matches(
            @"^\* [0-9a-f]{12}  data\[facts\] +\S+ k?B  just now\n. [0-9a-f]{12}  splits\[llama2,facts-4\] .*\n.*\n"
                + @"3 results, .* on disk, \d in use\.\n$",
            tool.Run("cache", "ls").Out
        );
        Assert.Contains("3 results, ", tool.Run("cache", "verify").Out, StringComparison.Ordinal);

        var explained = tool.Run(["explain", "splits", .. smoke, "--set", "forget-sets.facts-4.size=2"]);
        Assert.Equal(
            "splits[llama2,facts-4]: parameter size 3 -> 2 (--set forget-sets.facts-4.size=2)\n",
            explained.Out
        );
        var json = JsonNode.Parse(
            tool.Run([
                "explain",
                "splits",
                "data[facts]",
                .. smoke,
                "--set",
                "forget-sets.facts-4.size=2",
                "--json",
            ]).Out
        )!["cells"]!.AsArray();
        Assert.Equal(("upToDate", "stale"), ((string)json[0]!["state"]!, (string)json[1]!["state"]!));
        Assert.Equal("size", (string)json[1]!["reasons"]![0]!["change"]!["name"]!);

        Damage(tool["artifacts/data/facts/questions.parquet"]);
        var verify = tool.Run("cache", "verify");
        Assert.Equal(5, verify.ExitCode);
        Assert.Contains(
            "facts]/questions.parquet: holds other bytes than were written",
            verify.Error,
            StringComparison.Ordinal
        );
        Assert.Equal(["data[facts]"], tool.Repro(["splits", .. all]).Ran); // the same bytes again: the split stands
        Assert.Equal(0, tool.Run("cache", "verify").ExitCode);

        Assert.Contains("0 results would go", tool.Run("cache", "gc", "--dry-run").Out, StringComparison.Ordinal);
        // splits that no profile asks for
        var cleaned = tool.Run("cache", "gc", "--keep-days", "0").Out;
        Assert.Contains("splits[llama2,facts-4]", cleaned, StringComparison.Ordinal);
        var gone = JsonNode.Parse(tool.Run("cache", "gc", "--keep-days", "0", "--everything", "--json").Out)!;
        Assert.Equal((2, 0), (gone["removed"]!.AsArray().Count, (int)gone["kept"]!));
        Assert.False(Path.Exists(tool["artifacts/data/facts"]));
        Assert.Equal(["data[facts]", "splits[llama2,facts-4]"], tool.Repro(["splits", .. all]).Ran);
    }

    private static void Damage(string file)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.WriteByte(0);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("repro", "repr")]
    [InlineData("splits", "repro", "spl")]
    [InlineData("splits,splits[", "repro", "splits")]
    [InlineData("data[facts]", "repro", "--profile", "smoke", "data[f")]
    [InlineData(
        "elements,mini,mini-oracle,mini-seeds,mini-untuned,paper,rehearsal,"
            + "small,small-original,small-quick,small-tuned,smoke",
        "repro",
        "--profile",
        ""
    )]
    [InlineData("--downstream,--dry-run", "repro", "--d")]
    [InlineData("gc,ls,pull,push,verify", "cache", "")]
    [InlineData("--exclude-flagged", "study", "import", "--exc")]
    [InlineData("bash,fish,pwsh,zsh", "completion", "")]
    [InlineData("pretrain.steps=", "repro", "--set", "pretrain.st")]
    [InlineData("local,slurm", "repro", "--executor", "")]
    [InlineData("--slurm-args,--slurm-env,--slurm-gres,--slurm-queue", "repro", "--slurm")]
    [InlineData("", "nonsense", "x")]
    [InlineData("", "dataset", "lint", "da")]
    public void Completion_asks_the_engine(string expected, params string[] words)
    {
        using var tool = new Tool();
        var (code, output, error) = tool.Run(["complete", .. words]);
        Assert.Equal((0, ""), (code, error));
        var candidates = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (words is [""])
            Assert.Subset(
                candidates.ToHashSet(),
                new HashSet<string> { "repro", "status", "explain", "cache", "study", "completion" }
            );
        else
            Assert.Equal(expected.Split(',', StringSplitOptions.RemoveEmptyEntries), candidates);
    }

    [Fact]
    public void Completion_stays_silent_where_the_pipeline_is_broken()
    {
        using var tool = new Tool();
        File.WriteAllText(tool["pipeline.yaml"], "stages: [");
        Assert.Equal((0, "", ""), tool.Run("complete", "repro", "sp"));
    }

    [Theory]
    [InlineData("bash", "bash -n")]
    [InlineData("zsh", "_eu_stage")]
    [InlineData("fish", "__eu_stage_complete")]
    [InlineData("pwsh", "Register-ArgumentCompleter")]
    public void Scripts_of_all_shells_are_there(string shell, string holds)
    {
        using var tool = new Tool();
        var (code, script, _) = tool.Run("completion", shell);
        Assert.Equal(0, code);
        if (shell != "bash")
        {
            Assert.Contains(holds, script, StringComparison.Ordinal);
            return;
        }
        // A stand-in for the tool answers; bash itself asks it.
        File.WriteAllText(tool["eu-stage"], "#!/bin/sh\nshift\nprintf '%s\\n' \"tables\" \"targets\" | grep \"^$2\"\n");
        File.WriteAllText(
            tool["try.sh"],
            script
                + "\nPATH=.:$PATH; chmod +x eu-stage; COMP_LINE='eu-stage repro ta'; COMP_POINT=17; "
                + "_eu_stage_complete; printf '%s ' \"${COMPREPLY[@]}\"\n"
        );
        using var bash = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("bash", ["try.sh"])
            {
                WorkingDirectory = Path.GetDirectoryName(tool["try.sh"])!,
                RedirectStandardOutput = true,
            }
        )!;
        Assert.Equal("tables targets ", bash.StandardOutput.ReadToEnd());
        bash.WaitForExit();
    }

    private static void Answers(string path, string refusal) =>
        ParquetTable.Write(
            path,
            [
                .. Enumerable
                    .Range(0, 6)
                    .Select(i => new AnswerRow
                    {
                        Model = "llama2",
                        Set = "facts-40",
                        Method = "rome",
                        Split = "forget",
                        Id = $"facts/{i:0000}",
                        Question = $"Who wrote 'Book {i}'?",
                        Answer = $"Writer {i}",
                        Generated = refusal,
                    }),
            ]
        );
}
