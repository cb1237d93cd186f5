using System.Collections.Concurrent;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>GPUs that are none: what a run and its processes make of them.</summary>
[Collection(FakePrograms.Collection)]
public sealed class GpuTests
{
    private const string Study = """
        stages:
          source: { with: { number: 1 } }
          train:
            for: { k: [a, b, c, d, e, f] }
            in: { data: source }
            with: { seed: 3, rates: { steps: 10 }, options: { k: $k } }
        --- default
        { device: cuda }
        """;

    // Notes which GPUs are in use at once.
    private sealed class Noting(StageCatalog catalog) : IStageRunner
    {
        private readonly InProcessRunner _inner = new(catalog);
        private readonly ConcurrentDictionary<string, int> _use = new();

        public ConcurrentBag<string?> Used { get; } = [];

        public int Shared { get; private set; }

        public int Together { get; private set; }

        public async Task<StageResult> RunAsync(
            StageJob job,
            Action<StageMessage> observe,
            CancellationToken cancelled
        )
        {
            if (job.Stage != "train")
                return await _inner.RunAsync(job, observe, cancelled);
            Used.Add(job.Gpu);
            if (!_use.TryAdd(job.Gpu ?? "none", 1))
                Shared++;
            Together = Math.Max(Together, _use.Count);
            await Task.Delay(50, cancelled);
            var result = await _inner.RunAsync(job, observe, cancelled);
            _use.TryRemove(job.Gpu ?? "none", out _);
            return result;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Each_GPU_has_one_stage_at_a_time_and_keys_do_not_say_which()
    {
        using var study = new MiniStudy(Study);
        async Task<string[]> Keys(params GpuDevice[] gpus)
        {
            var (plan, store) = (study.Plan(), new ResultStore(study[$"store{gpus.Length}"]));
            await using var runner = new Noting(study.Fakes.Catalog);
            var result = await new Scheduler(
                plan,
                store,
                study.Keys(plan),
                runner,
                new MiniStudy.Silent()
            ).RunAsync(plan.Cells, new RunOptions { Jobs = 2, Gpus = gpus }, CancellationToken.None);
            Assert.Equal(7, result.Count(Outcome.Executed));
            Assert.Equal((0, Math.Max(1, gpus.Length)), (runner.Shared, runner.Together));
            Assert.Equal(
                gpus.Select(g => g.Id).DefaultIfEmpty(null).Order(StringComparer.Ordinal),
                runner.Used.Distinct().Order(StringComparer.Ordinal)
            );
            return [.. store.Keys()];
        }
        var alone = await Keys();
        Assert.Equal(alone, await Keys(new GpuDevice("GPU-1", null), new GpuDevice("GPU-2", 40)));
    }

    [Fact]
    public async Task A_process_sees_its_GPU_alone_and_what_it_held_is_noted()
    {
        // Stands for a worker: it says what it sees and leaves its number behind.
        using var programs = new FakePrograms(
            (
                "worker",
                """
                echo $$ > "$0.pid"
                while read -r job; do
                  printf '{"result":{"outputs":[],"cpuSeconds":1,"peakBytes":1,"metrics":{},"warnings":["%s"]}}\n' \
                    "$CUDA_VISIBLE_DEVICES"
                done
                """
            ),
            ("nvidia-smi", "echo \"$(cat \"$(dirname \"$0\")/worker.pid\"), 3000\"; echo '1, 70000'")
        );
        await using var pool = new WorkerPool([programs["worker"]]);
        var job = new StageJob("train", "train", [], [], [], "s", "t", "cuda", "float32");
        async Task<(string Seen, long? Peak, string Process)> Run(string? gpu)
        {
            var result = await pool.RunAsync(job with { Gpu = gpu }, _ => { }, CancellationToken.None);
            return (result.Warnings[0], result.GpuPeakBytes, programs.Read("worker.pid"));
        }
        var (first, second) = (await Run("GPU-1"), await Run("GPU-2"));
        Assert.Equal(("GPU-1", 3000L << 20), (first.Seen, first.Peak));
        Assert.Equal("GPU-2", second.Seen);
        // A process that is kept would keep its memory of the GPU.
        Assert.NotEqual(first.Process, second.Process);
        var (third, fourth) = (await Run(null), await Run(null));
        Assert.Null(third.Peak);
        Assert.Equal(third.Process, fourth.Process);
    }

    [Fact]
    public void What_the_driver_lists_is_used_but_for_a_reserve()
    {
        using var programs = new FakePrograms(("nvidia-smi", "echo '0, GPU-aa, 80000'; echo '1, GPU-bb, 40000'"));
        var all = Gpus.Choose(null, null, _ => null);
        Assert.Equal(["GPU-aa", "GPU-bb"], all.Select(g => g.Id));
        Assert.Equal((long)((40000L << 20) * 0.95), all[1].Bytes);
        var given = Gpus.Choose(null, null, n => n == "CUDA_VISIBLE_DEVICES" ? "1" : null);
        Assert.Equal(new GpuDevice("1", all[1].Bytes), Assert.Single(given));
    }

    [Fact]
    public void Manifests_name_the_kinds_of_gpus_and_their_driver()
    {
        const string Three = "for gpu in A A B; do echo \"NVIDIA $gpu, 570.1\"; done";
        using (new FakePrograms(("nvidia-smi", Three)))
            Assert.Equal(
                new Dictionary<string, string> { ["gpu"] = "NVIDIA A; NVIDIA B", ["gpu-driver"] = "570.1" },
                Gpus.Versions()
            );
        using (new FakePrograms(("nvidia-smi", "echo 'no devices were found'; exit 6")))
            Assert.Empty(Gpus.Versions());
    }
}
