using System.Globalization;
using EditUnlearn.Foundation;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>Teaches a model a list of answers until it says all of them word for word.</summary>
/// <remarks>
/// Source: the study's section 4.2 for the aim, PISTOL's configuration for the settings; docs/methods.md, "Finetuning".
/// Epochs of shuffled batches under warm-up and linear decay; from the fifth epoch on the answers are generated and
/// checked after each, and the first perfect check ends the run. Where the planned epochs do not reach it, blocks of
/// further epochs follow at a constant tenth of the rate, up to a limit.
/// </remarks>
public static class Finetuner
{
    /// <summary>How long and how fast; each option says where its default comes from.</summary>
    public sealed record Options
    {
        /// <summary>
        /// Step size of AdamW; PISTOL configuration for an adapter. Its read-me has 2e-5 for all weights of Llama-2,
        /// 1e-5 for Mistral.
        /// </summary>
        public double LearningRate { get; init; } = 1e-4;

        /// <summary>Visits of every row before the continuation; PISTOL configuration.</summary>
        public int Epochs { get; init; } = 20;

        /// <summary>Rows of one forward pass; PISTOL configuration.</summary>
        public int BatchSize { get; init; } = 16;

        /// <summary>Forward passes of one update; PISTOL configuration.</summary>
        public int Accumulation { get; init; } = 1;

        /// <summary>Decoupled weight decay; PISTOL configuration.</summary>
        public double WeightDecay { get; init; }

        /// <summary>Share of the planned steps that warm up; PISTOL code.</summary>
        public double WarmupShare { get; init; } = 0.1;

        /// <summary>Bound of the gradient's global L2 norm, or null; trainer default.</summary>
        public double? ClipNorm { get; init; } = 1.0;

        /// <summary>Rouge1 over all rows at which the run ends; the study's 1.0.</summary>
        public double StopAtRouge { get; init; } = 1.0;

        /// <summary>First epoch after which answers are generated.</summary>
        public int CheckFromEpoch { get; init; } = 5;

        /// <summary>Epochs of one block of the continuation.</summary>
        public int BlockEpochs { get; init; } = 5;

        /// <summary>Epochs in all, continuation included.</summary>
        public int MaxEpochs { get; init; } = 40;

        /// <summary>Share of the step size in the continuation.</summary>
        public double ContinueShare { get; init; } = 0.1;

        /// <summary>What moves.</summary>
        public TrainableModel.Options Moves { get; init; } = new();
    }

    /// <summary>The latest check.</summary>
    /// <param name="Rouge1">Mean over all rows.</param>
    /// <param name="Wrong">Rows below the bound, in order.</param>
    public sealed record Check(double Rouge1, IReadOnlyList<int> Wrong);

    /// <summary>Trains; the model is left as it came, what it learned is in the trained model.</summary>
    /// <param name="trained">From <see cref="TrainableModel.Of"/>; afterwards in its final state.</param>
    /// <param name="rows">What is to be learned.</param>
    /// <param name="replay">Further rows that go along with each batch, for as many epochs as there may be; empty for
    /// none. Entry e holds those of epoch e, spread evenly over its batches.</param>
    /// <param name="options">Steps and rates.</param>
    /// <param name="seed">Of the order of rows and of dropout.</param>
    /// <param name="check">Generates the answers of the model it is given and compares them.</param>
    /// <param name="observe">Told of every update.</param>
    /// <param name="store">Where the state of a killed run is kept and found again, or null.</param>
    /// <param name="cancelled">Looked at before every update.</param>
    /// <returns>How the run went, and the check that ended it; one with wrong rows where the epochs ran out.</returns>
    public static (TrainingRecord Record, Check Last) Train(
        TrainableModel trained,
        IReadOnlyList<TokenRow> rows,
        Func<int, IReadOnlyList<TokenRow>> replay,
        Options options,
        Seed seed,
        Func<CausalLm, Check> check,
        Action<CurvePoint>? observe = null,
        TrainingStore? store = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(trained);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(replay);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(check);
        var perUpdate = options.BatchSize * options.Accumulation;
        // the last batch of an epoch may be smaller: every row is seen once
        var perEpoch = (rows.Count + perUpdate - 1) / perUpdate;
        var planned = options.Epochs * perEpoch;
        var schedule = new LearningRateSchedule(
            options.LearningRate,
            planned,
            options.WarmupShare > 0 ? Math.Max(1, (int)(planned * options.WarmupShare)) : 0,
            LearningRateDecay.Linear
        );
        var epochs = new Epochs(rows, replay, perEpoch, perUpdate, seed);
        using var loop = new TrainingLoop(
            trained.Parameters,
            new AdamW.Options { WeightDecay = options.WeightDecay },
            options.ClipNorm,
            trained.Reset,
            store
        );
        Check? last = null;

        PassOutcome Pass(int step) => Accumulate(trained, epochs.Update(step), options, step);
        double Rate(int step) => step < planned ? schedule.At(step) : options.LearningRate * options.ContinueShare;
        bool After(CurvePoint point)
        {
            var goOn = true;
            if (IsCheck(point.Step, perEpoch, options))
            {
                last = trained.WithMerged(check);
                loop.Measured(last.Rouge1);
                goOn = last.Rouge1 < options.StopAtRouge;
            }
            observe?.Invoke(loop.Curve[^1]);
            return goOn;
        }
        // A run that was killed after its last check must not go on learning.
        var finished = loop.Step > 0 && loop.Curve[^1].Rouge1 >= options.StopAtRouge;
        var diverged = finished ? null : loop.Run(options.MaxEpochs * perEpoch, Pass, Rate, After, cancelled);
        if (last is null || diverged is not null)
            last = trained.WithMerged(check);
        return (new TrainingRecord([.. loop.Curve], planned, diverged, loop.ResumedAt), last);
    }

