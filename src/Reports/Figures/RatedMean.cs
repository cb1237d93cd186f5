namespace EditUnlearn.Reports.Figures;

/// <summary>
/// What people said of a method's answers, as far as left Figure 6 needs it: the rows of <c>rating-means.parquet</c>
/// that belong to it, each with its half.
/// </summary>
public sealed record RatedMean
{
    /// <summary>Of the study.</summary>
    public string Method { get; set; } = "";

    /// <summary><c>before</c> or <c>after</c> self-improvement; empty where there is one run.</summary>
    public string Variant { get; set; } = "";

    /// <summary><c>forgetRate</c> (0 to 1), <c>entailment</c> or <c>trustworthiness</c> (1 to 5).</summary>
    public string Measure { get; set; } = "";

    /// <summary>Whose ratings: <c>all</c> or <c>unflagged</c>.</summary>
    public string Raters { get; set; } = "";

    /// <summary>Null where no rating counts.</summary>
    public double? Mean { get; set; }

    /// <summary>Lower end of the 95 % interval.</summary>
    public double? CiLow { get; set; }

    /// <summary>Upper end.</summary>
    public double? CiHigh { get; set; }

    /// <summary>Ratings that count.</summary>
    public int Counted { get; set; }

    /// <summary>Ratings of the method in all.</summary>
    public int Rated { get; set; }

    /// <summary>Whether other answers than this study's own were rated, as far as that is known.</summary>
    public bool OfAnotherRun { get; set; }
}
