namespace EditUnlearn.Models.Training;

/// <summary>One update of a training run.</summary>
/// <param name="Step">1-based: updates taken, this one included.</param>
/// <param name="Loss">Before the update.</param>
/// <param name="GradientNorm">L2, before clipping.</param>
/// <param name="Rate">Step size used.</param>
/// <param name="Tokens">Real tokens that went through the model in this update, padding left out.</param>
/// <param name="ForgetLoss">Mean negative log-probability of the labels to be forgotten [nats]; NaN where there are
/// none.</param>
/// <param name="RetainLoss">The term that holds on to the rest [nats]; NaN where there is none.</param>
/// <param name="Rouge1">Of generated answers after the update; NaN where none were generated.</param>
public readonly record struct CurvePoint(
    int Step,
    double Loss,
    double GradientNorm,
    double Rate,
    long Tokens,
    double ForgetLoss = double.NaN,
    double RetainLoss = double.NaN,
    double Rouge1 = double.NaN
);

/// <summary>What one forward and backward pass over the rows of an update left behind, besides the gradient.</summary>
/// <param name="Loss">To be minimised.</param>
/// <param name="Tokens">Real tokens seen.</param>
/// <param name="ForgetLoss">See <see cref="CurvePoint"/>.</param>
/// <param name="RetainLoss">See <see cref="CurvePoint"/>.</param>
public readonly record struct PassOutcome(
    double Loss,
    long Tokens,
    double ForgetLoss = double.NaN,
    double RetainLoss = double.NaN
);

/// <summary>A run left the finite numbers.</summary>
/// <param name="Step">1-based number of the update that could not be taken.</param>
/// <param name="Loss">What the loss was there.</param>
/// <param name="GradientNorm">And its gradient's norm.</param>
public sealed record Divergence(int Step, double Loss, double GradientNorm);

/// <summary>How a training run went.</summary>
/// <param name="Curve">Every update whose result was kept, in order.</param>
/// <param name="PlannedSteps">Updates it was to take.</param>
/// <param name="Diverged">Where it left the finite numbers; null where it did not. The weights are then those before
/// the last update that led there.</param>
/// <param name="ResumedAt">Updates that a stored state spared this process; 0 for none.</param>
public sealed record TrainingRecord(
    IReadOnlyList<CurvePoint> Curve,
    int PlannedSteps,
    Divergence? Diverged,
    int ResumedAt
);
