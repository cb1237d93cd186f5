using System.Diagnostics;
using EditUnlearn.Foundation;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>Trains a small decoder from nothing, on two fixed shards of every batch.</summary>
/// <remarks>
/// Two replicas share one weight vector and own their gradients; each shard may run on a .NET thread of its own and the
/// gradients are added in a fixed order, so the bits do not depend on how many threads there are. Optimiser: AdamW
/// (Loshchilov and Hutter 2019).
/// </remarks>
public static class Pretrainer
{
    private const int Shards = 2;

    /// <summary>How long and how fast.</summary>
    public sealed record Options
    {
        /// <summary>Updates.</summary>
        public int Steps { get; init; } = 1000;

        /// <summary>B, rows of one update, split into two shards.</summary>
        public int Batch { get; init; } = 64;

        /// <summary>Highest step size.</summary>
        public double LearningRate { get; init; } = 3e-3;

        /// <summary>Steps of linear warm-up.</summary>
        public int Warmup { get; init; } = 100;

        /// <summary>Share of the highest step size at the end of the cosine.</summary>
        public double FinalShare { get; init; } = 0.05;

        /// <summary>Decoupled weight decay; norm gains are left out.</summary>
        public double WeightDecay { get; init; } = 0.1;

        /// <summary>Bound of the gradient's global L2 norm.</summary>
        public double ClipNorm { get; init; } = 1;

        /// <summary>Weight of the loss on prompt tokens beside the answer's 1.</summary>
        public double PromptLoss { get; init; } = 0.2;

        /// <summary>Whether matrices of blocks are stepped by Muon instead of AdamW.</summary>
        public bool Orthogonal { get; init; }

        /// <summary>.NET threads, 1 or 2; no result depends on it.</summary>
        public int Threads { get; init; } = 2;
    }

    /// <summary>One update, as told to the observer.</summary>
    /// <param name="Step">1-based.</param>
    /// <param name="Loss">Answer loss per label [nats].</param>
    /// <param name="TokensPerSecond">Since the start.</param>
    public readonly record struct Progress(int Step, double Loss, double TokensPerSecond);

    /// <summary>Trains and returns a model that owns its weights.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="rows">The row of each place: Steps * Batch of them, used in order, sorted by length within a few
    /// batches.</param>
    /// <param name="options">Steps and rates.</param>
    /// <param name="seed">Of the initial weights and the order of batches.</param>
    /// <param name="observe">Told after every update.</param>
    /// <param name="store">Where the state of a killed run is kept and found again, or null.</param>
    /// <param name="cancelled">Looked at before every update.</param>
    /// <returns>The model, and how the run went.</returns>
    /// <exception cref="ArgumentException">Too few rows, or a batch that does not split.</exception>
    /// <exception cref="InvalidOperationException">The loss is no longer finite.</exception>
    public static (CausalLm Model, TrainingRecord Record) Train(
        ModelConfig config,
        IReadOnlyList<TokenRow> rows,
        Options options,
        Seed seed,
        Action<Progress>? observe = null,
        TrainingStore? store = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(options);
        Check(rows, options);

        using var start = CausalLm.Random(config, seed.For("weights"));
        using var parameters = FlatParameters.CopyOf(
            start.Weights,
            name =>
                !name.EndsWith("norm.weight", StringComparison.Ordinal)
                && !name.EndsWith(".bias", StringComparison.Ordinal)
        );
        using var second = parameters.Replica();
        FlatParameters[] replicas = [parameters, second];
        CausalLm[] models = [.. replicas.Select(r => start.Over(r.Views))];
        var schedule = new LearningRateSchedule(
            options.LearningRate,
            options.Steps,
            options.Warmup,
            LearningRateDecay.Cosine,
            options.FinalShare
        );
        var batches = Bucketed(rows, options, seed.Stream("batches"));
        using var loop = new TrainingLoop(
            parameters,
            Optimiser(options),
            options.ClipNorm,
            () => parameters.CopyFrom(start.Weights),
            store
        );
        var clock = Stopwatch.StartNew();
        long tokens = 0;
        PassOutcome Pass(int step)
        {
            var batch = batches[step];
            var loss = Backward(models, replicas, batch, options);
            parameters.AddGradientOf(second);
            return new PassOutcome(loss, batch.Sum(r => (long)r.Ids.Count));
        }
        bool After(CurvePoint point)
        {
            tokens += point.Tokens;
            observe?.Invoke(new Progress(point.Step, point.Loss, tokens / clock.Elapsed.TotalSeconds));
            return true;
        }
        if (loop.Run(options.Steps, Pass, schedule.At, After, cancelled) is { } diverged)
            throw new InvalidOperationException(
                $"Pretraining diverged: the loss is {diverged.Loss} at step {diverged.Step}. "
                    + "A smaller learning rate helps."
            );
        using var quiet = no_grad();
        var model = CausalLm.Create(
            config,
            parameters.Views.ToDictionary(p => p.Key, p => p.Value.detach().clone(), StringComparer.Ordinal)
        );
        return (model, new TrainingRecord([.. loop.Curve], options.Steps, null, loop.ResumedAt));
    }

