using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Memory that runs out, and GPUs that are chosen.</summary>
public sealed class MemoryTests : IDisposable
{
    private const string OnGpu =
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.14 GiB of which 3.20 GiB is "
        + "free. Including non-PyTorch memory, this process has 75.94 GiB memory in use.\nException raised from malloc";

    private readonly MiniStudy _study = new(
        """
        stages:
          source: { with: { number: 1 } }
          train: { in: { data: source }, with: { seed: 3, rates: { steps: 10 } } }
        --- default
        { device: cpu }
        """
    );

    public void Dispose() => _study.Dispose();

    [Fact]
    public void Sentences_of_libtorch_and_of_CUDA_are_known()
    {
        var gpu = MemoryShortage.Of(new InvalidOperationException(OnGpu))!;
        Assert.Equal((20L << 30, (long)(79.14 * (1L << 30)), true), (gpu.Tried, gpu.Limit, gpu.OnGpu));
        Assert.DoesNotContain('\n', gpu.Text);
        Assert.True(MemoryShortage.Of(new InvalidOperationException("CUDA error: out of memory"))!.OnGpu);
        Assert.True(
            MemoryShortage.Of(
                new InvalidOperationException("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate")
            )!.OnGpu
        );
        Assert.Null(MemoryShortage.Of(new InvalidOperationException("CUDA error: device-side assert triggered")));
        Assert.NotNull(MemoryShortage.Of(new AggregateException(Activator.CreateInstance<OutOfMemoryException>())));
    }

    [Fact]
    public void What_libtorch_itself_says_on_a_processor_is_known()
    {
        EditUnlearn.Models.TorchRuntime.Initialise();
        var e = Assert.ThrowsAny<Exception>(() => TorchSharp.torch.empty(1L << 50));
        var shortage = MemoryShortage.Of(new StageFailedException("the stage failed", e))!;
        Assert.Equal(((1L << 50) * 4, false), (shortage.Tried!.Value, shortage.OnGpu));
    }

