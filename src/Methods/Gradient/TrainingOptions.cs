using EditUnlearn.Models.Training;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// Options that all gradient methods share. Each says its meaning, its unit where it has one, and where its default
/// comes from; the default itself stands beside it.
/// </summary>
public abstract record TrainingOptions
{
    /// <summary>Step size of AdamW. Origin: the study, appendix B.4.</summary>
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>Visits of each forget row. Origin: PISTOL's configuration.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>
    /// Updates to take instead of a number of epochs, so that steps do not grow with the forget set; null for epochs.
    /// Origin: ours.
    /// </summary>
    public int? Steps { get; init; }

    /// <summary>B, forget rows of one forward pass. Origin: PISTOL's configuration.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>A, forward passes of one update. Origin: PISTOL's configuration.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>How the losses of one update's passes are joined. Origin: the public trainers.</summary>
    public AccumulationMode AccumulationMode { get; init; } = AccumulationMode.MeanOfMicroBatches;

    /// <summary>How labels are averaged in every loss that is a mean. Origin: the public trainers.</summary>
    public virtual LossNormalisation Normalisation { get; init; } = LossNormalisation.TokenMean;

    /// <summary>Decoupled weight decay of AdamW [1 / step size]. Origin: PISTOL's configuration.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Whether norm gains decay too. Origin: the public trainers.</summary>
    public bool DecayNormGains { get; init; }

    /// <summary>
    /// Bound of the gradient's global L2 norm; null for none. Origin: default of the public trainers.
    /// </summary>
    public double? ClipNorm { get; init; } = 1.0;

    /// <summary>What the learning rate does after warm-up. Origin: default of the public trainers.</summary>
    public LearningRateDecay Schedule { get; init; } = LearningRateDecay.Linear;

    /// <summary>Share of the steps that warm up, at least one step unless 0. Origin: PISTOL's code.</summary>
    public double WarmupShare { get; init; } = 0.1;

    /// <summary>Which weights move. Origin: PISTOL's configuration.</summary>
    public virtual Trainable Trainable { get; init; } = Trainable.Lora;

    /// <summary>
    /// Blocks that move under <c>layers</c>, or whose memories do under <c>memories</c>, 0-based. Origin: ours.
    /// </summary>
    public virtual IReadOnlyList<int> Layers { get; init; } = [];

    /// <summary>The adapter under <see cref="Trainable.Lora"/>. Origin: PISTOL's configuration.</summary>
    public virtual LoraAdapter.Options Lora { get; init; } = new();

    /// <summary>
    /// Whether each block is recomputed in the backward pass instead of keeping its activations: less memory, about a
    /// third more time. Origin: ours.
    /// </summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>
    /// Epochs of warm-up instead of a share of the steps; null for the share. Origin: ours, for trainers that count so.
    /// </summary>
    public double? WarmupEpochs { get; init; }

    /// <summary>
    /// Largest cache of what the reference model says [MiB]; above it the model is asked anew in every step. Origin:
    /// ours.
    /// </summary>
    public double ReferenceCacheMegabytes { get; init; } = 1024;

    /// <summary>
    /// Forget loss per label [nats] above which the run stops; null to run to the end. ln V is a uniform guess. Origin:
    /// ours.
    /// </summary>
    public virtual double? MaxForgetLoss { get; init; }

    /// <summary>Whether the loss compares states of two models, position by position: that takes memory.</summary>
    public virtual bool ComparesStates => false;

    /// <summary>What moves, as the trainer takes it.</summary>
    public TrainableModel.Options Moving() =>
        new()
        {
            Trainable = Trainable,
            Layers = Layers,
            Lora = Lora,
            DecayNormGains = DecayNormGains,
            GradientCheckpointing = GradientCheckpointing,
        };

    /// <summary>T and its schedule for a forget set of that size.</summary>
    internal LearningRateSchedule ScheduleFor(int forgetRows)
    {
        var steps = Steps ?? LearningRateSchedule.StepsFor(forgetRows, BatchSize, Accumulation, Epochs);
        var warmup = WarmupEpochs is { } epochs
            ? (int)Math.Floor(epochs * forgetRows / (BatchSize * Accumulation))
            : (int)(steps * WarmupShare);
        var warmsUp = WarmupEpochs is > 0 || (WarmupEpochs is null && WarmupShare > 0);
        return new LearningRateSchedule(LearningRate, steps, warmsUp ? Math.Max(1, warmup) : 0, Schedule);
    }
}

/// <summary>How the losses of one update's forward passes are joined.</summary>
public enum AccumulationMode
{
    /// <summary>
    /// The mean of their means, so labels of short passes weigh more: what the reference trainers do.
    /// </summary>
    MeanOfMicroBatches,

    /// <summary>As if the update had been one pass.</summary>
    Exact,
}
