namespace EditUnlearn.Models.Training;

/// <summary>The learning rate of each step: linear warm-up from 0, then linear, cosine or no decay.</summary>
/// <param name="Peak">The rate after warm-up.</param>
/// <param name="TotalSteps">T; the rate ends at step T.</param>
/// <param name="WarmupSteps">W; 0 for none.</param>
/// <param name="Decay">What happens after warm-up.</param>
/// <param name="Floor">Share of <paramref name="Peak"/> at which a cosine ends.</param>
public sealed record LearningRateSchedule(
    double Peak,
    int TotalSteps,
    int WarmupSteps,
    LearningRateDecay Decay,
    double Floor = 0
)
{
    /// <summary>The schedule of the reference trainers: warm-up over a tenth of the steps, then linear to 0.</summary>
    public static LearningRateSchedule Linear(double peak, int totalSteps) =>
        new(peak, totalSteps, Math.Max(1, totalSteps / 10), LearningRateDecay.Linear);

    /// <summary>The same rate at every step.</summary>
    public static LearningRateSchedule Constant(double rate, int totalSteps) =>
        new(rate, totalSteps, 0, LearningRateDecay.None);

    /// <summary>
    /// Number of steps when every sample is seen <paramref name="epochs"/> times: T = floor(E N / (B A)).
    /// </summary>
    /// <param name="samples">N.</param>
    /// <param name="batchSize">B, samples of one forward pass.</param>
    /// <param name="accumulation">A, forward passes of one update.</param>
    /// <param name="epochs">E.</param>
    /// <exception cref="ArgumentException">Not one whole step fits.</exception>
    public static int StepsFor(int samples, int batchSize, int accumulation, int epochs)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(accumulation);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(epochs);
        var steps = (long)epochs * samples / ((long)batchSize * accumulation);
        if (steps == 0)
            throw new ArgumentException(
                $"{epochs} epoch(s) of {samples} sample(s) do not fill one step of {batchSize} x {accumulation}; "
                    + "lower the batch size or raise the epochs."
            );
        return checked((int)steps);
    }

    /// <summary>
    /// The rate of update <paramref name="step"/>, counted from 0. With warm-up the very first update has rate 0.
    /// </summary>
    public double At(int step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < WarmupSteps)
            return Peak * step / WarmupSteps;
        var decaySteps = Math.Max(1, TotalSteps - WarmupSteps);
        return Decay switch
        {
            LearningRateDecay.None => Peak,
            LearningRateDecay.Linear => Peak * Math.Max(0, TotalSteps - step) / decaySteps,
            LearningRateDecay.Cosine => Peak
                * (
                    Floor
                    + (1 - Floor)
                        * 0.5
                        * (1 + Math.Cos(Math.PI * Math.Min(1.0, (double)(step - WarmupSteps) / decaySteps)))
                ),
            _ => throw new InvalidOperationException($"Unknown decay {Decay}."),
        };
    }
}

/// <summary>How a learning rate falls after warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>Linear to 0.</summary>
    Linear,

    /// <summary>Half a cosine down to the floor (Loshchilov and Hutter 2017, without restarts).</summary>
    Cosine,

    /// <summary>It stays at its peak.</summary>
    None,
}
