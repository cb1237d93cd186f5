using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Keys, store and scheduler on mini pipelines of fake stages.</summary>
public sealed class EngineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeStages _fakes = new();

    private const string Study = """
        stages:
          source: { for: { k: [p, q] }, with: { number: $n, parity: $parity, label: $k } }
          train: { for: { k: [p, q] }, in: { data: source }, with: { seed: $seed, rates: { steps: $steps } } }
          join: { in: { parts: train } }
          aside: { run: source, with: { number: 7 } }
        --- default
        { n: 1, parity: false, seed: 3, steps: 10, device: cpu }
        """;

    public void Dispose() => _folder.Dispose();

    private sealed class Silent : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }

    private Plan Plan(params string[] sets) =>
        PlanBuilder.Build(StudyText.Parse(Study, _folder.Path), _fakes.Catalog, new PlanRequest(null, sets));

    private ResultStore Store() => new(_folder["artifacts"]);

    private KeyResolver Keys(Plan plan, ResultStore store) =>
        new(plan, new CodeIdentity(AppContext.BaseDirectory), new FileHashes(Path.Combine(store.Folder, "files.json")));

    // Runs and returns the cells that ran, sorted.
    private async Task<(RunResult Result, string[] Ran)> Run(RunOptions? options = null, params string[] sets)
    {
        _fakes.Ran.Clear();
        var (plan, store) = (Plan(sets), Store());
        await using var runner = new InProcessRunner(_fakes.Catalog);
        var result = await new Scheduler(plan, store, Keys(plan, store), runner, new Silent()).RunAsync(
            plan.Cells,
            options ?? new RunOptions { Jobs = 4 },
            CancellationToken.None
        );
        return (result, [.. _fakes.Ran.Order(StringComparer.Ordinal)]);
    }

    [Fact]
    public async Task A_second_run_executes_nothing()
    {
        Assert.Equal(["aside", "join", "source[p]", "source[q]", "train[p]", "train[q]"], (await Run()).Ran);
        var (result, ran) = await Run();
        Assert.Empty(ran);
        Assert.Equal(6, result.Count(Outcome.UpToDate));
        Assert.Equal("train[p]=1 3 10 cpu,train[q]=1 3 10 cpu", File.ReadAllText(_folder["artifacts/join/joined.txt"]));
    }

    [Theory]
    [InlineData("n=2", "join,source[p],source[q],train[p],train[q]")]
    [InlineData("seed=4", "join,train[p],train[q]")]
    [InlineData("steps=11", "join,train[p],train[q]")]
    [InlineData("device=cuda", "join,train[p],train[q]")]
    public async Task One_changed_value_reruns_exactly_what_hangs_below_it(string set, string expected)
    {
        await Run();
        Assert.Equal(expected.Split(','), (await Run(null, set)).Ran);
    }

    [Fact]
    public async Task An_unchanged_output_stops_the_rerun_there()
    {
        await Run(null, "parity=true", "n=1");
        Assert.Equal(["source[p]", "source[q]"], (await Run(null, "parity=true", "n=3")).Ran);
    }

    [Fact]
    public async Task Going_back_to_an_earlier_configuration_runs_nothing()
    {
        await Run();
        await Run(null, "seed=4");
        var (result, ran) = await Run();
        Assert.Empty(ran);
        Assert.Equal(3, result.Count(Outcome.Restored));
        Assert.StartsWith(
            "train[p]=1 3 10",
            File.ReadAllText(_folder["artifacts/join/joined.txt"]),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Status_says_from_what_to_what_and_where()
    {
        await Run();
        var (plan, store) = (Plan("steps=11"), Store());
        var status = Status.Of(plan, store, Keys(plan, store)).ToDictionary(s => s.Cell.Id.Text);
        Assert.Equal(CellState.UpToDate, status["source[p]"].State);
        Assert.Equal(["rates.steps 10 -> 11 (--set steps=11)"], status["train[p]"].Reasons);
        Assert.Equal(CellState.Waiting, status["join"].State);
        Assert.Equal(["waits for train[p]", "waits for train[q]"], status["join"].Reasons);
    }

    [Fact]
    public async Task A_failure_stops_what_depends_on_it_and_keep_going_runs_the_rest()
    {
        _fakes.Before["train"] = io =>
        {
            if (io.Cell.Text == "train[q]")
                throw new InvalidOperationException("the loss is NaN");
        };
        var (result, _) = await Run(new RunOptions { Jobs = 1, KeepGoing = true });
        Assert.Equal("the loss is NaN", result.Cells.Single(c => c.Outcome == Outcome.Failed).Error!.Message);
        Assert.Equal(["join"], result.Cells.Where(c => c.Outcome == Outcome.NotRun).Select(c => c.Cell.Text));
        Assert.Equal(4, result.Count(Outcome.Executed));
        _fakes.Before.Clear();
        Assert.Equal(["join", "train[q]"], (await Run()).Ran);
    }

    [Fact]
    public async Task A_stage_that_writes_less_or_more_than_it_declares_fails()
    {
        _fakes.Before["join"] = io => File.WriteAllText(io.Output("joined.txt") + ".extra", "");
        Assert.Contains(
            "'joined.txt.extra' was written but is not a declared output",
            (await Run()).Result.Cells.Single(c => c.Outcome == Outcome.Failed).Error!.Message,
            StringComparison.Ordinal
        );
        Assert.False(Path.Exists(_folder["artifacts/join"]));
    }

    [Fact]
    public async Task An_attempt_that_died_before_its_manifest_leaves_no_result()
    {
        await Run();
        var store = Store();
        var key = store.LastKey(new CellId("join", []))!;
        // As after a kill between the outputs and the manifest: a staged folder, a torn index line, no published
        // result.
        Directory.Move(store.ResultFolder(key), Path.Combine(store.Folder, "scratch", key + ".999999.out"));
        File.Delete(Path.Combine(store.Folder, "scratch", key + ".999999.out", "manifest.json"));
        File.AppendAllText(Path.Combine(store.Folder, "index.jsonl"), "{\"key\":\"abc");
        Assert.Equal(["join"], (await Run()).Ran);
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(store.Folder, "scratch")));
        Assert.Empty(Store().Verify());
    }

    [Fact]
    public async Task A_lost_index_costs_nothing()
    {
        await Run();
        File.Delete(_folder["artifacts/.store/index.jsonl"]);
        Assert.Empty((await Run()).Ran);
    }

    [Fact]
    public async Task A_damaged_result_is_found_named_and_made_again_when_forced()
    {
        await Run();
        var store = Store();
        var file = Path.Combine(store.ResultFolder(store.LastKey(new CellId("train", [new("k", "p")]))!), "model.txt");
        File.Delete(file); // results are read-only
        File.WriteAllText(file, "");
        Assert.Contains(
            "train[p]/model.txt: has 0 bytes, not",
            Assert.Single(Store().Verify()),
            StringComparison.Ordinal
        );
        var (broken, _) = await Run(
            new RunOptions
            {
                Jobs = 1,
                Force = new HashSet<CellId> { new("join", []) },
            }
        );
        Assert.IsType<DamagedFileException>(broken.Cells.Single(c => c.Outcome == Outcome.Failed).Error);
        await Run(
            new RunOptions
            {
                Jobs = 1,
                Force = new HashSet<CellId> { new("train", [new("k", "p")]) },
            }
        );
        Assert.Empty(Store().Verify());
    }

    [Fact]
    public async Task The_same_key_with_other_bytes_is_reported_and_the_first_result_stays()
    {
        await Run();
        var join = new HashSet<CellId> { new("join", []) };
        Assert.DoesNotContain(
            (await Run(new RunOptions { Jobs = 1, Force = join })).Result.Cells,
            c => c.Nondeterministic
        );
        var store = Store();
        var key = store.LastKey(new CellId("join", []))!;
        var manifest = store.ReadManifest(key)!;
        Directory.CreateDirectory(_folder["other"]);
        File.WriteAllText(_folder["other/joined.txt"], "other bytes");
        Assert.Equal(
            Publication.FirstStays,
            store.Publish(
                _folder["other"],
                manifest with
                {
                    Outputs = [StoredOutput.Of(_folder["other"], "joined.txt")],
                }
            )
        );
        Assert.StartsWith("train[p]", File.ReadAllText(_folder["artifacts/join/joined.txt"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_runs_at_once_make_each_result_once()
    {
        var plan = Plan();
        async Task One()
        {
            var store = Store();
            await using var runner = new InProcessRunner(_fakes.Catalog);
            await new Scheduler(plan, store, Keys(plan, store), runner, new Silent()).RunAsync(
                plan.Cells,
                new RunOptions { Jobs = 2 },
                CancellationToken.None
            );
        }
        await Task.WhenAll(One(), One(), One());
        Assert.Equal(6, _fakes.Ran.Count);
        Assert.Empty(Store().Verify());
    }

    [Fact]
    public async Task A_view_shown_from_many_sides_at_once_ends_whole()
    {
        await Run();
        var cell = new CellId("join", []);
        var earlier = Store().LastKey(cell)!;
        await Run(null, "seed=9");
        var later = Store().LastKey(cell)!;
        Assert.NotEqual(earlier, later);
        // All at the same instant, each wanting what is not in force.
        var stores = Enumerable.Range(0, 8).Select(_ => Store()).ToList();
        using var together = new Barrier(stores.Count);
        await Task.WhenAll(
            stores.Select(store =>
                Task.Factory.StartNew(
                    () =>
                    {
                        try
                        {
                            for (var n = 0; n < 400; n++)
                            {
                                together.SignalAndWait();
                                store.Show(cell, n % 2 == 0 ? earlier : later);
                            }
                        }
                        finally
                        {
                            together.RemoveParticipant(); // one that failed leaves nobody waiting
                        }
                    },
                    CancellationToken.None,
                    TaskCreationOptions.LongRunning,
                    TaskScheduler.Default
                )
            )
        );
        Store().Show(cell, later);
        Assert.Equal(
            Store().ResultFolder(later),
            Directory.ResolveLinkTarget(_folder["artifacts/join"], returnFinalTarget: true)!.FullName
        );
        Assert.DoesNotContain(
            Directory.EnumerateFileSystemEntries(_folder["artifacts"]),
            e => e.EndsWith(".tmp", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task A_manifest_says_what_the_result_stands_on()
    {
        await Run();
        var store = Store();
        var manifest = store.ReadManifest(store.LastKey(new CellId("train", [new("k", "p")]))!)!;
        Assert.Equal(
            ("train", "train[p]", 3ul, "cpu"),
            (manifest.Stage, manifest.Cell, manifest.Seed!.Value, manifest.Device)
        );
        Assert.Equal(0.5, manifest.Metrics["loss"]);
        Assert.Equal("source[p]/number.txt", Assert.Single(manifest.Inputs).Source);
        Assert.True(manifest.PeakBytes > 0);
        Assert.Null(store.ReadManifest(store.LastKey(new CellId("aside", []))!)!.Device);
    }

    [Fact]
    public void Code_identity_follows_calls_and_stops_at_catalogues()
    {
        var code = new CodeIdentity(AppContext.BaseDirectory);
        var rome = code.Of([typeof(EditUnlearn.Methods.Rome)]);
        Assert.Equal(rome, new CodeIdentity(AppContext.BaseDirectory).Of([typeof(EditUnlearn.Methods.Rome)]));
        Assert.NotEqual(rome, code.Of([typeof(EditUnlearn.Methods.GradientAscent)]));
        // A stage that reaches the catalogue only: which methods exist does not count.
        Assert.NotEqual(
            code.Of([typeof(EditUnlearn.Stages.ApplyStage)]),
            code.Of([typeof(EditUnlearn.Stages.ApplyStage), typeof(EditUnlearn.Methods.Rome)])
        );
    }

    [Fact]
    public void Every_part_of_a_key_matters_and_the_order_of_parameters_does_not()
    {
        var cell = Plan().Cells.First(c => c.Id.Stage == "train");
        KeyedInput[] inputs = [new("data", "source[p]/number.txt", "k=p", "aa")];
        var key = CellKey.Of(cell, "code", inputs, "cpu", "float32");
        string[] others =
        [
            CellKey.Of(cell, "other", inputs, "cpu", "float32"),
            CellKey.Of(cell, "code", [inputs[0] with { Hash = "bb" }], "cpu", "float32"),
            CellKey.Of(cell, "code", [inputs[0] with { Name = "dat" }], "cpu", "float32"),
            CellKey.Of(cell, "code", [], "cpu", "float32"),
            CellKey.Of(cell, "code", inputs, "cuda", "float32"),
            CellKey.Of(cell, "code", inputs, "cpu", "bfloat16"),
            CellKey.Of(cell, "code", inputs, "cpu", "float32", "native/own"),
            CellKey.Of(Plan("seed=9").Cells.First(c => c.Id.Stage == "train"), "code", inputs, "cpu", "float32"),
        ];
        Assert.DoesNotContain(key, others);
        Assert.Equal(others.Length, others.Distinct().Count());
        Assert.Equal(
            key,
            CellKey.Of(cell, "code", [inputs[0] with { Source = "renamed[p]/number.txt" }], "cpu", "float32")
        );
        var source = Plan().Cells.First(c => c.Id.Stage == "source");
        Assert.Equal(CellKey.Of(source, "c", [], "cpu", "float32"), CellKey.Of(source, "c", [], "cuda", "bfloat16"));
        Assert.Equal(
            CellKey.Canonical(System.Text.Json.Nodes.JsonNode.Parse("""{"b":1,"a":{"d":2,"c":3}}""")),
            CellKey.Canonical(System.Text.Json.Nodes.JsonNode.Parse("""{"a":{"c":3,"d":2},"b":1}"""))
        );
    }
}
