namespace EditUnlearn.Artifacts;

/// <summary>
/// One question, as the model that has to forget answers it and as the oracle does, which never knew.
/// </summary>
public sealed record ForgetQualityRow
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <summary>The method, <c>none</c>, or <c>oracle</c> for another oracle.</summary>
    public string Method { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Id"/>
    public string Id { get; set; } = "";

    /// <summary>What the model said.</summary>
    public string Said { get; set; } = "";

    /// <summary>What the oracle said.</summary>
    public string OracleSaid { get; set; } = "";

    /// <summary>What kind of answer the model's is: <c>right</c>, <c>refused</c>, <c>wrong</c>.</summary>
    public string Kind { get; set; } = "";

    /// <summary>The same of the oracle's.</summary>
    public string OracleKind { get; set; } = "";

    /// <summary>Whether both said the same, letter by letter.</summary>
    public bool Same { get; set; }

    /// <summary>Rouge1 F1 of the two answers.</summary>
    public double F1 { get; set; }

    /// <summary>Share of the true answer's words in what the model said.</summary>
    public double Rouge1 { get; set; }

    /// <summary>The same of the oracle.</summary>
    public double OracleRouge1 { get; set; }

    /// <summary>
    /// KL(oracle || model) of the next token, mean over the true answer [nats]; null where a probability is no number.
    /// </summary>
    public double? KlTruth { get; set; }

    /// <summary>Jensen-Shannon there [bits].</summary>
    public double? JsTruth { get; set; }

    /// <summary>KL(oracle || model), mean over what the oracle says [nats].</summary>
    public double? KlOracle { get; set; }

    /// <summary>Jensen-Shannon there [bits].</summary>
    public double? JsOracle { get; set; }

    /// <summary>Natural log-probability of the true answer, per token; null where it is no number.</summary>
    public double? LogProbability { get; set; }

    /// <summary>The same under the oracle.</summary>
    public double? OracleLogProbability { get; set; }

    /// <summary>
    /// Mean probability of the wrong answers over that of the true one, each per token; null without wrong answers.
    /// </summary>
    public double? TruthRatio { get; set; }

    /// <summary>The same under the oracle.</summary>
    public double? OracleTruthRatio { get; set; }
}

/// <summary>One model against the oracle, over the questions of one split.</summary>
public sealed record ForgetQualityMean
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <inheritdoc cref="ForgetQualityRow.Method"/>
    public string Method { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <summary>Questions.</summary>
    public int Count { get; set; }

    /// <summary>Share of questions where both say the same, letter by letter.</summary>
    public double Same { get; set; }

    /// <summary>Standard error of it.</summary>
    public double SameError { get; set; }

    /// <summary>Mean Rouge1 F1 of the two answers.</summary>
    public double F1 { get; set; }

    /// <summary>Share of questions that both refuse.</summary>
    public double BothRefuse { get; set; }

    /// <summary>Share that both answer right.</summary>
    public double BothRight { get; set; }

    /// <summary>Share that both answer wrong, be it alike or not.</summary>
    public double BothWrong { get; set; }

    /// <summary>Share that the oracle refuses.</summary>
    public double OracleRefuses { get; set; }

    /// <summary>Mean Rouge1 of the model.</summary>
    public double Rouge1 { get; set; }

    /// <summary>Mean Rouge1 of the oracle.</summary>
    public double OracleRouge1 { get; set; }

    /// <inheritdoc cref="ForgetQualityRow.KlTruth"/>
    public double? KlTruth { get; set; }

    /// <summary>Standard error of it, over questions.</summary>
    public double KlTruthError { get; set; }

    /// <inheritdoc cref="ForgetQualityRow.JsTruth"/>
    public double? JsTruth { get; set; }

    /// <inheritdoc cref="ForgetQualityRow.KlOracle"/>
    public double? KlOracle { get; set; }

    /// <inheritdoc cref="ForgetQualityRow.JsOracle"/>
    public double? JsOracle { get; set; }

    /// <summary>Questions whose probabilities are numbers: those behind divergences and tests.</summary>
    public int Finite { get; set; }

    /// <summary>Kolmogorov-Smirnov distance of the probabilities of the true answer; null without one.</summary>
    public double? ProbabilityD { get; set; }

    /// <summary>Its exact two-sided p-value.</summary>
    public double? ProbabilityP { get; set; }

    /// <summary>Questions with wrong answers beside the true one.</summary>
    public int TruthRatios { get; set; }

    /// <summary>Kolmogorov-Smirnov distance of the truth ratios; null without one.</summary>
    public double? TruthRatioD { get; set; }

    /// <summary>Its exact two-sided p-value: TOFU's forget quality.</summary>
    public double? TruthRatioP { get; set; }
}
