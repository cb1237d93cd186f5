using System.Diagnostics;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>What a user sees when something is mistyped, missing or interrupted.</summary>
[Trait("Category", "EndToEnd")]
public sealed class CommandTests
{
    [Theory]
    [InlineData("methods=ga", "'methods' must be a map")]
    [InlineData("methods=", "'methods' must be a map")]
    [InlineData("methods=null", "'methods' must be a map")]
    [InlineData("models=llama2", "'models' must be a map")]
    [InlineData("models.llama2.sets=facts-20", "'models.llama2.sets' must be a list, as in [facts-20]")]
    public void A_single_value_in_the_place_of_a_map_or_a_list_is_called_so(string set, string expected)
    {
        using var tool = new Tool();
        var (code, _, error) = tool.Run("status", "--profile", "smoke", "--set", set);
        Assert.True(code == 2, $"exit code {code}\n{error}");
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "profiles/mini.yaml",
        "\n  steps: 300",
        "\n  stepz: 300",
        "'stepz' is not a parameter here\n  hint: did you mean 'steps'?"
    )]
    [InlineData(
        "profiles/mini.yaml",
        "\n  steps: 300",
        "\n  steps: many",
        "'size.steps' must be a whole number, not 'many'"
    )]
    [InlineData(
        "profiles/mini.yaml",
        "\n  rome:",
        "\n  roma:",
        "there is no setting 'methods.roma' to change\n  hint: did you mean 'rome'?"
    )]
    [InlineData(
        "profiles/base.yaml",
        "data/facts-own.jsonl",
        "data/facts-owm.jsonl",
        "there is no file 'data/facts-owm.jsonl'\n  hint: did you mean 'facts-own.jsonl'?"
    )]
    [InlineData(
        "profiles/mini.yaml",
        "learning-rate: 1.5e-5",
        "lerning-rate: 1.5e-5",
        "'options.lerning-rate' is not an option of this method\n  hint: did you mean 'learning-rate'?"
    )]
    [InlineData(
        "profiles/mini.yaml",
        "trainable: full\n      learning-rate: 1.5e-5",
        "trainable: some\n      learning-rate: 1.5e-5",
        "must be one of"
    )]
    [InlineData(
        "pipeline.yaml",
        "answers: answer\n",
        "answers: score\n",
        "the stages read each other in a circle: score -> score"
    )]
    public void A_mistake_in_the_study_is_reported_with_its_place_and_exit_code_2(
        string file,
        string right,
        string wrong,
        string expected
    )
    {
        using var tool = new Tool();
        var yaml = File.ReadAllText(tool[file]);
        Assert.Contains(right, yaml, StringComparison.Ordinal);
        File.WriteAllText(tool[file], yaml.Replace(right, wrong, StringComparison.Ordinal));
        var (code, output, error) = tool.Run("repro");
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Matches($@"{file.Replace(".", @"\.", StringComparison.Ordinal)}\(\d+,\d+\): ", error);
        Assert.False(Directory.Exists(tool["artifacts/pretrain"]));
    }

    [Fact]
    public void Wrong_data_ends_with_exit_code_2_and_line_and_field()
    {
        using var tool = new Tool();
        var lines = File.ReadAllLines(tool["data/facts-own.jsonl"]);
        lines[3] = lines[3].Replace("\"answer\"", "\"anser\"", StringComparison.Ordinal);
        File.WriteAllLines(tool["data/facts-own.jsonl"], lines);
        var (code, _, error) = tool.Run("repro", "--profile", "smoke", "data[facts]");
        Assert.Equal(2, code);
        Assert.Contains(
            "facts-own.jsonl(4): anser is not a field of a question\n  hint: did you mean 'answer'?",
            error,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(0, "--help")]
    [InlineData(0, "repro", "--help")]
    [InlineData(2, "reproo")]
    [InlineData(2, "repro", "--no-such-option")]
    [InlineData(2, "repro", "no-such-stage")]
    [InlineData(2, "repro", "-j", "many")]
    [InlineData(2, "repro", "--profile", "smook")]
    [InlineData(2, "show", "tables/table1.tex")]
    [InlineData(0, "plan", "--profile", "smoke")]
    [InlineData(0, "dag", "--format", "dot")]
    [InlineData(2, "dag", "--format", "png")]
    [InlineData(0, "dataset", "lint", "data/facts-own.jsonl")]
    [InlineData(2, "dataset", "lint", "nowhere.jsonl")]
    [InlineData(0, "claims", "--of", "paper")]
    [InlineData(2, "claims", "--of", "nobody")]
    [InlineData(2, "claims", "--format", "pdf")]
    [InlineData(2, "claims")]
    [InlineData(0, "diff", "paper", "paper")]
    [InlineData(2, "diff", "paper", "nowhere")]
    [InlineData(2, "diff", "paper", "paper", "--against", "paper")]
    [InlineData(2, "check")]
    public void Exit_codes_are_as_documented(int expected, params string[] arguments)
    {
        using var tool = new Tool();
        var (code, output, error) = tool.Run(arguments);
        Assert.True(expected == code, $"exit code {code}, expected {expected}\n{output}\n{error}");
    }

    [Fact]
    public void Interrupted_it_ends_with_130_and_the_next_run_goes_on()
    {
        using var tool = new Tool();
        // An interactive shell starts programs with SIGINT at its default, one in the background may not; setsid gives
        // the child a session of its own.
        var start = new ProcessStartInfo(
            "setsid",
            [
                "env",
                "--default-signal=INT",
                "dotnet",
                Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll"),
                "repro",
                "--profile",
                "smoke",
                "--set",
                "pretrain.steps=2000",
            ]
        )
        {
            WorkingDirectory = Path.GetDirectoryName(tool["pipeline.yaml"])!,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        Thread.Sleep(3000);
        var clock = Stopwatch.StartNew();
        Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();
        Assert.True(process.WaitForExit(10_000), "it did not stop");
        Assert.Equal(130, process.ExitCode);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5));
        Assert.Equal(0, tool.Run("repro", "--profile", "smoke", "data[facts]").ExitCode);
    }
}
