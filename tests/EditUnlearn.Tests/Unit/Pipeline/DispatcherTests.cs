using System.Globalization;
using EditUnlearn.Pipeline;
using Xunit.Abstractions;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Which cells start when, and on what: simulated durations, no clock.</summary>
public sealed class DispatcherTests(ITestOutputHelper output)
{
    private static readonly FakeStages Fakes = new();
    private static readonly FakeStages.Train Gpu = new(Fakes);
    private static readonly FakeStages.Join Processor = new(Fakes);

    /// <summary>A piece of work: how long it takes, what it needs, what it waits for.</summary>
    private sealed record Piece(string Name, double Seconds, Need Need, bool OnGpu, string[] After);

    /// <summary>When a piece ran, and where.</summary>
    private sealed record Run(Piece Piece, double Start, double End, Place Place);

    private static Plan PlanFor(string device) =>
        new()
        {
            Root = "/",
            Profile = "p",
            Cells = [],
            Stages = [],
            Settings = [],
            Device = device,
            DType = "float32",
        };

    private static KeyedCell CellOf(Piece piece) =>
        new(
            new Cell
            {
                Id = new CellId(piece.Name, []),
                Stage = piece.OnGpu ? Gpu : Processor,
                Written = "",
                Parameters = "",
                ParametersJson = [],
                Inputs = [],
                Place = default,
                Origins = new Dictionary<string, ValueOrigin>(),
            },
            piece.Name,
            "",
            []
        );

    // The scheduler's own decision, on a clock that jumps to the next end.
    private static List<Run> Simulate(IReadOnlyList<Piece> pieces, Budget budget)
    {
        var cells = pieces.ToDictionary(p => p.Name, CellOf);
        var byName = pieces.ToDictionary(p => p.Name);
        var dispatcher = new Dispatcher(PlanFor("cuda"), budget, c => byName[c.Id.Stage].Need);
        Assert.All(pieces, p => Assert.Null(dispatcher.Refusal(cells[p.Name].Cell)));
        var urgency = new Urgency(pieces.ToDictionary(p => cells[p.Name].Cell.Id, Chain), new HashSet<CellId>());
        var (now, done) = (0.0, new List<Run>());
        var running = new List<Run>();
        while (done.Count < pieces.Count)
        {
            var known = done.Concat(running).Select(r => r.Piece.Name).ToHashSet();
            var ready = pieces
                .Where(p => !known.Contains(p.Name) && p.After.All(a => done.Any(d => d.Piece.Name == a)))
                .Select(p => cells[p.Name])
                .ToList();
            var busy = running.Select(r => (cells[r.Piece.Name], r.Place));
            foreach (var (cell, place) in dispatcher.Choose(ready, busy, urgency))
                running.Add(new Run(byName[cell.Key], now, now + byName[cell.Key].Seconds, place));
            Assert.NotEmpty(running); // nothing runs and nothing starts: it would stand still
            now = running.Min(r => r.End);
            done.AddRange(running.Where(r => r.End <= now));
            running.RemoveAll(r => r.End <= now);
        }
        return done;

        double Chain(Piece p) =>
            p.Seconds + pieces.Where(q => q.After.Contains(p.Name)).Select(Chain).DefaultIfEmpty(0).Max();
    }

    private static double Makespan(IEnumerable<Run> runs) => runs.Max(r => r.End);

    // What two GPUs can do at best: one GPU gets a part of the work, the other the rest; every part is tried.
    private static double Best(double[] seconds)
    {
        var (all, best) = (seconds.Sum(), double.MaxValue);
        for (var part = 0; part < 1 << (seconds.Length - 1); part++)
        {
            var first = seconds.Where((_, i) => (part >> i & 1) == 1).Sum();
            best = Math.Min(best, Math.Max(first, all - first));
        }
        return best;
    }

    private static readonly GpuDevice[] Two = [new("0", 100), new("1", 100)];

