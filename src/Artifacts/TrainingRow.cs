namespace EditUnlearn.Artifacts;

/// <summary>
/// One update of a training run, for curves. Time is not in it: a table of a result must not differ between two runs of
/// the same key.
/// </summary>
public sealed record TrainingRow
{
    /// <summary>1-based.</summary>
    public int Step { get; set; }

    /// <summary>Before the update.</summary>
    public double Loss { get; set; }

    /// <summary>L2, before clipping.</summary>
    public double GradientNorm { get; set; }

    /// <summary>Step size used.</summary>
    public double LearningRate { get; set; }

    /// <summary>Real tokens of all updates so far.</summary>
    public long Tokens { get; set; }

    /// <summary>Of the labels to be forgotten [nats per label]; null where there are none.</summary>
    public double? ForgetLoss { get; set; }

    /// <summary>Of what holds on to the rest [nats]; null where nothing does.</summary>
    public double? RetainLoss { get; set; }

    /// <summary>Of generated answers after the update; null where none were generated.</summary>
    public double? Rouge1 { get; set; }
}

/// <summary>How a training run ended.</summary>
public sealed record TrainingSummaryRow
{
    /// <summary>Updates it was to take; an early stop takes fewer, a continuation more.</summary>
    public int PlannedSteps { get; set; }

    /// <summary>Updates whose result was kept.</summary>
    public int Steps { get; set; }

    /// <summary>Whether it left the finite numbers: a result, to be shown as such.</summary>
    public bool Diverged { get; set; }

    /// <summary>The update that could not be taken; null where it did not diverge.</summary>
    public int? DivergedStep { get; set; }

    /// <summary>Loss of the last update; null where none was taken.</summary>
    public double? LastLoss { get; set; }
}