    // After each of the planned epochs from the first to be checked; in the continuation after each block.
    private static bool IsCheck(int step, int perEpoch, Options options)
    {
        if (step % perEpoch != 0)
            return false;
        var epoch = step / perEpoch;
        if (epoch <= options.Epochs)
            return epoch >= Math.Min(options.CheckFromEpoch, options.Epochs);
        return (epoch - options.Epochs) % options.BlockEpochs == 0 || epoch == options.MaxEpochs;
    }

    // One token mean over each pass's rows, replayed ones included; passes are averaged, as the reference trainer does.
    private static PassOutcome Accumulate(
        TrainableModel trained,
        IReadOnlyList<TokenRow> rows,
        Options options,
        int step
    )
    {
        trained.Parameters.ZeroGradient();
        var passes = rows.Chunk((rows.Count + options.Accumulation - 1) / options.Accumulation).ToList();
        var total = 0.0;
        for (var pass = 0; pass < passes.Count; pass++)
        {
            using var scope = NewDisposeScope();
            using var batch = RowBatch.Of(passes[pass], trained.Model.Device);
            using var dropout = trained.TrainingPass(string.Create(CultureInfo.InvariantCulture, $"{step}/{pass}"));
            var loss = Loss(trained, batch) / passes.Count;
            trained.Backward(loss);
            total += loss.detach().ToDouble();
        }
        return new PassOutcome(total, rows.Sum(r => (long)r.Ids.Count));
    }

    private static Tensor Loss(TrainableModel trained, RowBatch batch)
    {
        using var scope = NewDisposeScope();
        return LabelLosses.Mean(trained.Nll(batch), batch, LossNormalisation.TokenMean).MoveToOuterDisposeScope();
    }

    // The rows of any update, from its number alone: a resumed run needs no position in a random stream.
    private sealed class Epochs(
        IReadOnlyList<TokenRow> rows,
        Func<int, IReadOnlyList<TokenRow>> replay,
        int perEpoch,
        int perUpdate,
        Seed seed
    )
    {
        private int _epoch = -1;
        private int[] _order = [];
        private IReadOnlyList<TokenRow> _replayed = [];

        public IReadOnlyList<TokenRow> Update(int step)
        {
            if (step / perEpoch != _epoch)
            {
                _epoch = step / perEpoch;
                _order = [.. Enumerable.Range(0, rows.Count)];
                seed.For("order").Stream(string.Create(CultureInfo.InvariantCulture, $"{_epoch}")).Shuffle(_order);
                _replayed = replay(_epoch);
            }
            var within = step % perEpoch;
            var (from, to) = (
                (long)_replayed.Count * within / perEpoch,
                (long)_replayed.Count * (within + 1) / perEpoch
            );
            return
            [
                .. _order.Skip(within * perUpdate).Take(perUpdate).Select(i => rows[i]),
                .. _replayed.Skip((int)from).Take((int)(to - from)),
            ];
        }
    }
}
