using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// <c>-- planner</c>: what a run with nothing to do costs before it says so, for studies of 300 and of 3,000 cells: by
/// the stamp of the run before, and the whole way (file, plan, keys, status). In a fresh process each, as people run
/// it, and warm, where nothing but the work is left.
/// </summary>
internal static class PlannerVerb
{
    private const int Rounds = 15;
    private const string Stamped = "stamp";
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Prints a table; with the folder of a study and a way, the milliseconds of one look at it.</summary>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        if (arguments is [var folder, var cells, var way])
        {
            using var study = new Study(folder, int.Parse(cells, Invariant));
            Console.WriteLine(Milliseconds(way == Stamped ? study.Stamp : study.Whole).ToString("R", Invariant));
            return 0;
        }
        using var small = new Study(300);
        using var large = new Study(3000);
        Console.WriteLine("| ms, median | 300 cells | 3,000 cells | ratio |\n|---|---|---|---|");
        Tell("stamp, fresh process", s => Apart(s, Stamped));
        Tell("whole way, fresh process", s => Apart(s, "whole"));
        Tell("stamp, warm", s => Milliseconds(s.Stamp));
        Tell("whole way, warm", s => Milliseconds(s.Whole));
        return 0;

        void Tell(string what, Func<Study, double> measure)
        {
            // Interleaved, so that a busy moment meets both.
            var (few, many) = (new List<double>(), new List<double>());
            for (var round = -2; round < Rounds; round++)
            {
                var (a, b) = (measure(small), measure(large));
                if (round < 0)
                    continue;
                few.Add(a);
                many.Add(b);
            }
            var (x, y) = (Median(few), Median(many));
            Console.WriteLine(string.Create(Invariant, $"| {what} | {x:0.0} | {y:0.0} | {y / x:0.0} |"));
        }
    }

    private static double Apart(Study study, string way)
    {
        var cells = study.Cells.ToString(Invariant);
        var start = new ProcessStartInfo(
            Environment.ProcessPath!,
            Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
                ? [typeof(Program).Assembly.Location, "planner", study.Root, cells, way]
                : ["planner", study.Root, cells, way]
        )
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return double.Parse(said, Invariant);
    }

    private static double Milliseconds(Action run)
    {
        var clock = Stopwatch.StartNew();
        run();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    // A third of the cells reads another third, which reads the last: three layers, as in a study of models.
    private sealed class Study : IDisposable
    {
        private const string Request = "benchmark";
        private readonly string _yaml;
        private readonly bool _isOwn;
        private readonly StageCatalog _catalog = new([new Letter()]);

        // One that is there.
        public Study(string root, int cells)
        {
            (Root, Cells) = (root, cells);
            var parts = Enumerable.Range(0, cells / 3).Select(i => string.Create(Invariant, $"c{i}"));
            var labels = string.Join(", ", parts);
            _yaml = $$"""
                default-profile: benchmark
                stages:
                  first: { run: letter, for: { part: [{{labels}}] }, with: { of: $part } }
                  second: { run: letter, for: { part: [{{labels}}] }, in: { before: first }, with: { of: $part } }
                  third: { run: letter, for: { part: [{{labels}}] }, in: { before: second }, with: { of: $part } }
                """;
        }

        public Study(int cells)
            : this(Directory.CreateTempSubdirectory("eu-planner-").FullName, cells)
        {
            _isOwn = true;
            File.WriteAllText(Path.Combine(Root, PipelineFile.FileName), _yaml);
            Directory.CreateDirectory(Path.Combine(Root, PipelineFile.ProfileFolder));
            File.WriteAllText(Path.Combine(Root, PipelineFile.ProfileFolder, "benchmark.yaml"), "{}\n");
            Go();
            // A stamp is not believed while what it describes is younger than two seconds.
            Thread.Sleep(2500);
            var sources = NoOpStamp.Sources.Before(Root, AppContext.BaseDirectory);
            var (plan, store) = (Plan(), Store());
            sources.Add(plan, store);
            NoOpStamp.Write(Request, plan, store, Go(), sources);
            Stamp();
        }

        public string Root { get; }

        public int Cells { get; }

        public void Stamp()
        {
            if (NoOpStamp.Find(Path.Combine(Root, "artifacts"), Request) is null)
                throw new InvalidOperationException("There is no stamp.");
        }

        public void Whole()
        {
            var (plan, store) = (Plan(), Store());
            if (Status.Of(plan, store, Keys(plan, store)).Any(s => s.State != CellState.UpToDate))
                throw new InvalidOperationException("Not everything is up to date.");
        }

        public void Dispose()
        {
            if (_isOwn)
                Directory.Delete(Root, recursive: true);
        }

        private RunResult Go()
        {
            var (plan, store) = (Plan(), Store());
            return new Scheduler(plan, store, Keys(plan, store), new InProcessRunner(_catalog), new Silent())
                .RunAsync(plan.Cells, new RunOptions { Jobs = 2 }, CancellationToken.None)
                .GetAwaiter()
                .GetResult();
        }

        private Plan Plan() =>
            PlanBuilder.Build(
                PipelineFile.Parse(
                    _yaml,
                    PipelineFile.FileName,
                    Root,
                    new ProfileSource("benchmark", "profiles/benchmark.yaml", "{}\n")
                ),
                _catalog,
                new PlanRequest(null, [])
            );

        private ResultStore Store() => new(Path.Combine(Root, "artifacts"));

        private static KeyResolver Keys(Plan plan, ResultStore store) =>
            new(
                plan,
                new CodeIdentity(AppContext.BaseDirectory, Path.Combine(store.Folder, "code.json")),
                new FileHashes(Path.Combine(store.Folder, "files.json"))
            );
    }

    private sealed class Letter : Stage<Letter.Params>
    {
        public sealed record Params(string Of);

        public override StageInfo Info { get; } =
            new("letter", 1, "a text") { Inputs = [new("before", InputCount.Optional)], Outputs = ["text.txt"] };

        protected override void Run(Params parameters, StageIo io) =>
            File.WriteAllText(
                io.Output("text.txt"),
                (io.HasInput("before") ? File.ReadAllText(io.Input("before")) : "") + parameters.Of
            );
    }

    private sealed class Silent : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }
}