    private static AdamW.Options Optimiser(Options options) =>
        new()
        {
            Beta2 = 0.95,
            WeightDecay = options.WeightDecay,
            Orthogonal = options.Orthogonal,
            Threads = options.Threads,
        };

    private static void Check(IReadOnlyList<TokenRow> rows, Options options)
    {
        if (options.Batch % Shards != 0 || options.Batch < Shards)
            throw new ArgumentException($"The batch must split into {Shards} shards.", nameof(options));
        if (rows.Count < (long)options.Steps * options.Batch)
            throw new ArgumentException(
                $"{options.Steps} steps of {options.Batch} rows need "
                    + $"{(long)options.Steps * options.Batch} rows, not {rows.Count}.",
                nameof(rows)
            );
    }

    // Adds to each replica its shard's part of the gradient of the batch's loss; returns the answer loss.
    private static double Backward(
        CausalLm[] models,
        FlatParameters[] replicas,
        IReadOnlyList<TokenRow> batch,
        Options options
    )
    {
        var answerLabels = batch.Sum(r => r.LabelCount);
        var promptLabels = batch.Sum(r => r.LabelStart - 1);
        var losses = new double[Shards];
        void Shard(int s) =>
            losses[s] = Backward(
                models[s],
                replicas[s],
                [.. batch.Where((_, i) => i % Shards == s)],
                answerLabels,
                promptLabels,
                options.PromptLoss
            );
        if (options.Threads > 1)
            Parallel.For(0, Shards, new ParallelOptions { MaxDegreeOfParallelism = Shards }, Shard);
        else
            for (var s = 0; s < Shards; s++)
                Shard(s);
        return losses.Sum();
    }

    // Adds this shard's part of the gradient of the batch's loss; returns its part of the answer loss.
    private static double Backward(
        CausalLm model,
        FlatParameters parameters,
        IReadOnlyList<TokenRow> rows,
        int answerLabels,
        int promptLabels,
        double promptWeight
    )
    {
        parameters.ZeroGradient();
        using var scope = NewDisposeScope();
        using var batch = RowBatch.Of(rows, promptLabels: promptWeight > 0);
        using var pass = TrackedPass.NllOf(
            model,
            batch.Ids,
            batch.LabelTargets,
            new ForwardOptions { Positions = Positions.At(batch.LabelPositions) }
        );
        var nll = pass.Output;
        var answer = batch.IsAnswer.Select(a => a ? 1f / answerLabels : 0f).ToArray();
        var weights = batch.IsAnswer.Select(a => a ? 1f / answerLabels : (float)promptWeight / promptLabels).ToArray();
        (nll * tensor(weights)).sum().backward();
        pass.Backward(input: false);
        return (nll.detach() * tensor(answer)).sum().ToDouble();
    }

    // Rows of like length share a batch: 16 batches' worth of rows are sorted, cut into batches, and these shuffled.
    private static List<TokenRow[]> Bucketed(IReadOnlyList<TokenRow> rows, Options options, SplitMix64 stream)
    {
        const int Window = 16;
        var batches = new List<TokenRow[]>(options.Steps);
        for (var first = 0; first < options.Steps; first += Window)
        {
            var count = Math.Min(Window, options.Steps - first);
            var window = rows.Skip(first * options.Batch)
                .Take(count * options.Batch)
                .OrderBy(r => r.Ids.Count)
                .Chunk(options.Batch)
                .ToArray();
            stream.Shuffle(window);
            batches.AddRange(window);
        }
        return batches;
    }
}
