using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>
/// Who shares a batch with a row (defects W4 and G3): nobody has a say where rows decide for themselves. Where whole
/// batches decide, they hold one split in the order of the data, in every pass.
/// </summary>
public sealed class CompanyTests
{
    private const int Layer = 1,
        Words = 400;

    private static readonly string[] Subjects =
    [
        "Middlemarch",
        "the Nile",
        "a kettle",
        "Peru",
        "granite and basalt",
        "Ada",
        "the oldest bridge in the city of Porto",
        "snow",
    ];

    // Rows that decide for themselves: a row whose distance lies exactly at the threshold is the first to turn over
    // when anything about its batch has a say.
    [Theory]
    [InlineData("wise")]
    [InlineData("grace")]
    public void A_row_at_the_threshold_is_answered_and_scored_the_same_alone_in_any_batch_and_in_any_order(string name)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small();
        var questions = Questions(26);
        using var patch = AtThreshold(name, checkpoint, questions);
        var routes = patch
            .Routes(checkpoint.Model, [.. questions.Select(q => checkpoint.Prompt(q.Question))])
            .Select(r => r.Routed)
            .ToList();
        Assert.Contains(true, routes);
        Assert.Contains(false, routes);
        var alone = questions.ToDictionary(q => (q.Split, q.Id), q => Ask(checkpoint, [q], patch.Tap, 1)[0]);
        var plain = questions.ToDictionary(q => (q.Split, q.Id), q => Ask(checkpoint, [q], null, 1)[0]);
        foreach (var (question, routed) in questions.Zip(routes))
        {
            var key = (question.Split, question.Id);
            Assert.Equal(routed, Distance(plain[key], alone[key]) > 1e-3);
        }
        var draw = new Seed(5).Stream("company");
        for (var trial = 0; trial < 6; trial++)
        {
            var some = questions.ToArray();
            draw.Shuffle(some);
            some = some[..(2 + draw.Below(some.Length - 1))];
            foreach (var row in Ask(checkpoint, some, patch.Tap, 1 + draw.Below(20)))
            {
                var expected = alone[(row.Split, row.Id)];
                Assert.Equal(expected.Generated, row.Generated);
                Assert.Equal(expected.StopReason, row.StopReason);
                Assert.Equal(expected.Ranks, row.Ranks);
                Assert.Equal(expected.FreeRanks, row.FreeRanks);
                Assert.InRange(Distance(expected, row), 0, 1e-5);
            }
        }
    }

    // In half precision a product's rounding depends on its other rows, so a decision taken in the batch would turn
    // over; one taken from the prompt alone does not.
    [Theory]
    [InlineData("wise")]
    [InlineData("grace")]
    public void In_half_precision_too_the_prompt_alone_decides(string name)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small(ScalarType.BFloat16);
        var questions = Questions(26);
        using var patch = AtThreshold(name, checkpoint, questions);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var routed = patch.Routes(checkpoint.Model, prompts).Select(r => r.Routed).ToList();
        var rows = questions.Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var (plain, alone) = (
            Scorer.Score(checkpoint.Model, rows, 1),
            Scorer.Score(checkpoint.Model, rows, 1, patch.Tap)
        );
        foreach (var size in (int[])[5, 26])
        {
            var together = Scorer.Score(checkpoint.Model, rows, size, patch.Tap);
            for (var i = 0; i < rows.Count; i++)
            {
                double Off(TargetScores a, TargetScores b) =>
                    a.LogProbabilities.Zip(b.LogProbabilities).Max(p => Math.Abs(p.First - p.Second));
                Assert.True(Off(alone[i], together[i]) < 0.12, $"row {i} of {size}: {Off(alone[i], together[i])}");
                if (routed[i])
                    Assert.True(Off(plain[i], together[i]) > 0.2, $"row {i} of {size} is not routed");
            }
        }
    }

    [Theory]
    [InlineData("wise")]
    [InlineData("grace every token")]
    [InlineData("grace stale")]
    public void Where_batches_decide_they_hold_one_split_in_the_order_of_the_data_whoever_asks(string name)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small();
        var questions = Questions(40);
        using var patch = AtThreshold(name, checkpoint, questions);
        Assert.Equal(16, patch.Tap!.BatchRows);
        var all = Ask(checkpoint, questions, patch.Tap, 64);
        foreach (var split in all.GroupBy(r => r.Split))
        {
            var own = questions.Where(q => q.Split == split.Key).ToArray();
            var bySelf = Ask(checkpoint, own, patch.Tap, 7);
            Assert.Equal(split.Select(Evidence), bySelf.Select(Evidence));
            // What stands behind the first sixteen cannot reach them.
            var first = Ask(checkpoint, own[..Math.Min(16, own.Length)], patch.Tap, 64);
            Assert.Equal(split.Take(16).Select(Evidence), first.Select(Evidence));
        }
        // The order within a split does matter here: that is the reference's dependence.
        var mixed = questions.OrderBy(q => Seed.Fnv1a64(q.Id + q.Split)).ToArray();
        if (name == "wise")
            Assert.NotEqual(
                all.OrderBy(r => r.Split).ThenBy(r => r.Id).Select(Evidence),
                Ask(checkpoint, mixed, patch.Tap, 64).OrderBy(r => r.Split).ThenBy(r => r.Id).Select(Evidence)
            );
    }

    [Theory]
    [InlineData("wise")]
    [InlineData("grace every token")]
    [InlineData("grace stale")]
    public void Where_batches_decide_what_is_read_back_was_routed_as_it_was_generated(string name)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small();
        var model = checkpoint.Model;
        var questions = Questions(40);
        using var patch = AtThreshold(name, checkpoint, questions);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var groups = questions.Select(q => q.Split).ToList();
        var said = GreedyDecoder.Decode(
            model,
            prompts,
            new GreedyDecoder.Options
            {
                MaxNewTokens = 12,
                StopIds = name == "grace every token" ? [] : [.. Enumerable.Range(5, 16)],
                Tap = patch.Tap,
                Groups = groups,
            }
        );
        if (name != "grace every token")
            Assert.Contains(said, g => g.Reason == StopReason.StopToken);
        Assert.Contains(said, g => g.Reason == StopReason.Limit);
        List<LogitProbe.Row> rows =
        [
            .. prompts.Select(
                (p, i) =>
                    new LogitProbe.Row(
                        [.. p, .. said[i].Ids],
                        p.Count,
                        [.. said[i].Ids.Select((id, t) => new LogitProbe.Point(p.Count - 1 + t, id))],
                        groups[i]
                    )
            ),
        ];
        var readings = LogitProbe.Read(model, rows, tap: patch.Tap);
        Assert.All(readings.SelectMany(r => r), r => Assert.Equal(1, r.Rank));
        // Fed in one pass the rows are routed otherwise: without the passes of a generation this would not hold.
        if (name == "grace stale")
            return;
        var atOnce = rows.SelectMany(row =>
        {
            using var inner = NewDisposeScope();
            using var quiet = no_grad();
            var logits = model.Forward(
                Tensors.Ids(row.Ids),
                new ForwardOptions { Tap = patch.Tap!.Begin(new BatchLayout([0], [row.PromptLength - 1])) }
            );
            return row.Points.Select(p => logits[0, p.Position].argmax().ToInt64() == p.Target).ToList();
        });
        Assert.Contains(false, atOnce);
    }

    // What the reference does with one question at a time, at the speed of many: each pass of a row decides anew, so a
    // token behind the prompt may be answered by another memory than the prompt was.
    [Fact]
    public void Where_a_batch_is_one_row_rows_share_passes_and_are_answered_as_in_batches_of_their_own()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small();
        var questions = Questions(40);
        using var probe = AtThreshold("wise", checkpoint, questions[..26]);
        var least = ((SideMemoryPatch)probe).Memories[0].LeastDistance;
        SideMemoryPatch By(RouteScope decides, int rows) => Memory(checkpoint.Model, decides, least, rows);
        using var single = By(RouteScope.PerForwardBatch, 1);
        using var whole = By(RouteScope.PerForwardBatch, 16);
        using var sticky = By(RouteScope.StickyPerRow, 1);
        Assert.Null(single.Tap.BatchRows);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var routes = single.Routes(checkpoint.Model, prompts);
        Assert.Contains(routes, r => r.Routed);
        Assert.Contains(routes, r => !r.Routed);
        Assert.Equal(prompts.Select(p => whole.Routes(checkpoint.Model, [p])[0]), routes);
        foreach (var rows in (int[])[1, 5, 64])
        {
            var together = Ask(checkpoint, questions, single.Tap, rows);
            foreach (var (row, question) in together.Zip(questions))
            {
                var alone = Ask(checkpoint, [question], whole.Tap, 1)[0];
                Assert.Equal(alone.Generated, row.Generated);
                Assert.Equal(alone.Ranks, row.Ranks);
                Assert.Equal(alone.FreeRanks, row.FreeRanks);
                Assert.InRange(Distance(alone, row), 0, 1e-5);
            }
            // The prompt does not decide for all that follows.
            Assert.Contains(
                together.Zip(Ask(checkpoint, questions, sticky.Tap, rows)),
                p => Distance(p.First, p.Second) > 1e-3
            );
        }
    }

    [Fact]
    public void The_routes_that_are_told_are_those_of_the_answers()
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Small();
        var questions = Questions(40);
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var groups = questions.Select(q => q.Split).ToList();
        using var patch = AtThreshold("wise", checkpoint, questions);
        var routes = patch.Routes(checkpoint.Model, prompts, groups);
        Assert.Contains(routes, r => r.Routed);
        Assert.Contains(routes, r => !r.Routed);
        // One decision a batch of sixteen of one split.
        foreach (var batch in routes.Zip(groups).GroupBy(r => r.Second).SelectMany(g => g.Chunk(16)))
            Assert.Single(batch.Select(r => r.First).Distinct());
        List<LogitProbe.Row> rows =
        [
            .. prompts.Select((p, i) => new LogitProbe.Row(p, p.Count, [new(p.Count - 1, 30)], groups[i])),
        ];
        var (plain, patched) = (
            LogitProbe.Read(checkpoint.Model, rows),
            LogitProbe.Read(checkpoint.Model, rows, tap: patch.Tap)
        );
        for (var i = 0; i < rows.Count; i++)
            Assert.Equal(routes[i].Routed, Math.Abs(plain[i][0].LogProbability - patched[i][0].LogProbability) > 1e-4);
    }

    private static string Evidence(AnswerRow row) =>
        string.Join(
            '|',
            row.Split,
            row.Id,
            row.Generated,
            string.Join(',', row.Ranks),
            string.Join(',', row.FreeRanks),
            string.Join(',', row.CompatRanks),
            string.Join(',', row.LogProbabilities),
            string.Join(',', row.PrefixMaxima),
            string.Join(',', row.DistractorProbabilities)
        );

    private static double Distance(AnswerRow a, AnswerRow b) =>
        new[]
        {
            Most(a.LogProbabilities, b.LogProbabilities),
            Most(a.PrefixMaxima, b.PrefixMaxima),
            Most(a.DistractorProbabilities, b.DistractorProbabilities),
            a.Generated == b.Generated ? Most(a.GeneratedLogProbabilities, b.GeneratedLogProbabilities) : 1,
        }.Max();

    private static double Most(IReadOnlyList<double> a, IReadOnlyList<double> b) =>
        a.Zip(b).Select(p => Math.Abs(p.First - p.Second)).Append(0).Max();

    private static IReadOnlyList<AnswerRow> Ask(
        Checkpoint checkpoint,
        IReadOnlyList<AnswerCollector.Asked> questions,
        ForwardTap? tap,
        int batchRows
    ) => AnswerCollector.Collect(checkpoint, questions, ("m", "s", "x"), 8, batchRows, tap);

    // Questions of three splits, most of them in the second; every third has wrong answers beside the true one.
    private static AnswerCollector.Asked[] Questions(int count)
    {
        var draw = new Seed(9).Stream("questions");
        string Words() => string.Join(' ', Enumerable.Range(0, 1 + draw.Below(4)).Select(_ => draw.Pick(Subjects)));
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(i => new AnswerCollector.Asked(
                    i < count / 5 ? "forget"
                        : i < 4 * count / 5 ? "retain"
                        : "rephrased",
                    $"q{i:00}",
                    $"What is {Words()} number {i}?",
                    Words(),
                    Distractors: i % 3 == 0 ? [Words(), Words()] : null
                )),
        ];
    }

    private static Checkpoint Small(ScalarType type = ScalarType.Float32)
    {
        var tokenizer = BpeTrainer.Train(Enumerable.Repeat(string.Join(". What is ", Subjects), 20), 300);
        var model = TinyModels.Lively(words: Words);
        if (type != ScalarType.Float32)
            model = CausalLm.Create(model.Config, model.Weights.ToDictionary(w => w.Key, w => w.Value.to(type)));
        return new Checkpoint(model, tokenizer);
    }

    // A patch that answers about half of the questions, its bound exactly at the distance of one of them.
    private static ModelPatch AtThreshold(string name, Checkpoint checkpoint, AnswerCollector.Asked[] questions)
    {
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var scope = questions.Length > 30 ? RouteScope.PerForwardBatch : RouteScope.StickyPerRow;
        ModelPatch With(double bound) =>
            name == "wise"
                ? Memory(checkpoint.Model, scope, bound)
                : Ball(checkpoint.Model, prompts[0], (float)bound, name);
        using var probe = With(0);
        var distances = probe
            .Routes(checkpoint.Model, prompts, [.. questions.Select(q => q.Split)])
            .Select(r => r.Distance)
            .Distinct()
            .Order()
            .ToList();
        // Wide enough for some of the tokens that follow a prompt, where those are looked up too.
        return With(name == "grace every token" ? 1.2 * distances[^1] : distances[distances.Count / 2]);
    }

    private static SideMemoryPatch Memory(CausalLm model, RouteScope scope, double least, int together = 16)
    {
        var weight = model.Weight(CausalLm.DownProjName(Layer)).to(ScalarType.Float32);
        return new SideMemoryPatch(
            Layer,
            [new SideMemory(weight + Noise(weight.shape) * weight.std(), least)],
            new Routing
            {
                Scope = scope,
                ActRatio = 1,
                MaxBeyond = null,
                BatchRows = together,
            }
        );
    }

    private static CodebookPatch Ball(CausalLm model, IReadOnlyList<int> centre, float radius, string name) =>
        new(
            Layer,
            new Codebook(
                KeyOf(model, centre).unsqueeze(0),
                Noise([1, model.Config.HiddenSize]) * 2,
                [radius],
                [new CodebookEntry(["a"], [3])]
            ),
            CodebookReplacement.Last,
            name switch
            {
                "grace every token" => CodebookQuery.EveryToken,
                "grace stale" => CodebookQuery.Stale,
                _ => CodebookQuery.PromptEnd,
            },
            staleColumn: 9
        );

    private static Tensor Noise(long[] shape)
    {
        var draw = new Seed(21).Stream("patch");
        var count = (int)shape.Aggregate(1L, (a, b) => a * b);
        return tensor(Enumerable.Range(0, count).Select(_ => (float)draw.NextGaussian()).ToArray()).view(shape);
    }

    private static Tensor KeyOf(CausalLm model, IReadOnlyList<int> prompt)
    {
        using var quiet = no_grad();
        var tap = new Seen();
        _ = model.Forward(Tensors.Ids(prompt), new ForwardOptions { Tap = tap });
        return tap.Key!;
    }

    private sealed class Seen : ForwardTap
    {
        public Tensor? Key { get; private set; }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer == Layer)
                Key = key[0, -1].to(ScalarType.Float32).clone().DetachFromDisposeScope();
            return value;
        }
    }
}