    [Fact]
    public async Task A_stage_without_a_fallback_ends_with_need_limit_and_what_to_change()
    {
        _study.Fakes.Before["train"] = _ => throw new InvalidOperationException(OnGpu);
        var result = await _study.RunAsync(
            new RunOptions { Jobs = 1, Relief = c => $"--set {c.Id.Stage}.rows=1", Planned = _ => 7_000_000_000 }
        );
        var error = Assert.IsType<ResourceUnavailableException>(
            result.Cells.Single(c => c.Outcome == Outcome.Failed).Error
        );
        Assert.StartsWith(
            "memory ran out on the GPU\n  stage: train\n  need:  another 21.5 GB when it failed\n  limit: 85.0 GB\n"
                + "  said:  CUDA out of memory.",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.EndsWith("\n  hint: --set train.rows=1", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, _study.Fakes.Ran.Count(c => c == "train"));
    }

    [Fact]
    public async Task A_declared_fallback_is_applied_once_and_stands_in_the_manifest()
    {
        _study.Fakes.OnOutOfMemory = "took half the rows, which changes no number";
        var seen = new List<bool>();
        _study.Fakes.Before["train"] = io =>
        {
            seen.Add(io.FellBack);
            if (!io.FellBack)
                throw new InvalidOperationException(OnGpu);
        };
        var result = await _study.RunAsync();
        Assert.Equal(2, result.Count(Outcome.Executed));
        Assert.Equal([false, true], seen);
        var store = _study.Store();
        var manifest = store.ReadManifest(store.LastKey(new CellId("train", []))!)!;
        Assert.StartsWith(
            "took half the rows, which changes no number: CUDA out of memory.",
            manifest.Fallback,
            StringComparison.Ordinal
        );
        Assert.Null(store.ReadManifest(store.LastKey(new CellId("source", []))!)!.Fallback);
    }

    [Fact]
    public async Task A_fallback_that_does_not_help_is_not_repeated()
    {
        _study.Fakes.OnOutOfMemory = "took half the rows, which changes no number";
        var times = 0;
        _study.Fakes.Before["train"] = _ =>
        {
            times++;
            throw new InvalidOperationException(OnGpu);
        };
        var failed = (await _study.RunAsync()).Cells.Single(c => c.Outcome == Outcome.Failed);
        Assert.Equal(2, times);
        Assert.StartsWith(
            "memory ran out on the GPU, and again after the fallback",
            Assert.IsType<ResourceUnavailableException>(failed.Error).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_cell_that_needs_more_than_the_budget_is_refused_before_it_runs()
    {
        var result = await _study.RunAsync(
            new RunOptions
            {
                Jobs = 1,
                HostBytes = 8_000_000_000,
                Planned = c => c.Id.Stage == "train" ? 9_000_000_000 : null,
            }
        );
        var error = result.Cells.Single(c => c.Outcome == Outcome.Failed).Error!;
        Assert.StartsWith(
            "needs 9.0 GB of memory, and the run may use 8.0 GB\n  hint: ",
            Assert.IsType<ResourceUnavailableException>(error).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(["source"], _study.Fakes.Ran);
    }

    [Fact]
    public async Task A_measured_peak_takes_the_place_of_an_estimate()
    {
        await _study.RunAsync();
        var (plan, store) = (_study.Plan(), _study.Store());
        var train = plan.Cells.Single(c => c.Id.Stage == "train");
        var peak = store.ReadManifest(store.LastKey(train.Id)!)!.PeakBytes;
        long? HostOf(Plan p) =>
            new CellNeeds(p, store, _ => 9_000_000_000).Of(p.Cells.Single(c => c.Id.Stage == "train")).HostBytes;
        Assert.Equal((long)(peak * 1.05), HostOf(plan));
        // Other parameters are other work.
        _study.Yaml = _study.Yaml.Replace("steps: 10", "steps: 11", StringComparison.Ordinal);
        Assert.Equal(9_000_000_000, HostOf(_study.Plan()));
    }

    [Theory]
    [InlineData("0,2", null, null, "0,2")]
    [InlineData("", null, null, "")]
    [InlineData("1,-1,2", null, null, "1")]
    [InlineData(null, "0-1,3", null, "0,1,3")]
    [InlineData("GPU-8a2b-11,GPU-9", "0", null, "GPU-8a2b-11,GPU-9")]
    [InlineData("4,5,6", null, "2", "4,5")]
    [InlineData("4,5,6", null, "id=6", "6")]
    [InlineData(null, null, null, "")]
    public void GPUs_are_those_that_are_seen_and_wanted(string? cuda, string? slurm, string? wanted, string expected)
    {
        string? Variable(string name) =>
            name switch
            {
                "CUDA_VISIBLE_DEVICES" => cuda,
                "SLURM_JOB_GPUS" => slurm,
                _ => null,
            };
        var found = Gpus.Choose(wanted, 40, Variable);
        Assert.Equal(expected, string.Join(',', found.Select(g => g.Id)));
        Assert.All(found, g => Assert.Equal(40, g.Bytes));
    }

    [Fact]
    public void Wishes_that_cannot_be_met_are_said()
    {
        static string? Variable(string name) => name == "CUDA_VISIBLE_DEVICES" ? "0,1" : null;
        Assert.Throws<InputException>(() => Gpus.Choose("many", null, Variable));
        Assert.Throws<InputException>(() => Gpus.Choose("id=0,0", null, Variable));
        Assert.StartsWith(
            "--gpus 3: there are only 0, 1\n",
            Assert.Throws<ResourceUnavailableException>(() => Gpus.Choose("3", null, Variable)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ResourceUnavailableException>(() => Gpus.Choose("id=7", null, Variable));
    }

    [Fact]
    public void A_Slurm_job_says_what_the_run_in_it_may_use()
    {
        Dictionary<string, string> job = new() { ["SLURM_CPUS_PER_TASK"] = "6", ["SLURM_MEM_PER_NODE"] = "32000" };
        Assert.Null(Allocation.Of(job.GetValueOrDefault)); // variables that somebody set by hand
        job["SLURM_JOB_ID"] = "17";
        Assert.Equal(new Allocation("17", 6, 32000L << 20, 1), Allocation.Of(job.GetValueOrDefault));
        job.Remove("SLURM_MEM_PER_NODE");
        job["SLURM_MEM_PER_CPU"] = "1000";
        Assert.Equal(6000L << 20, Allocation.Of(job.GetValueOrDefault)!.HostBytes);
        job.Remove("SLURM_MEM_PER_CPU");
        Assert.Null(Allocation.Of(job.GetValueOrDefault)!.HostBytes);
    }
}
