using EditUnlearn.Models.Training;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// What all gradient methods share. Defaults are those of the study's appendix B.4 and of the PISTOL trainer it builds
/// on.
/// </summary>
public abstract record TrainingOptions
{
    /// <summary>Step size of AdamW; appendix B.4.</summary>
    public double LearningRate { get; init; } = 2e-5;

    /// <summary>Visits of each forget row; PISTOL configuration.</summary>
    public int Epochs { get; init; } = 20;

    /// <summary>
    /// Updates to take instead of a number of epochs, so that steps do not grow with the forget set; null for epochs.
    /// </summary>
    public int? Steps { get; init; }

    /// <summary>B, forget rows of one forward pass; PISTOL configuration.</summary>
    public int BatchSize { get; init; } = 4;

    /// <summary>A, forward passes of one update; PISTOL configuration.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>How the losses of one update's passes are joined.</summary>
    public AccumulationMode AccumulationMode { get; init; } = AccumulationMode.MeanOfMicroBatches;

    /// <summary>How labels are averaged in every loss that is a mean.</summary>
    public LossNormalisation Normalisation { get; init; } = LossNormalisation.TokenMean;

    /// <summary>Decoupled weight decay of AdamW; PISTOL configuration.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>Also decay norm gains; the reference trainers do not.</summary>
    public bool DecayNormGains { get; init; }

    /// <summary>Bound of the gradient's global L2 norm, or null; trainer default.</summary>
    public double? ClipNorm { get; init; } = 1.0;

    /// <summary>What the learning rate does after warm-up; trainer default.</summary>
    public LearningRateDecay Schedule { get; init; } = LearningRateDecay.Linear;

    /// <summary>Share of the steps that warm up, at least one step unless 0; PISTOL code.</summary>
    public double WarmupShare { get; init; } = 0.1;

    /// <summary>Which weights move.</summary>
    public Trainable Trainable { get; init; } = Trainable.Lora;

    /// <summary>Blocks that move under <see cref="Trainable.Layers"/>, 0-based.</summary>
    public IReadOnlyList<int> Layers { get; init; } = [];

    /// <summary>The adapter under <see cref="Trainable.Lora"/>.</summary>
    public LoraAdapter.Options Lora { get; init; } = new();

    /// <summary>
    /// Recompute each block in the backward pass instead of keeping its activations: less memory, about a third more
    /// time.
    /// </summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>
    /// Epochs of warm-up instead of a share of the steps; TOFU and OpenUnlearning use 1. Null for the share.
    /// </summary>
    public double? WarmupEpochs { get; init; }

    /// <summary>
    /// Largest cache of what the reference model says [MiB]; above it the model is asked anew in every step.
    /// </summary>
    public double ReferenceCacheMegabytes { get; init; } = 1024;

    /// <summary>
    /// Stop once the forget loss per label [nats] exceeds this; null to run to the end. ln V is a uniform guess.
    /// </summary>
    public double? MaxForgetLoss { get; init; }

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
