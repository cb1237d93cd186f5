using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>A study of fake stages in a folder of its own, run in this process.</summary>
internal sealed class MiniStudy(string yaml) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public FakeStages Fakes { get; } = new();

    public string Yaml { get; set; } = yaml;

    public string this[string name] => _folder[name];

    public Plan Plan(params string[] sets) =>
        PlanBuilder.Build(StudyText.Parse(Yaml, _folder.Path), Fakes.Catalog, new PlanRequest(null, sets));

    public ResultStore Store() => new(_folder["artifacts"]);

    public CodeIdentity Code() => new(AppContext.BaseDirectory, _folder["artifacts/.store/code.json"]);

    public KeyResolver Keys(Plan plan) => new(plan, Code(), new FileHashes(_folder["artifacts/.store/files.json"]));

    public async Task<RunResult> RunAsync(RunOptions? options = null, params string[] sets)
    {
        Fakes.Ran.Clear();
        var (plan, store) = (Plan(sets), Store());
        await using var runner = new InProcessRunner(Fakes.Catalog);
        return await new Scheduler(plan, store, Keys(plan), runner, new Silent()).RunAsync(
            plan.Cells,
            options ?? new RunOptions { Jobs = 1 },
            CancellationToken.None
        );
    }

    /// <summary>The lines of <c>explain</c> for all cells.</summary>
    public IReadOnlyList<string> Explain(params string[] sets)
    {
        var (plan, store) = (Plan(sets), Store());
        var explainer = new Explainer(plan, store, Keys(plan), Code());
        return [.. plan.Cells.SelectMany(c => explainer.Of(c).Lines)];
    }

    public void Dispose() => _folder.Dispose();

    public sealed class Silent : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }
}
