using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline.Slurm;

/// <summary>What Slurm's programs are told and what is read from what they print.</summary>
[Collection(FakePrograms.Collection)]
public sealed class SlurmCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Cell CellOf(string stage)
    {
        var study = new MiniStudy(
            """
            stages:
              source: { with: { number: 1 } }
              train: { in: { data: source }, with: { seed: 3, rates: { steps: 10 } } }
            --- default
            { device: cpu }
            """
        );
        using (study)
            return study.Plan().Cells.Single(c => c.Id.Stage == stage);
    }

    [Theory]
    [InlineData("50\n", "50")]
    [InlineData("50;cluster\n", "50")]
    [InlineData("sbatch: a word of the site\n51\n", "51")]
    [InlineData("", null)]
    [InlineData("Submitted batch job 50", null)]
    public void The_number_of_a_job_is_read(string printed, string? id) =>
        Assert.Equal(id, SlurmCommands.IdOf(printed));

    [Fact]
    public void The_queue_is_read_line_by_line()
    {
        var rows = SlurmCommands.Rows(
            "7|RUNNING|None|eus:apply[a,b]:12ab|t.1.ff\n8|PENDING|Dependency|a|b|t.2.0a\nnonsense\n"
        );
        Assert.Equal(
            [
                new QueueRow("7", "RUNNING", "None", "eus:apply[a,b]:12ab", "t.1.ff"),
                new QueueRow("8", "PENDING", "Dependency", "a|b", "t.2.0a"),
            ],
            rows
        );
    }

    [Theory]
    [InlineData("JobId=50 JobState=FAILED Reason=JobLaunchFailure ExitCode=0:9 RunTime=00:00:02", 0, 9)]
    [InlineData("JobId=50 ExitCode=137:0", 137, 0)]
    public void An_exit_code_is_read(string printed, int code, int signal) =>
        Assert.Equal((code, signal), SlurmCommands.ExitIn(printed));

    [Fact]
    public void Resources_follow_from_what_the_planner_knows()
    {
        var (source, train) = (CellOf("source"), CellOf("train"));
        Assert.Equal(
            ["--nodes=1", "--ntasks=1", "--cpus-per-task=1", "--mem=2560M"],
            JobResources.Of(source, default, null, "gpu:1").Arguments()
        );
        var known = JobResources.Of(train, new Need(8L << 30, null), 7200, "gpu:a100:1");
        Assert.Equal(
            ["--nodes=1", "--ntasks=1", "--cpus-per-task=1", "--mem=10752M", "--time=480", "--gres=gpu:a100:1"],
            known.Arguments()
        );
        // A moment's work still gets the time that a node may need to wake up.
        Assert.Contains("--time=30", JobResources.Of(train, default, 2, null).Arguments());
    }

    [Fact]
    public void A_job_knows_the_listed_variables_and_no_other()
    {
        var secrets = new Dictionary<string, string>
        {
            ["HF_TOKEN"] = "canary-1",
            ["AWS_SECRET_ACCESS_KEY"] = "canary-2",
            ["PATH"] = "/opt/it's here/bin",
            ["MODULES"] = "torch",
            ["SBATCH_PARTITION"] = "gpu",
        };
        var script = JobScript.Of(["dotnet", "/a b/x.dll"], ["MODULES"], secrets.GetValueOrDefault);
        Assert.Equal(
            "#!/bin/bash\nexport PATH='/opt/it'\\''s here/bin'\nexport MODULES='torch'\nexec 'dotnet' '/a b/x.dll'\n",
            script
        );
        var commands = JobScript.ForCommands(secrets.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value)));
        Assert.Equal(["PATH", "SBATCH_PARTITION"], commands.Keys.Order(StringComparer.Ordinal));
        Assert.DoesNotContain("HF_TOKEN", JobScript.Allowed);
    }

    [Fact]
    public void A_submission_keeps_the_rules()
    {
        var folder = JobFolder.New(new ResultStore(_folder["a%b"]), "ticket", 2);
        var job = new Submission(
            "eus:x:12",
            folder,
            "/study",
            new JobResources(1, 1 << 30, null, null),
            ["7", "9"],
            false
        );
        var arguments = SlurmCommands.Arguments(job).ToList();
        Assert.Contains("--parsable", arguments);
        Assert.DoesNotContain(arguments, a => a is "-Q" or "--quiet");
        Assert.Contains("--kill-on-invalid-dep=yes", arguments);
        Assert.Contains("--export=NONE", arguments);
        Assert.Contains("--dependency=afterok:7:9,singleton", arguments);
        Assert.Contains("--job-name=eus:x:12", arguments);
        Assert.Contains($"--comment={folder.Comment}", arguments);
        Assert.Matches(@"^ticket\.2\.[0-9a-f]{8}$", folder.Comment);
        Assert.Contains(
            "a%%b/",
            arguments.Single(a => a.StartsWith("--output=", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "--dependency=afterany:7:9,singleton",
            SlurmCommands.Arguments(job with { EvenAfterFailure = true })
        );
        Assert.Contains("--dependency=singleton", SlurmCommands.Arguments(job with { After = [] }));
    }

    [Fact]
    public void Programs_on_the_path_are_asked_and_a_refusal_is_passed_on()
    {
        var folder = JobFolder.New(new ResultStore(_folder["artifacts"]), "ticket", 1);
        folder.Write(new JobOrder("x", "p", [], false, 10), "#!/bin/bash\n");
        var job = new Submission("eus:x:12", folder, _folder.Path, new JobResources(1, 1 << 30, null, null), [], false);
        using var path = new FakePrograms(
            ("sbatch", "printf '%s\\n' \"$@\" > \"$0.args\"; env > \"$0.env\"; echo '61;test'"),
            ("squeue", "echo \"61|RUNNING|None|eus:x:12|c\""),
            ("scontrol", "echo 'JobId=61 ExitCode=0:9'"),
            ("scancel", "echo \"$@\" > \"$0.args\"")
        );
        var slurm = new SlurmCommands(["--partition=gpu"]);
        Assert.Equal("61", slurm.Submit(job));
        Assert.Equal(["--partition=gpu", folder.Script], path.Read("sbatch.args").TrimEnd().Split('\n')[^2..]);
        Assert.DoesNotContain("EU_TEST_CANARY", path.Read("sbatch.env"), StringComparison.Ordinal);
        Assert.Equal("61", Assert.Single(slurm.Queue()!).Id);
        Assert.Equal((0, 9), slurm.ExitOf("61"));
        slurm.Cancel(["61", "62"]);
        Assert.Equal("61 62\n", path.Read("scancel.args"));
        path.Write("squeue", "exit 1");
        Assert.Null(slurm.Queue());
        path.Write("sbatch", "echo 'sbatch: error: invalid partition specified: gpu' >&2; exit 1");
        Assert.Contains(
            "invalid partition specified: gpu",
            Assert.Throws<ResourceUnavailableException>(() => slurm.Submit(job)).Message,
            StringComparison.Ordinal
        );
    }
}
