namespace EditUnlearn.Artifacts;

/// <summary>Names of the sets of questions that a model is asked, as they stand in rows.</summary>
public static class SplitNames
{
    /// <summary>To be forgotten.</summary>
    public const string Forget = "forget";

    /// <summary>To be kept; what tables and claims score. No method has seen these rows where some were set
    /// apart.</summary>
    public const string Retain = "retain";

    /// <summary>To be kept, and open to methods; none where nothing is set apart from methods.</summary>
    public const string RetainTrained = "retain-trained";

    /// <summary>All that is to be kept, whether methods may train on it or not: the paper's reading. Derived from the
    /// other two; no row carries it.</summary>
    public const string RetainAll = "retain-all";

    /// <summary>The forget set in other words.</summary>
    public const string Rephrased = "rephrased";

    /// <summary>The retain set in other words.</summary>
    public const string HeldOut = "heldout";

    /// <summary>Another data set.</summary>
    public const string Factual = "factual";

    /// <summary>Forget and retain set together, for what is made of both.</summary>
    public const string Both = "both";

    /// <summary>Whether the study wants the answers of a split gone.</summary>
    public static bool IsToBeForgotten(string split) => split is Forget or Rephrased;
}

/// <summary>Names of the columns that tables print; a profile says which metric stands behind each.</summary>
public static class ColumnNames
{
    /// <summary>Share of the true answer's words that were said.</summary>
    public const string Rouge1 = "rouge1";

    /// <summary>Probability.</summary>
    public const string Probability = "prob";

    /// <summary>Mean reciprocal rank.</summary>
    public const string ReciprocalRank = "mrr";

    /// <summary>Hit-Rate.</summary>
    public const string HitRate = "hit";

    /// <summary>Share of refusals.</summary>
    public const string Refusals = "refusal";
}

/// <summary>Names of the metrics that other rooms ask for; every other metric is named in its own file alone.</summary>
public static class MetricNames
{
    /// <summary>Recall.</summary>
    public const string Rouge1 = "rouge1";

    /// <summary>F1.</summary>
    public const string Rouge1F1 = "rouge1.f1";

    /// <summary>Refusals.</summary>
    public const string Refusal = "refusal";

    /// <summary>Tokens of an answer.</summary>
    public const string Length = "length";

    /// <summary>1 - Rouge1 on the forget set + Rouge1 on the retain set: 2 is ideal; of a run, not of a row.</summary>
    public const string Score = "score";
}

/// <summary>Names of the profiles of metrics.</summary>
public static class ProfileNames
{
    /// <summary>What the names of the metrics say.</summary>
    public const string Strict = "strict";

    /// <summary>What the paper's code computes.</summary>
    public const string Paper = "paper";
}

/// <summary>What stands in rows in place of a method.</summary>
public static class MethodNames
{
    /// <summary>Nothing was done to the model.</summary>
    public const string Untouched = "none";

    /// <summary>A model that never learned what others have to forget.</summary>
    public const string Oracle = "oracle";
}
