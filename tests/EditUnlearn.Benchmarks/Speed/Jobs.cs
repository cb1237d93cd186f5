using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Speed;

/// <summary>
/// The work that the peer was measured with: 5.3 million parameters (4 blocks of 256, F 704, 4,096 words, own output
/// map), prompts of 12 tokens, targets of 6. Early stops are off, so that every run does all evaluations.
/// </summary>
internal static class Jobs
{
    private const int Width = 256,
        Inner = 704,
        Words = 4096,
        Blocks = 4,
        Edits = 20,
        Prompt = 12,
        Target = 6,
        Subject = 7;

    // Products of one token in one block, and in the output map: 2 operations for each weight.
    private const double BlockFlops = 2.0 * (4 * Width * Width + 3 * Width * Inner),
        MapFlops = 2.0 * Width * Words;

    private static readonly ValueOptions Value = new() { StopLoss = 0 };
    private static readonly Lazy<Dictionary<int, Tensor>> KnownMoments = new(() => Moments([0, 1]));
    private static readonly Lazy<Dictionary<int, NullSpace>> KnownSpaces = new(() =>
        KnownMoments.Value.ToDictionary(m => m.Key, m => NullSpace.Of(m.Value, 0.3, EigenvalueUnit.Mean))
    );

    /// <summary>Methods whose growth with the number of edits is measured.</summary>
    public static IReadOnlyList<string> Growing { get; } = ["ROME", "MEMIT", "AlphaEdit", "GRACE", "WISE"];

    /// <summary>
    /// Applies some edits one after another, with few evaluations and no context prefixes: what grows with their number
    /// is the same.
    /// </summary>
    public static void Edit(CausalLm model, string method, int count)
    {
        var (moments, spaces) = (KnownMoments.Value, KnownSpaces.Value); // they belong to no scope
        using var scope = NewDisposeScope();
        var value = Value with { Steps = 6 };
        IMethod chosen = method switch
        {
            "ROME" => new Rome(
                new Rome.Options
                {
                    Layers = [0],
                    SecondMoments = true,
                    Value = value,
                }
            ),
            "MEMIT" => new Memit(new Memit.Options { Layers = [0, 1], Value = value }),
            "AlphaEdit" => new AlphaEdit(
                new AlphaEdit.Options
                {
                    Layers = [0, 1],
                    NullSpaceThreshold = 0.3,
                    NullSpaceUnit = EigenvalueUnit.Mean,
                    Value = value,
                }
            ),
            "GRACE" => new Grace(new Grace.Options { Layer = 2, Steps = 6 }),
            _ => new Wise(
                new Wise.Options
                {
                    Layer = 2,
                    Steps = 6,
                    LearningRate = 1e-4,
                }
            ),
        };
        var inputs = new MethodInputs
        {
            Edits = Requests(count),
            SecondMoments = moments,
            NullSpaces = spaces,
            Locality = [Tokens(18, "locality")],
        };
        using var patch = chosen.Edit(model, inputs, new Seed(1));
    }

    /// <summary>The common model.</summary>
    public static CausalLm Model() => Model(Width, Inner, Words, Blocks);

