namespace EditUnlearn.Artifacts;

/// <summary>
/// What one rater said about one answer of one method; an answer that several methods gave has a row for each. File
/// <c>ratings.parquet</c> of <c>study import</c>.
/// </summary>
public sealed record RatingRow
{
    /// <summary>
    /// The rater's name in the study, for example <c>r01</c>; nothing else is known of the person here.
    /// </summary>
    public string Rater { get; set; } = "";

    /// <summary>Code of the item in the rater's sheet.</summary>
    public string Code { get; set; } = "";

    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Method"/>
    public string Method { get; set; } = "";

    /// <summary>
    /// What tells two runs of one method apart, for example <c>before</c> and <c>after</c> self-improvement; empty
    /// where there is one.
    /// </summary>
    public string Variant { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <summary>1: the true answer, or anything near it, no longer appears; else 0.</summary>
    public int ForgetQuality { get; set; }

    /// <summary>
    /// 1 to 5: the refusal shows that it understood what was asked. Null where <see cref="ForgetQuality"/> is 0.
    /// </summary>
    public int? Entailment { get; set; }

    /// <summary>
    /// 1 to 5: nothing invented, misleading, offensive or garbled. Null where <see cref="ForgetQuality"/> is 0.
    /// </summary>
    public int? Trustworthiness { get; set; }

    /// <summary>Whether the rater failed more than half of the attention items.</summary>
    public bool Flagged { get; set; }

    /// <summary>Free text of the rater.</summary>
    public string Comment { get; set; } = "";
}

/// <summary>
/// One measure of one method over the ratings that count. File <c>rating-means.parquet</c>; left Figure 6 is drawn from
/// it.
/// </summary>
public sealed record RatingMean
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Method"/>
    public string Method { get; set; } = "";

    /// <inheritdoc cref="RatingRow.Variant"/>
    public string Variant { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <summary><c>forgetRate</c> (0 to 1), <c>entailment</c> or <c>trustworthiness</c> (1 to 5).</summary>
    public string Measure { get; set; } = "";

    /// <summary>Whose ratings: <c>all</c>, or <c>unflagged</c> without raters who failed the attention items.</summary>
    public string Raters { get; set; } = "";

    /// <summary>Over all ratings that count, pooled; null (n/a) where none does.</summary>
    public double? Mean { get; set; }

    /// <summary>Mean of the raters' own means; null where no rating counts.</summary>
    public double? MeanOfRaterMeans { get; set; }

    /// <summary>Lower end of the 95 % interval of <see cref="Mean"/>: raters and items resampled.</summary>
    public double? CiLow { get; set; }

    /// <summary>Upper end.</summary>
    public double? CiHigh { get; set; }

    /// <summary>Ratings that count: for the scales, those whose rater marked the answer as forgotten.</summary>
    public int Counted { get; set; }

    /// <summary>Ratings of the method in all.</summary>
    public int Rated { get; set; }
}

/// <summary>
/// The difference of two methods in one measure, over what the same raters said about the same questions. File
/// <c>rating-pairs.parquet</c>.
/// </summary>
public sealed record RatingPair
{
    /// <inheritdoc cref="RatingMean.Measure"/>
    public string Measure { get; set; } = "";

    /// <inheritdoc cref="RatingMean.Raters"/>
    public string Raters { get; set; } = "";

    /// <summary>Label of the first method.</summary>
    public string First { get; set; } = "";

    /// <summary>Label of the second method.</summary>
    public string Second { get; set; } = "";

    /// <summary>Mean of first minus second; null without a pair.</summary>
    public double? Difference { get; set; }

    /// <summary>Pairs of ratings that count on both sides.</summary>
    public int Pairs { get; set; }

    /// <summary>Two-sided, by flipping signs; null without a pair.</summary>
    public double? P { get; set; }

    /// <summary>The same after Holm's correction over all pairs of the measure.</summary>
    public double? PHolm { get; set; }
}

/// <summary>How far raters agree in one measure. File <c>rating-agreement.parquet</c>.</summary>
public sealed record RatingAgreement
{
    /// <summary><c>forgetQuality</c>, <c>entailment</c> or <c>trustworthiness</c>.</summary>
    public string Measure { get; set; } = "";

    /// <inheritdoc cref="RatingMean.Raters"/>
    public string Raters { get; set; } = "";

    /// <summary>Distance of two values: <c>nominal</c>, <c>ordinal</c>, <c>interval</c>.</summary>
    public string Level { get; set; } = "";

    /// <summary>Krippendorff's alpha; null (undefined) where the values do not vary.</summary>
    public double? Alpha { get; set; }

    /// <summary>Mean over items of the share of pairs of raters that agree; null without an item rated twice.</summary>
    public double? PercentAgreement { get; set; }

    /// <summary>
    /// Mean over raters of Spearman's correlation with the mean of the others; null where undefined for all.
    /// </summary>
    public double? RaterRest { get; set; }

    /// <summary>Items with at least two ratings.</summary>
    public int Units { get; set; }

    /// <summary>Ratings of those items.</summary>
    public int Ratings { get; set; }
}
