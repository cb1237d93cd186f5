using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

public sealed class FinetunerTests
{
    private static readonly IReadOnlyList<TokenRow> Rows = TinyModels.Rows(8);

    private static Finetuner.Options Fast(Trainable trainable = Trainable.Full) =>
        new()
        {
            LearningRate = 1e-2,
            Epochs = trainable == Trainable.Lora ? 160 : 60, // an adapter of rank 8 learns slower
            MaxEpochs = trainable == Trainable.Lora ? 240 : 90,
            CheckFromEpoch = 12,
            BatchSize = 4,
            Moves = new TrainableModel.Options
            {
                Trainable = trainable,
                Lora = new LoraAdapter.Options { Dropout = 0 },
            },
        };

    // Share of rows whose greedy answer is exactly theirs.
    private static Finetuner.Check Exact(CausalLm model)
    {
        var said = GreedyDecoder.Decode(
            model,
            [.. Rows.Select(r => (IReadOnlyList<int>)[.. r.Ids.Take(r.LabelStart)])],
            new GreedyDecoder.Options { MaxNewTokens = 8 }
        );
        var wrong = Enumerable
            .Range(0, Rows.Count)
            .Where(i => !said[i].Ids.SequenceEqual(Rows[i].Ids.Skip(Rows[i].LabelStart).SkipLast(1)))
            .ToList();
        return new Finetuner.Check(1 - wrong.Count / (double)Rows.Count, wrong);
    }

    private static (TrainingRecord Record, Finetuner.Check Last) Train(
        TrainableModel trained,
        Finetuner.Options options,
        Func<CausalLm, Finetuner.Check> check,
        TrainingStore? store = null,
        Action<CurvePoint>? observe = null
    ) => Finetuner.Train(trained, Rows, _ => [], options, new Seed(4), check, observe, store);

    [Theory]
    [InlineData(Trainable.Full)]
    [InlineData(Trainable.Lora)]
    public void A_toy_learns_its_rows_word_for_word_then_forgets_some_and_keeps_more_when_told_to(Trainable trainable)
    {
        using var scope = NewDisposeScope();
        using var start = TinyModels.Llama();
        using var trained = TrainableModel.Of(start, Fast(trainable).Moves, new Seed(1));
        var (record, last) = Train(trained, Fast(trainable), Exact);
        Assert.Equal(1, last.Rouge1);
        Assert.Empty(last.Wrong);
        Assert.Equal(1, record.Curve[^1].Rouge1);
        Assert.Equal(0, record.Curve.Count % 2); // stops at the end of an epoch
        if (trainable == Trainable.Lora)
            return;

        using var model = CausalLm.Create(
            start.Config,
            trained.Model.Weights.ToDictionary(w => w.Key, w => w.Value.detach().clone())
        );
        double Retained(IMethod method)
        {
            using var patch = method.Edit(
                model,
                new MethodInputs { Forget = [.. Rows.Take(4)], Retain = [.. Rows.Skip(4)] },
                new Seed(2)
            );
            using var applied = patch.ApplyTo(model);
            var wrong = Exact(model).Wrong;
            Assert.True(wrong.Count(i => i < 4) >= 3, "most of the forget rows are gone");
            return 1 - wrong.Count(i => i >= 4) / 4.0;
        }
        GradientAscent.Options ascent = new()
        {
            Trainable = Trainable.Full,
            Epochs = 10,
            LearningRate = 3e-3,
        };
        var alone = Retained(new GradientAscent(ascent));
        var held = Retained(
            new GradientDifference(
                new GradientDifference.Options
                {
                    Trainable = Trainable.Full,
                    Epochs = 10,
                    LearningRate = 3e-3,
                }
            )
        );
        Assert.True(held > alone, $"GD keeps {held}, GA {alone}");
    }

