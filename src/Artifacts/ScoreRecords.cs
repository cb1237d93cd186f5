namespace EditUnlearn.Artifacts;

/// <summary>
/// What a score is about: one run of one method on one model. Model, set and method name the run; data, size, target
/// and merge describe its set.
/// </summary>
public abstract record ScoredRun
{
    /// <inheritdoc cref="AnswerRow.Model"/>
    public string Model { get; set; } = "";

    /// <inheritdoc cref="AnswerRow.Set"/>
    public string Set { get; set; } = "";

    /// <summary>Name of the data the forget set was taken from: <c>facts</c>, <c>contracts</c>.</summary>
    public string Data { get; set; } = "";

    /// <summary>Questions to be forgotten.</summary>
    public int Size { get; set; }

    /// <inheritdoc cref="AnswerRow.Method"/>
    public string Method { get; set; } = "";

    /// <summary>
    /// What was to be answered instead: <c>plain</c> (a refusal from a list), <c>self-improved</c> (the model's own);
    /// empty for the untouched model.
    /// </summary>
    public string Target { get; set; } = "";

    /// <summary>Questions merged into one before the edit; 1 for none.</summary>
    public int Merge { get; set; } = 1;

    /// <inheritdoc cref="AnswerRow.Split"/>
    public string Split { get; set; } = "";
}

/// <summary>One metric of one question.</summary>
public sealed record ScoreRow : ScoredRun
{
    /// <summary>Seed of the model and of the method; runs that differ in nothing else repeat one another.</summary>
    public ulong Seed { get; set; }

    /// <inheritdoc cref="AnswerRow.Order"/>
    public int Order { get; set; }

    /// <inheritdoc cref="AnswerRow.Id"/>
    public string Id { get; set; } = "";

    /// <summary>Name of the metric.</summary>
    public string Metric { get; set; } = "";

    /// <summary>Its value; null where it is not defined for the row.</summary>
    public double? Value { get; set; }
}

/// <summary>One metric over the questions of one split.</summary>
public sealed record CellScore : ScoredRun
{
    /// <inheritdoc cref="ScoreRow.Seed"/>
    public ulong Seed { get; set; }

    /// <inheritdoc cref="ScoreRow.Metric"/>
    public string Metric { get; set; } = "";

    /// <summary>
    /// How rows become one number: <c>strict</c> (all rows alike) or <c>paper</c> (the first 200, MRR and Hit-Rate
    /// weighed by batch).
    /// </summary>
    public string Profile { get; set; } = "";

    /// <summary>Over the rows that have a value; null where none has.</summary>
    public double? Mean { get; set; }

    /// <summary>Standard error of the mean; 0 for a single row.</summary>
    public double StandardError { get; set; }

    /// <summary>Lower end of the 95 % interval (bootstrap over rows, percentiles).</summary>
    public double? CiLow { get; set; }

    /// <summary>Upper end.</summary>
    public double? CiHigh { get; set; }

    /// <summary>Rows that have a value.</summary>
    public int Count { get; set; }

    /// <summary>Rows that have none.</summary>
    public int Excluded { get; set; }

    /// <summary>Runs with different seeds whose mean this is; 1 for the score of a run.</summary>
    public int Seeds { get; set; } = 1;

    /// <summary>Standard deviation over the seeds (n - 1); null for a single one.</summary>
    public double? Sigma { get; set; }

    /// <summary>
    /// Whether the method's training left the finite numbers; the scores are those of the last finite state.
    /// </summary>
    public bool Diverged { get; set; }

    /// <inheritdoc cref="AnswerRow.FellBack"/>
    public bool FellBack { get; set; }
}

/// <summary>How a training run ended, as far as a score needs to know; a column of the run's own summary.</summary>
public sealed record TrainingEnd
{
    /// <summary>Whether it left the finite numbers.</summary>
    public bool Diverged { get; set; }
}

/// <summary>One printed number of a table.</summary>
public sealed record TableCell : ScoredRun
{
    /// <summary><c>table1[WISE,llama2,facts-40,forget.rouge1]</c>: how a person names the cell.</summary>
    public string Name { get; set; } = "";

    /// <summary><c>table1</c>.</summary>
    public string Table { get; set; } = "";

    /// <summary>The profile of the metrics: <c>strict</c> or <c>paper</c>.</summary>
    public string Profile { get; set; } = "";

    /// <summary>The column: <c>rouge1</c>, <c>prob</c>, <c>mrr</c>, <c>hit</c>, <c>refusal</c>.</summary>
    public string Metric { get; set; } = "";

    /// <summary>The metric behind the column, for example <c>gt.norm</c>.</summary>
    public string Variant { get; set; } = "";

    /// <summary>Not rounded; null where the method was not run.</summary>
    public double? Value { get; set; }

    /// <inheritdoc cref="CellScore.StandardError"/>
    public double StandardError { get; set; }

    /// <inheritdoc cref="CellScore.CiLow"/>
    public double? CiLow { get; set; }

    /// <inheritdoc cref="CellScore.CiHigh"/>
    public double? CiHigh { get; set; }

    /// <inheritdoc cref="CellScore.Count"/>
    public int Count { get; set; }

    /// <inheritdoc cref="CellScore.Excluded"/>
    public int Excluded { get; set; }

    /// <inheritdoc cref="CellScore.Seeds"/>
    public int Seeds { get; set; } = 1;

    /// <inheritdoc cref="CellScore.Sigma"/>
    public double? Sigma { get; set; }

    /// <summary>As printed; a dash where there is no value.</summary>
    public string Printed { get; set; } = "";

    /// <summary>The rise over another split that is printed beside it; empty for none.</summary>
    public string Rise { get; set; } = "";

    /// <summary>Best of its family.</summary>
    public bool Bold { get; set; }

    /// <summary>Among the two best of all.</summary>
    public bool Underlined { get; set; }

    /// <summary>The method broke the model or did not forget here: no mark.</summary>
    public bool Grey { get; set; }

    /// <inheritdoc cref="CellScore.Diverged"/>
    public bool Diverged { get; set; }

    /// <inheritdoc cref="AnswerRow.FellBack"/>
    public bool FellBack { get; set; }
}
