using EditUnlearn.Cli.Doctor;
using EditUnlearn.Hub;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using Spectre.Console;

namespace EditUnlearn.Tests.Unit.Cli;

/// <summary>What <c>doctor</c> says about machines that are made up.</summary>
public sealed class DoctorTests : IDisposable
{
    private readonly Tool _tool = new();

    private static readonly MachineFacts Desktop = new()
    {
        Platform = "Example OS 1 (X64)",
        Dotnet = "10.0.0",
        Libtorch = "libtorch-example 2.10.0, TorchSharp 0.107.0",
        Cores = 2,
        TotalBytes = 24_000_000_000,
        FreeBytes = 20_000_000_000,
        DiskFreeBytes = 100_000_000_000,
        CacheFreeBytes = 50_000_000_000,
        Git = "2.43.0",
    };

    private static readonly MachineFacts Server = Desktop with
    {
        Cuda = true,
        Latex = "pdfTeX 3",
        Gpus = [new GpuFacts("Example GPU", 80_000_000_000, 79_000_000_000)],
        TotalBytes = 512_000_000_000,
        FreeBytes = 500_000_000_000,
    };

    public void Dispose() => _tool.Dispose();

    private Diagnosis Examine(MachineFacts machine, string profile, params string[] sets)
    {
        var plan = PlanBuilder.Build(
            PipelineFile.Read(_tool["pipeline.yaml"]),
            StudyStages.Catalog,
            new PlanRequest(profile, sets)
        );
        return new Examination(plan, machine, SourceCatalog.Read(_tool[SourceCatalog.FileName]), _ => null).Run();
    }

    private static string Text(Diagnosis diagnosis)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(writer),
                Ansi = AnsiSupport.No,
                ColorSystem = ColorSystemSupport.NoColors,
            }
        );
        console.Profile.Width = 80;
        DiagnosisView.Write(console, diagnosis);
        return string.Join('\n', writer.ToString().Split('\n').Select(l => l.TrimEnd()));
    }

    private void PutData()
    {
        foreach (var file in SourceCatalog.Read(_tool[SourceCatalog.FileName]).Sources.SelectMany(s => s.Files ?? []))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_tool["inputs/" + file.Path])!);
            File.WriteAllBytes(_tool["inputs/" + file.Path], new byte[file.Bytes]);
        }
    }

    [Fact]
    public void A_desktop_and_the_paper_as_accepted()
    {
        var text = Text(Examine(Desktop, "paper"));
        Snapshot.Matches(text, "doctor-paper-desktop.txt");
        // Commands are copied whole; everything else fits a terminal.
        Assert.All(
            text.Split('\n').Where(l => !l.StartsWith("    ", StringComparison.Ordinal)),
            l => Assert.True(l.Length <= 80, $"{l.Length} columns: {l}")
        );
    }

    [Fact]
    public void A_server_and_the_paper_as_accepted() =>
        Snapshot.Matches(
            Text(Examine(Server, "paper", "models.mistral.abstract=true", "models.llama31.abstract=true")),
            "doctor-paper-server.txt"
        );

    [Fact]
    public void The_miniature_runs_on_a_desktop()
    {
        var diagnosis = Examine(Desktop, "mini");
        Assert.Equal(0, diagnosis.ExitCode);
        Assert.All(diagnosis.Stages, s => Assert.Equal(Verdict.Ok, s.Verdict));
        Assert.Equal(
            "apt-get install texlive-latex-base texlive-latex-recommended",
            Assert.Single(diagnosis.Advice).Command
        );
    }

    [Theory]
    [InlineData(541, 541, 1128, 0, "541 of its 541 stages are to be run: about 9 m 24 s on 2 cores.")]
    [InlineData(541, 40, 60, 3, "40 of its 541 stages are to be run: about 30 s on 2 cores; of 3 nothing tells how")]
    [InlineData(9, 4, 0, 4, "4 of its 9 stages are to be run; how long that takes is known once some have run here.")]
    [InlineData(9, 0, 0, 0, "All of its 9 stages have a result; plan says whether one is stale.")]
    public void The_time_that_it_will_take_is_said_as_far_as_it_is_known(
        int stages,
        int open,
        double seconds,
        int unknown,
        string said
    ) =>
        Assert.Contains(
            said,
            Text(Examine(Desktop, "mini") with { Work = new WorkLine(stages, open, seconds, unknown) })
                .ReplaceLineEndings(" ")
                .Replace("  ", " ", StringComparison.Ordinal),
            StringComparison.Ordinal
        );

    [Fact]
    public void What_is_missing_is_exit_code_6_and_a_command_for_each()
    {
        var diagnosis = Examine(Server, "paper");
        Assert.Equal(6, diagnosis.ExitCode);
        foreach (var name in (string[])["tofu", "pistol", "llama2", "mistral", "llama31"])
            Assert.Contains(diagnosis.Advice, a => a.Command == $"dotnet eu-stage pull {name}");
    }

    [Fact]
    public void A_file_with_other_bytes_than_published_is_damaged()
    {
        PutData();
        var diagnosis = Examine(Server, "paper");
        Assert.All(diagnosis.Files.Where(f => f.Pinned), f => Assert.Equal(Verdict.Damaged, f.Verdict));
        Assert.Equal(4, diagnosis.Files.Count(f => f.Pinned));
    }

    [Fact]
    public void A_device_that_is_not_there_is_exit_code_6()
    {
        var diagnosis = Examine(Desktop, "mini", "device=cuda");
        Assert.Equal(6, diagnosis.ExitCode);
        Assert.Contains(diagnosis.Advice, a => a.Command.Contains("--set device=cpu", StringComparison.Ordinal));
    }

    [Fact]
    public void A_broken_libtorch_is_exit_code_6() =>
        Assert.Equal(6, Examine(Desktop with { LibtorchProblem = "no such file" }, "mini").ExitCode);

    [Fact]
    public void What_fits_the_machine_but_not_its_free_memory_is_tight()
    {
        var diagnosis = Examine(Desktop with { FreeBytes = 300_000_000 }, "mini");
        Assert.Equal(0, diagnosis.ExitCode);
        Assert.All(diagnosis.Stages, s => Assert.Equal(Verdict.Tight, s.Verdict));
    }

    [Fact]
    public void Full_training_that_does_not_fit_is_told_to_train_an_adapter()
    {
        var diagnosis = Examine(
            Server,
            "paper",
            "methods.ga.options.trainable=full",
            "run-methods=[ga]",
            "dtype=float32"
        );
        Assert.Equal(Verdict.TooMuch, diagnosis.Stages.First(s => s.Stage == "apply ga").Verdict);
        Assert.Contains(
            diagnosis.Advice,
            a => a.Command.Contains("methods.ga.options.trainable=lora", StringComparison.Ordinal)
        );
    }
}