    [Fact]
    public void Nine_methods_on_two_GPUs_take_hardly_longer_than_at_best()
    {
        var random = new Random(17);
        var shares = new List<double>();
        for (var study = 0; study < 300; study++)
        {
            // Methods differ by two orders: GRACE in a minute, WISE in an hour and a half.
            double[] seconds = [.. Enumerable.Range(0, 9).Select(_ => Math.Exp(random.NextDouble() * 4.5) * 60)];
            var pieces = seconds.Select((s, i) => new Piece($"apply{i}", s, new Need(1, 60), true, [])).ToList();
            var runs = Simulate(pieces, new Budget { Jobs = 2, Gpus = Two });
            shares.Add(Best(seconds) / Makespan(runs));
        }
        output.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"of the best makespan: {shares.Min():0.000} at worst, {shares.Average():0.000} on average"
            )
        );
        Assert.InRange(shares.Min(), 0.9, 1);
    }

    [Fact]
    public void Work_on_the_processor_goes_on_beside_work_on_a_GPU()
    {
        List<Piece> pieces =
        [
            new("apply", 100, default, true, []),
            new("score1", 30, default, false, []),
            new("score2", 30, default, false, []),
            new("score3", 30, default, false, []),
        ];
        Assert.Equal(100, Makespan(Simulate(pieces, new Budget { Jobs = 2, Gpus = [Two[0]] })));
    }

    [Fact]
    public void A_thousand_random_studies_never_hold_more_than_there_is()
    {
        for (var seed = 0; seed < 1000; seed++)
        {
            var random = new Random(seed);
            GpuDevice[] gpus =
            [
                .. Enumerable.Range(0, random.Next(1, 5)).Select(i => new GpuDevice($"GPU-{i}", random.Next(50, 200))),
            ];
            var budget = new Budget
            {
                Jobs = random.Next(1, 5),
                HostBytes = 4L << 30,
                Gpus = gpus,
                StagesPerGpu = random.Next(1, 4),
            };
            var pieces = new List<Piece>();
            for (var i = 0; i < random.Next(1, 25); i++)
                pieces.Add(
                    new Piece(
                        $"c{i}",
                        random.Next(1, 50),
                        new Need(
                            random.Next(4) == 0 ? null : random.NextInt64(1, 3L << 30),
                            random.Next(4) == 0 ? null : random.NextInt64(1, gpus.Max(g => g.Bytes!.Value))
                        ),
                        random.Next(3) > 0,
                        [.. pieces.Where(_ => random.Next(6) == 0).Select(p => p.Name)]
                    )
                );
            var runs = Simulate(pieces, budget);
            foreach (var at in runs.Select(r => r.Start).Distinct())
                Holds(runs.Where(r => r.Start <= at && at < r.End).ToList(), budget, seed);
        }
    }

    private static void Holds(IReadOnlyList<Run> together, Budget budget, int seed)
    {
        var place = $"instance {seed}";
        Assert.True(together.Sum(r => r.Place.HostBytes) <= budget.HostBytes, place);
        foreach (var on in together.Where(r => r.Piece.OnGpu).GroupBy(r => r.Place.Gpu))
        {
            var gpu = budget.Gpus.Single(g => g.Id == on.Key);
            Assert.True(on.Count() <= budget.StagesPerGpu, place);
            Assert.True(on.Sum(r => r.Piece.Need.GpuBytes ?? 0) <= gpu.Bytes, place);
            Assert.True(on.Count() == 1 || on.All(r => r.Piece.Need.GpuBytes is not null), place);
        }
        // A stage on a GPU does not wait for a thread; what is left over is never given twice.
        Assert.True(together.Where(r => !r.Piece.OnGpu).Sum(r => r.Place.Threads) <= budget.Jobs, place);
    }

    [Fact]
    public void What_can_never_fit_is_refused_with_what_it_needs_and_what_there_is()
    {
        var piece = new Piece("apply", 1, new Need(1, 20_000_000_000), true, []);
        var cell = CellOf(piece).Cell;
        string? Refusal(long gpu, long? host = null) =>
            new Dispatcher(
                PlanFor("cuda"),
                new Budget { Gpus = [new("0", gpu)], HostBytes = host },
                _ => piece.Need
            ).Refusal(cell);
        Assert.Equal("needs 20.0 GB on a GPU, and the largest has 16.0 GB", Refusal(16_000_000_000));
        Assert.Null(Refusal(24_000_000_000));
    }

    [Fact]
    public void Without_a_budget_nothing_is_asked_and_one_stage_at_a_time_has_the_device()
    {
        var dispatcher = new Dispatcher(
            PlanFor("cuda:1"),
            new Budget { Jobs = 4 },
            _ => throw new InvalidOperationException()
        );
        var cells = Enumerable.Range(0, 2).Select(i => CellOf(new Piece($"c{i}", 1, default, true, []))).ToList();
        var urgency = new Urgency(cells.ToDictionary(c => c.Cell.Id, _ => 1.0), new HashSet<CellId>());
        var (_, place) = Assert.Single(dispatcher.Choose(cells, [], urgency));
        Assert.Null(place.Gpu);
        Assert.Null(dispatcher.Refusal(cells[0].Cell));
    }

    [Theory]
    [InlineData("cpu", 1, 0, false, new[] { 3 })]
    [InlineData("cpu", 2, 0, false, new[] { 3, 1 })]
    [InlineData("cpu", 4, 0, false, new[] { 1, 1, 1, 1 })]
    [InlineData("cpu", 6, 0, false, new[] { 1, 1, 1, 1 })]
    [InlineData("cpu", 1, 3, false, new[] { 1 })]
    [InlineData("cpu", 1, 3, true, new[] { 1 })]
    [InlineData("cpu", 1, 0, true, new[] { 3 })]
    [InlineData("cuda", 1, 0, false, new[] { 1 })]
    public void Threads_that_nobody_else_can_use_are_spread_and_never_waited_for(
        string device,
        int ready,
        int running,
        bool soon,
        int[] threads
    )
    {
        var cells = Enumerable
            .Range(0, ready + running)
            .Select(i => CellOf(new Piece($"c{i}", 1, default, true, [])))
            .ToList();
        var urgency = new Urgency(
            cells.ToDictionary(c => c.Cell.Id, _ => 1.0),
            soon ? cells.Take(ready).Select(c => c.Cell.Id).ToHashSet() : []
        );
        var chosen = new Dispatcher(PlanFor(device), new Budget { Jobs = 4 }, _ => default).Choose(
            [.. cells.Take(ready)],
            cells.Skip(ready).Select(c => (c, new Place(1, null, 0, 0))),
            urgency
        );
        Assert.Equal(threads, chosen.Select(c => c.Place.Threads));
    }
}