    /// <summary>All lines.</summary>
    public static IEnumerable<SpeedJob> All()
    {
        var edits = Requests(Edits);
        MethodInputs Inputs(int contexts) =>
            new()
            {
                Edits = edits,
                Contexts = Contexts(contexts),
                SecondMoments = KnownMoments.Value,
                NullSpaces = KnownSpaces.Value,
                Locality = [Tokens(18, "locality")],
            };
        Action<CausalLm> Edit(IMethod method, int contexts) =>
            model =>
            {
                var inputs = Inputs(contexts); // what is kept for all jobs belongs to no scope
                using var scope = NewDisposeScope();
                using var patch = method.Edit(model, inputs, new Seed(1));
            };
        // Tails of the value search: from the subject to the last scored position, in the blocks above, twice.
        double Search(int rows, int evaluations, int above) =>
            2.0 * evaluations * rows * ((Prompt + Target - 1 - Subject) * above * BlockFlops + Target * MapFlops);

        yield return new SpeedJob(
            "ROME 20 sequential",
            Edit(
                new Rome(
                    new Rome.Options
                    {
                        Layers = [0],
                        SecondMoments = true,
                        Value = Value,
                    }
                ),
                21
            ),
            (46.4, 127),
            8,
            Edits * Search(21, 24, Blocks - 1)
        );
        yield return new SpeedJob(
            "MEMIT batch of 20",
            Edit(
                new Memit(
                    new Memit.Options
                    {
                        Layers = [0, 1],
                        BatchSize = Edits,
                        Value = Value,
                    }
                ),
                6
            ),
            (21.2, 28),
            12,
            Edits * Search(6, 24, Blocks - 2)
        );
        foreach (
            var (name, size, peer, must) in new[]
            {
                ("AlphaEdit batch of 20", Edits, (17.5, 29.0), 10),
                ("AlphaEdit 20 sequential", 1, (18.2, 31.0), 8),
            }
        )
            yield return new SpeedJob(
                name,
                Edit(
                    new AlphaEdit(
                        new AlphaEdit.Options
                        {
                            Layers = [0, 1],
                            NullSpaceThreshold = 0.3,
                            NullSpaceUnit = EigenvalueUnit.Mean,
                            BatchSize = size,
                            Value = Value,
                        }
                    ),
                    6
                ),
                peer,
                must,
                Edits * Search(6, 24, Blocks - 2)
            );
        yield return new SpeedJob(
            "GRACE 20 x 50",
            Edit(new Grace(new Grace.Options { Layer = 2, Steps = 50 }), 1),
            (11.0, 9.3),
            15,
            2.0 * Edits * 50 * Target * (BlockFlops + MapFlops)
        );
        yield return new SpeedJob(
            "WISE 20 x 70",
            Edit(
                new Wise(
                    new Wise.Options
                    {
                        Layer = 2,
                        Steps = 70,
                        Unit = MarginUnit.OutputNorm,
                        LearningRate = 1e-4,
                    }
                ),
                11
            ),
            (67.2, 118),
            6,
            2.0 * Edits * 70 * 11 * (29 * (BlockFlops + 2.0 * Width * Inner) + Target * MapFlops)
        );
        yield return new SpeedJob(
            "second moments",
            model =>
            {
                using var scope = NewDisposeScope();
                _ = SecondMoments.Collect(model, Rows(200, 128), [0, 1]);
            },
            (2.9, 10),
            2,
            200.0 * 128 * (2 * BlockFlops + 2 * 2.0 * Inner * Inner),
            200 * 128
        );
        yield return new SpeedJob(
            "forward 10 x 8 x 128",
            model =>
            {
                using var quiet = no_grad();
                for (var i = 0; i < 10; i++)
                {
                    using var scope = NewDisposeScope();
                    using var batch = RowBatch.Of(Rows(8, 128));
                    _ = model.Forward(batch.Ids);
                }
            },
            (1.14, 1.8),
            2,
            10.0 * 8 * 128 * (Blocks * BlockFlops + MapFlops),
            10 * 8 * 128
        );
        yield return new SpeedJob(
            "gradient difference, 20 steps",
            model =>
            {
                using var scope = NewDisposeScope();
                var options = new GradientDifference.Options
                {
                    Trainable = Trainable.Full,
                    BatchSize = 4,
                    Accumulation = 1,
                    Steps = 20,
                };
                using var patch = new GradientDifference(options).Edit(
                    model,
                    new MethodInputs { Forget = Rows(4, 64), Retain = Rows(4, 64) },
                    new Seed(1)
                );
            },
            (3.6, 6.7),
            2,
            20.0 * 8 * 64 * 3 * (Blocks * BlockFlops + MapFlops),
            20 * 8 * 64
        );
        yield return Training("training, d 128", 128, 704, 2560 / 9_900.0 * 4, 2560 * 4, 1.5);
        yield return Training("training, d 576", 576, 1536, 2560 / 1_490.0 * 4, 2560 * 4, 1.5);
        foreach (var job in Miniature())
            yield return job;
        foreach (var threads in new[] { 1, 2 })
            yield return new SpeedJob(
                $"pretraining of a miniature, {threads} thread(s)",
                _ => Pretrain(threads),
                (null, null),
                0,
                4 * 64 * 40 * 3.0 * (4 * 2.0 * (2 * 128 * 128 + 2 * 128 * 128 + 3 * 128 * 768) + 2.0 * 128 * 1024),
                4 * 64 * 40
            );
        foreach (var (batch, peer, must) in new[] { (1, 0.16, 2), (8, 0.53, 3) })
            yield return new SpeedJob(
                $"greedy 32 + 64, batch {batch}",
                model =>
                    _ = GreedyDecoder.Decode(
                        model,
                        [.. Rows(batch, 32).Select(r => r.Ids)],
                        new GreedyDecoder.Options { MaxNewTokens = 64, StopIds = [] }
                    ),
                (peer, null),
                must,
                batch * (95.0 * Blocks * BlockFlops + 64 * MapFlops),
                64 * batch
            );
    }

    // Four updates of 64 rows of 40 tokens.
    private static SpeedJob Training(string name, int width, int inner, double peer, long tokens, double must) =>
        new(
            name,
            model => Train(model, 4, 1e-4, _ => RowBatch.Of(Rows(64, 40), promptLabels: true)),
            (peer, null),
            must,
            3.0 * tokens * 2 * (Blocks * (4.0 * width * width + 3.0 * width * inner) + (double)width * Words),
            tokens
        )
        {
            Model = () => Model(width, inner, Words, Blocks),
        };