    [Fact]
    public void Where_the_epochs_do_not_reach_the_bound_blocks_at_a_tenth_of_the_rate_follow_and_wrong_rows_are_named()
    {
        using var start = TinyModels.Llama();
        var options = Fast() with
        {
            Epochs = 3,
            CheckFromEpoch = 2,
            BlockEpochs = 2,
            MaxEpochs = 8,
            LearningRate = 1e-3,
        };
        using var trained = TrainableModel.Of(start, options.Moves, new Seed(1));
        var (record, last) = Train(trained, options, _ => new Finetuner.Check(0.5, [1, 3]));
        Assert.Equal([1, 3], last.Wrong);
        Assert.Equal(6, record.PlannedSteps);
        Assert.Equal(16, record.Curve.Count); // 8 epochs of two batches
        Assert.Equal([2, 3, 5, 7, 8], record.Curve.Where(p => !double.IsNaN(p.Rouge1)).Select(p => p.Step / 2));
        Assert.All(record.Curve.Skip(6), p => Assert.Equal(1e-4, p.Rate, 12));
        Assert.Equal(0, record.Curve[0].Rate);
    }

    [Theory]
    [InlineData(7)]
    [InlineData(20)]
    public void Killed_in_the_middle_it_ends_with_the_same_weights(int killedAt)
    {
        using var folder = new TemporaryFolder();
        using var start = TinyModels.Llama();
        byte[] Bytes(TrainableModel t) => t.Parameters.Weights.bytes.ToArray();
        TrainingStore Store() => new(folder.Path, "run", new TrainingStore.Interval(3, 0));
        var options = Fast(Trainable.Lora) with { Epochs = 12, MaxEpochs = 12 };
        using var whole = TrainableModel.Of(start, options.Moves, new Seed(1));
        var expected = Train(whole, options, Exact);
        using (var first = TrainableModel.Of(start, options.Moves, new Seed(1)))
            Assert.Throws<OperationCanceledException>(() =>
                Train(
                    first,
                    options,
                    Exact,
                    Store(),
                    p => _ = p.Step == killedAt ? throw new OperationCanceledException() : p
                )
            );
        using var second = TrainableModel.Of(start, options.Moves, new Seed(1));
        var resumed = Train(second, options, Exact, Store());
        Assert.True(resumed.Record.ResumedAt > 0);
        Assert.Equal(Bytes(whole), Bytes(second));
        Assert.Equal(expected.Record.Curve, resumed.Record.Curve);
    }

    [Fact]
    public void Pretraining_killed_in_the_middle_ends_with_the_same_weights()
    {
        using var folder = new TemporaryFolder();
        using var shape = TinyModels.Llama();
        var rows = TinyModels.Rows(12 * 8);
        (byte[] Weights, int Resumed) Run(TrainingStore? store, int? killedAt = null)
        {
            var (model, record) = Pretrainer.Train(
                shape.Config,
                rows,
                new Pretrainer.Options
                {
                    Steps = 12,
                    Batch = 8,
                    Warmup = 2,
                },
                new Seed(4),
                p => _ = p.Step == killedAt ? throw new OperationCanceledException() : p,
                store
            );
            using (model)
                return (
                    [
                        .. model
                            .Weights.OrderBy(w => w.Key, StringComparer.Ordinal)
                            .SelectMany(w => w.Value.bytes.ToArray()),
                    ],
                    record.ResumedAt
                );
        }
        TrainingStore Store() => new(folder.Path, "run", new TrainingStore.Interval(2, 0));
        Assert.Throws<OperationCanceledException>(() => Run(Store(), killedAt: 8));
        var resumed = Run(Store());
        Assert.Equal(6, resumed.Resumed);
        Assert.Equal(Run(null).Weights, resumed.Weights);
    }

    [Fact]
    public void Replayed_rows_go_along_with_every_batch()
    {
        using var start = TinyModels.Llama();
        var options = Fast() with { Epochs = 2, MaxEpochs = 2, CheckFromEpoch = 2 };
        using var trained = TrainableModel.Of(start, options.Moves, new Seed(1));
        var replayed = TinyModels.Rows(6, 99);
        var (record, _) = Finetuner.Train(
            trained,
            Rows,
            _ => replayed,
            options,
            new Seed(4),
            _ => new Finetuner.Check(0, [])
        );
        var perEpoch = Rows.Concat(replayed).Sum(r => (long)r.Ids.Count);
        Assert.Equal(perEpoch, record.Curve.Take(2).Sum(p => p.Tokens));
        Assert.All(record.Curve, p => Assert.True(p.Tokens > Rows.Min(r => r.Ids.Count) * 7));
    }
}
