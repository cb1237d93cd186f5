namespace EditUnlearn.Artifacts;

/// <summary>Which questions of a data set are forgotten, which are kept, and which of these methods may see.</summary>
public sealed record SplitRow
{
    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary><c>forget</c>, <c>retain</c> or <c>retain-trained</c>.</summary>
    public string Split { get; set; } = "";
}

/// <summary>What a model shall answer instead.</summary>
public sealed record TargetRow
{
    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary>The refusal.</summary>
    public string Target { get; set; } = "";

    /// <summary>
    /// Where it comes from: <c>list</c>, <c>model</c>, <c>retry-1</c> to <c>retry-3</c> (the model's again),
    /// <c>fallback</c>.
    /// </summary>
    public string Source { get; set; } = "";
}

/// <summary>A refusal of the list that targets are drawn from.</summary>
public sealed record ChoiceRow
{
    /// <summary>The refusal.</summary>
    public string Text { get; set; } = "";
}

/// <summary>
/// The evidence of one question: what the model said, and how it sees the true answer. Metrics are functions of this
/// row.
/// </summary>
public sealed record AnswerRow
{
    /// <summary>The model's name in the study.</summary>
    public string Model { get; set; } = "";

    /// <summary>The forget set's name.</summary>
    public string Set { get; set; } = "";

    /// <summary>The method, or <c>none</c>.</summary>
    public string Method { get; set; } = "";

    /// <summary>
    /// <c>forget</c>, <c>retain</c>, <c>rephrased</c>, <c>heldout</c> (retain in other words), <c>factual</c> (another
    /// data set).
    /// </summary>
    public string Split { get; set; } = "";

    /// <summary>
    /// 0-based place in its split, in the order of the data: profile <c>paper</c> takes the first rows and weighs them
    /// by it.
    /// </summary>
    public int Order { get; set; }

    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary>As asked.</summary>
    public string Question { get; set; } = "";

    /// <summary>What the question is about.</summary>
    public string Subject { get; set; } = "";

    /// <summary>The true answer.</summary>
    public string Answer { get; set; } = "";

    /// <summary>What the model said, trimmed.</summary>
    public string Generated { get; set; } = "";

    /// <summary>Tokens of it.</summary>
    public int NewTokens { get; set; }

    /// <summary><c>stopToken</c> or <c>limit</c>.</summary>
    public string StopReason { get; set; } = "";

    /// <summary>Whether what it said reads like a refusal and does not hold the answer.</summary>
    public bool Refused { get; set; }

    /// <summary>The true answer in context, EOS last.</summary>
    public List<int> TargetIds { get; set; } = [];

    /// <summary>Natural log-probability of each of them.</summary>
    public List<double> LogProbabilities { get; set; } = [];

    /// <summary>Rank of each, 1 being the top.</summary>
    public List<int> Ranks { get; set; } = [];

    /// <summary>
    /// What the model said under the paper's limit (prompt and answer together); null where that limit was not asked
    /// for.
    /// </summary>
    public string? GeneratedLong { get; set; }

    /// <summary>Natural log-probability of each token the model said, the stop token left out.</summary>
    public List<double> GeneratedLogProbabilities { get; set; } = [];

    /// <summary>
    /// Highest probability at each of the first positions of the row, from BOS on, as many as there are
    /// <see cref="TargetIds"/>: what the paper's code averages.
    /// </summary>
    public List<double> PrefixMaxima { get; set; } = [];

    /// <summary>
    /// Rank of each in-context target but EOS at the same step of the model's own answer; 0 where the answer had ended.
    /// </summary>
    public List<int> FreeRanks { get; set; } = [];

    /// <summary>The true answer encoded by itself, as the paper's code does.</summary>
    public List<int> AloneIds { get; set; } = [];

    /// <summary>
    /// Rank of each of <see cref="AloneIds"/> at the same step of the batch of 16 the row is in. Empty for rows that
    /// profile <c>paper</c> leaves out.
    /// </summary>
    public List<int> CompatRanks { get; set; } = [];

    /// <summary>The same after the sampling filter of the family's checkpoints; equal where it has none.</summary>
    public List<int> CompatFilteredRanks { get; set; } = [];

    /// <summary>
    /// Probability per token, EOS included, of each wrong answer; empty where there are none or they were not asked
    /// for.
    /// </summary>
    public List<double> DistractorProbabilities { get; set; } = [];

    /// <summary>
    /// Whether memory ran out and the questions were asked in smaller batches: no number depends on it.
    /// </summary>
    public bool FellBack { get; set; }
}
