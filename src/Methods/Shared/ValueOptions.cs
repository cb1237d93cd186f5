namespace EditUnlearn.Methods.Shared;

/// <summary>Where a trained offset is added.</summary>
internal enum ValueSite
{
    /// <summary>To the output of the MLP: ROME.</summary>
    MlpOut,

    /// <summary>To the residual stream after the block: MEMIT, AlphaEdit.</summary>
    ResidPost,
}

/// <summary>Whose size bounds the offset.</summary>
internal enum ClampAnchor
{
    /// <summary>
    /// v0 as the weights are now: the reference. Repeated edits of overlapping keys compound by up to 1 + c each
    /// (defect S9).
    /// </summary>
    Current,

    /// <summary>v0 of the unedited model.</summary>
    Unedited,
}

/// <summary>
/// Constants of the value optimisation. Origin, where an option names no other: the reference's files for Llama-2-7B
/// and Mistral-7B.
/// </summary>
internal sealed record ValueOptions
{
    /// <summary>
    /// N: N - 1 updates, each after an evaluation of the loss. The reference evaluates once more, which changes nothing
    /// (defect S8). Unit: steps.
    /// </summary>
    public int Steps { get; init; } = 25;

    /// <summary>Step size of Adam [units of the residual stream].</summary>
    public double LearningRate { get; init; } = 0.5;

    /// <summary>omega, weight of |delta| / |v0|^2.</summary>
    public double WeightDecay { get; init; } = 1e-3;

    /// <summary>c: |delta| is kept at or below c |v0|.</summary>
    public double ClampNormFactor { get; init; } = 4;

    /// <summary>Whose v0 that is. Origin: the reference's code.</summary>
    public ClampAnchor ClampTo { get; init; } = ClampAnchor.Current;

    /// <summary>kappa, weight of the divergence on the essence row; 0 leaves the row out.</summary>
    public double KlFactor { get; init; } = 0.0625;

    /// <summary>The loss below which the optimisation stops [nats]. Origin: fixed in the reference's code.</summary>
    public double StopLoss { get; init; } = 0.05;
}

/// <summary>One evaluation of the loss.</summary>
/// <param name="Total">nll + kl + decay.</param>
/// <param name="Nll">Mean over context rows of the mean negative log-probability of the target [nats].</param>
/// <param name="Kl">Already weighted.</param>
/// <param name="Decay">Already weighted.</param>
internal readonly record struct ValueLoss(double Total, double Nll, double Kl, double Decay);
