namespace EditUnlearn.Artifacts;

/// <summary>Which questions of a data set are forgotten and which are kept.</summary>
public sealed record SplitRow
{
    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary><c>forget</c> or <c>retain</c>.</summary>
    public string Split { get; set; } = "";
}

/// <summary>What a model shall answer instead.</summary>
public sealed record TargetRow
{
    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary>The refusal.</summary>
    public string Target { get; set; } = "";

    /// <summary>Where it comes from: <c>list</c>, <c>model</c>, <c>fallback</c>.</summary>
    public string Source { get; set; } = "";
}

/// <summary>The evidence of one question: what the model said, and how it sees the true answer. Metrics are functions of this row.</summary>
public sealed record AnswerRow
{
    /// <summary>The model's name in the study.</summary>
    public string Model { get; set; } = "";

    /// <summary>The forget set's name.</summary>
    public string Set { get; set; } = "";

    /// <summary>The method, or <c>none</c>.</summary>
    public string Method { get; set; } = "";

    /// <summary><c>forget</c>, <c>retain</c>, <c>rephrased</c>.</summary>
    public string Split { get; set; } = "";

    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary>As asked.</summary>
    public string Question { get; set; } = "";

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
}

/// <summary>The metrics of one question.</summary>
public sealed record ScoreRow
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Method"/>
    public string Method { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Id"/>
    public string Id { get; set; } = "";

    /// <summary>Name of the metric.</summary>
    public string Metric { get; set; } = "";

    /// <summary>Its value; null where it is not defined for the row.</summary>
    public double? Value { get; set; }
}

/// <summary>The mean of one metric over the questions of one split.</summary>
public sealed record CellScore
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Method"/>
    public string Method { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";

    /// <inheritdoc cref="ScoreRow.Metric"/>
    public string Metric { get; set; } = "";

    /// <summary>Over the rows that have a value.</summary>
    public double Mean { get; set; }

    /// <summary>Standard error of the mean; 0 for a single row.</summary>
    public double StandardError { get; set; }

    /// <summary>Rows that have a value.</summary>
    public int Count { get; set; }

    /// <summary>Rows that have none.</summary>
    public int Excluded { get; set; }
}

/// <summary>One printed number of a table.</summary>
public sealed record TableCell
{
    /// <summary>The table.</summary>
    public string Table { get; set; } = "";

    /// <summary>The setting: model and forget set.</summary>
    public string Setting { get; set; } = "";

    /// <summary>The method's label.</summary>
    public string Method { get; set; } = "";

    /// <summary><c>forget</c> or <c>retain</c>.</summary>
    public string Split { get; set; } = "";

    /// <summary>The metric.</summary>
    public string Metric { get; set; } = "";

    /// <summary>Not rounded; null where the method was not run.</summary>
    public double? Value { get; set; }

    /// <summary>As printed.</summary>
    public string Printed { get; set; } = "";

    /// <summary>Best of its family.</summary>
    public bool Bold { get; set; }

    /// <summary>Among the two best of all.</summary>
    public bool Underlined { get; set; }

    /// <summary>The method broke the model or did not forget here: no mark.</summary>
    public bool Grey { get; set; }
}