    /// <summary>Some updates of all weights of a copy, by AdamW.</summary>
    /// <param name="model">Comes back as it was.</param>
    /// <param name="updates">How many.</param>
    /// <param name="rate">Step size.</param>
    /// <param name="batch">Of each update.</param>
    public static void Train(CausalLm model, int updates, double rate, Func<int, RowBatch> batch)
    {
        using var scope = NewDisposeScope();
        using var trained = TrainableModel.Of(
            model,
            new TrainableModel.Options { Trainable = Trainable.Full },
            new Seed(1)
        );
        using var loop = new TrainingLoop(trained.Parameters, new AdamW.Options(), 1, trained.Reset, null);
        PassOutcome Pass(int step)
        {
            using var inside = NewDisposeScope();
            trained.Parameters.ZeroGradient();
            using var rows = batch(step);
            var loss = trained.Nll(rows).mean();
            trained.Backward(loss);
            return new PassOutcome(loss.ToDouble(), rows.TokenCount);
        }
        _ = loop.Run(updates, Pass, _ => rate, _ => true, CancellationToken.None);
    }

    // What the study's main command does most, in its sizes; nobody measured a peer.
    private static IEnumerable<SpeedJob> Miniature()
    {
        static CausalLm Small() => Model(128, 768, 1024, Blocks);
        var edits = Enumerable
            .Range(0, 10)
            .Select(i => new EditRequest(
                $"{i}",
                Tokens(24, $"prompt/{i}"),
                17,
                [.. Tokens(15, $"target/{i}").Skip(1)],
                Tokens(7, $"essence/{i}"),
                4
            ))
            .ToList();
        var value = new ValueOptions
        {
            Steps = 60,
            LearningRate = 0.2,
            KlFactor = 0,
            StopLoss = 0,
        };
        yield return new SpeedJob(
            "miniature: ROME 10",
            model =>
            {
                using var scope = NewDisposeScope();
                var options = new Rome.Options
                {
                    Layers = [0],
                    Contexts = 0,
                    Value = value,
                };
                using var patch = new Rome(options).Edit(model, new MethodInputs { Edits = edits }, new Seed(1));
            },
            (null, null),
            0
        )
        {
            Model = Small,
        };
        yield return new SpeedJob(
            "miniature: gradient difference, 50 updates of 4 + 4 rows",
            model =>
            {
                using var scope = NewDisposeScope();
                var options = new GradientDifference.Options
                {
                    Trainable = Trainable.Full,
                    BatchSize = 4,
                    Accumulation = 1,
                    Steps = 50,
                };
                using var patch = new GradientDifference(options).Edit(
                    model,
                    new MethodInputs { Forget = Rows(8, 30), Retain = Rows(8, 34) },
                    new Seed(1)
                );
            },
            (null, null),
            0
        )
        {
            Model = Small,
        };
        yield return new SpeedJob(
            "miniature: 200 answers of 24 tokens",
            model =>
                _ = GreedyDecoder.Decode(
                    model,
                    [.. Rows(200, 24).Select(r => r.Ids)],
                    new GreedyDecoder.Options { MaxNewTokens = 24, StopIds = [] }
                ),
            (null, null),
            0
        )
        {
            Model = Small,
        };
    }

    // Four updates as the study's pretraining takes them.
    private static void Pretrain(int threads)
    {
        using var start = Model(128, 768, 1024, Blocks);
        Pretrainer
            .Train(
                start.Config with
                {
                    TieWordEmbeddings = true,
                },
                Rows(4 * 64, 40),
                new Pretrainer.Options
                {
                    Steps = 4,
                    Batch = 64,
                    Warmup = 1,
                    Threads = threads,
                },
                new Seed(1)
            )
            .Model.Dispose();
    }

    /// <summary>A model with random weights and its own output map.</summary>
    public static CausalLm Model(int width, int inner, int words, int blocks) =>
        CausalLm.Random(
            new ModelConfig
            {
                Family = "llama2",
                VocabSize = words,
                HiddenSize = width,
                IntermediateSize = inner,
                Layers = blocks,
                Heads = width / 32,
                KvHeads = width / 32,
                HeadDim = 32,
                TieWordEmbeddings = false,
                MaxPositions = 512,
            },
            new Seed(1)
        );

    private static int[] Tokens(int count, string name)
    {
        var draw = new Seed(2).Stream(name);
        return [1, .. Enumerable.Range(0, count - 1).Select(_ => 3 + draw.Below(1000))];
    }

    private static List<EditRequest> Requests(int count) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(i => new EditRequest(
                    $"{i}",
                    Tokens(Prompt, $"prompt/{i}"),
                    Subject,
                    [.. Tokens(Target + 1, $"target/{i}").Skip(1)],
                    Tokens(7, $"essence/{i}"),
                    4
                )),
        ];

    // The bare prompt, half of the prefixes of 5 tokens and half of 10.
    private static List<IReadOnlyList<int>> Contexts(int count) =>
        [
            [],
            .. Enumerable.Range(1, count - 1).Select(i => Tokens((i % 2 == 0 ? 5 : 10) + 1, $"context/{i}")[1..]),
        ];

    private static Dictionary<int, Tensor> Moments(IEnumerable<int> layers)
    {
        using var model = Model();
        return SecondMoments.Collect(model, Rows(40, 64), [.. layers]).Moments.ToDictionary(m => m.Key, m => m.Value);
    }

    /// <summary>Rows of random tokens, labelled from the second on.</summary>
    public static List<TokenRow> Rows(int count, int width) =>
        [.. Enumerable.Range(0, count).Select(i => new TokenRow(Tokens(width, $"row/{i}"), 1))];
}
