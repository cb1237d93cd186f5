namespace EditUnlearn.HumanStudy;

/// <summary>What is averaged over ratings.</summary>
internal static class Measures
{
    /// <summary>Share of ratings that say the true answer is gone; every rating counts.</summary>
    public const string ForgetRate = "forgetRate";

    /// <summary>Mean of the scale over ratings whose own rater said that the true answer is gone.</summary>
    public const string Entailment = "entailment";

    /// <inheritdoc cref="Entailment"/>
    public const string Trustworthiness = "trustworthiness";

    /// <summary>In the order of reports.</summary>
    public static IReadOnlyList<string> All { get; } = [ForgetRate, Entailment, Trustworthiness];

    /// <summary>The value of a rating; null where it does not count.</summary>
    public static double? Of(string measure, SheetRating rating)
    {
        ArgumentNullException.ThrowIfNull(rating);
        return measure switch
        {
            ForgetRate => rating.ForgetQuality,
            Entailment => rating.ForgetQuality == 1 ? rating.Entailment : null,
            Trustworthiness => rating.ForgetQuality == 1 ? rating.Trustworthiness : null,
            _ => throw new ArgumentException($"There is no measure '{measure}'.", nameof(measure)),
        };
    }
}
