using System.Text.RegularExpressions;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>What is installed enters the key of a stage that says so; other bytes of one key can be taken.</summary>
public sealed class SurroundingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _ran = [];
    private readonly List<string> _waited = [];
    private string? _program;
    private string _written = "first";
    private int _read;

    private const string Study = """
        stages:
          print: {}
          bind: { in: { page: print } }
        --- default
        { device: cpu }
        """;

    public void Dispose() => _folder.Dispose();

    private sealed class Print(SurroundingTests test) : Stage<Print.Params>
    {
        public sealed record Params;

        public override StageInfo Info { get; } =
            new("print", 1, "a page")
            {
                Outputs = ["page.txt"],
                Surroundings = [new("press", test.Read) { Find = () => test._program }],
            };

        protected override void Run(Params parameters, StageIo io)
        {
            test._ran.Add(io.Cell.Text);
            File.WriteAllText(io.Output("page.txt"), $"{test._written} by {test._program ?? "hand"}");
        }
    }

    private sealed class Bind(SurroundingTests test) : Stage<Bind.Params>
    {
        public sealed record Params;

        public override StageInfo Info { get; } =
            new("bind", 1, "a book") { Inputs = [new("page")], Outputs = ["book.txt"] };

        protected override void Run(Params parameters, StageIo io)
        {
            test._ran.Add(io.Cell.Text);
            File.Copy(io.Input("page"), io.Output("book.txt"));
        }
    }

    private sealed class Observer(SurroundingTests test) : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) => test._waited.Add(holder);
    }

    private SurroundingReading Read(string path)
    {
        _read++;
        return new SurroundingReading(File.ReadAllText(path), [path]);
    }

    private string Install(string version)
    {
        var path = _folder["press-" + version];
        File.WriteAllText(path, "version " + version);
        return _program = path;
    }

    private (Plan Plan, ResultStore Store, KeyResolver Keys, StageCatalog Catalog) Open()
    {
        var catalog = new StageCatalog([new Print(this), new Bind(this)]);
        var plan = PlanBuilder.Build(StudyText.Parse(Study, _folder.Path), catalog, new PlanRequest(null, []));
        var store = new ResultStore(_folder["artifacts"]);
        var keys = new KeyResolver(
            plan,
            new CodeIdentity(AppContext.BaseDirectory),
            new FileHashes(Path.Combine(store.Folder, "files.json")),
            new Surroundings(Path.Combine(store.Folder, "surroundings.json"))
        );
        return (plan, store, keys, catalog);
    }

    private async Task<(RunResult Result, string[] Ran)> Run(RunOptions? options = null)
    {
        _ran.Clear();
        var (plan, store, keys, catalog) = Open();
        await using var runner = new InProcessRunner(catalog);
        var result = await new Scheduler(plan, store, keys, runner, new Observer(this)).RunAsync(
            plan.Cells,
            options ?? new RunOptions(),
            CancellationToken.None
        );
        return (result, [.. _ran.Order(StringComparer.Ordinal)]);
    }

    private Explanation Explain()
    {
        var (plan, store, keys, _) = Open();
        return new Explainer(plan, store, keys, new CodeIdentity(AppContext.BaseDirectory)).Of(plan.Cells[0]);
    }

    private static RunOptions Forced(bool acceptNew) =>
        new() { Force = new HashSet<CellId> { new("print", []) }, AcceptNew = acceptNew };

    [Fact]
    public async Task A_program_that_comes_reruns_the_stage_that_declares_it_and_says_so()
    {
        Assert.Equal(["bind", "print"], (await Run()).Ran);
        Assert.Empty((await Run()).Ran);
        var press = Install("1");
        Assert.Equal(["print: press of this machine absent -> version 1"], Explain().Lines);
        Assert.Contains("print", (await Run()).Ran);
        var (_, store, _, _) = Open();
        var manifest = store.ReadManifest(store.LastKey(new CellId("print", []))!)!;
        Assert.Equal("version 1", manifest.Surroundings["press"]);

        Install("2");
        Assert.Equal(["print: press of this machine version 1 -> version 2"], Explain().Lines);
        // What was there before is found again, with it and without.
        _program = press;
        Assert.Empty((await Run()).Ran);
        _program = null;
        Assert.Empty((await Run()).Ran);
    }

    [Fact]
    public async Task What_was_read_of_a_program_is_remembered_until_the_program_changes()
    {
        var press = Install("1");
        await Run();
        var once = _read;
        await Run();
        Assert.Equal(once, _read);
        File.WriteAllText(press, "version 1 patched");
        Assert.Contains("print", (await Run()).Ran);
        Assert.Equal(once + 1, _read);
    }

    [Fact]
    public async Task Other_bytes_of_one_key_are_taken_when_asked_and_the_earlier_ones_put_aside()
    {
        await Run();
        _written = "second";
        var (kept, _) = await Run(Forced(acceptNew: false));
        Assert.Equal(Publication.FirstStays, kept.Cells.Single(c => c.Cell.Stage == "print").Publication);
        Assert.Equal("first by hand", File.ReadAllText(_folder["artifacts/bind/book.txt"]));

        var (taken, ran) = await Run(Forced(acceptNew: true));
        Assert.Equal(Publication.Replaced, taken.Cells.Single(c => c.Cell.Stage == "print").Publication);
        Assert.Contains("bind", ran); // what reads it has another key now
        Assert.Equal("second by hand", File.ReadAllText(_folder["artifacts/bind/book.txt"]));
        var (_, store, _, _) = Open();
        var manifest = store.ReadManifest(store.LastKey(new CellId("print", []))!)!;
        Assert.Equal(
            "first by hand",
            File.ReadAllText(Path.Combine(store.Folder, manifest.Replaced!.Folder, "page.txt"))
        );
        Assert.NotEqual(manifest.Outputs[0].Hash, manifest.Replaced.Outputs["page.txt"]);
        Assert.Empty((await Run()).Ran);
        Assert.Empty(store.Verify());
        // The same bytes again are nothing to take.
        Assert.Equal(
            Publication.Same,
            (await Run(Forced(acceptNew: true))).Result.Cells.Single(c => c.Cell.Stage == "print").Publication
        );
    }

    [Fact]
    public async Task A_run_that_takes_new_bytes_waits_for_the_others()
    {
        await Run();
        var (_, store, _, _) = Open();
        Task<(RunResult, string[])> waiting;
        using (await StoreUse.ShareAsync(store, CancellationToken.None))
        {
            waiting = Task.Run(() => Run(Forced(acceptNew: true)));
            await Task.Delay(300);
            Assert.False(waiting.IsCompleted);
        }
        await waiting;
        Assert.Contains($"process {Environment.ProcessId} on", Assert.Single(_waited), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_report_depends_on_what_is_installed()
    {
        Assert.Equal(
            ["report: pdflatex"],
            StudyStages.Catalog.All.SelectMany(s => s.Info.Surroundings.Select(x => $"{s.Info.Name}: {x.Name}"))
        );
        // Whatever the template loads is looked for.
        var template = File.ReadAllText(Path.Combine(Checkout.Root, "src", "Reports", "Templates", "report.tex"));
        var loaded = Regex
            .Matches(template, @"\\(usepackage|documentclass)(\[[^\]]*\])?\{(?<n>[^}]*)\}")
            .Select(m => m.Groups["n"].Value + (m.Groups[1].Value == "usepackage" ? ".sty" : ".cls"))
            .Distinct();
        Assert.Empty(loaded.Except(ReportDocument.Packages));
    }
}
