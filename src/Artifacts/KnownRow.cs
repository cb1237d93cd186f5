namespace EditUnlearn.Artifacts;

/// <summary>What an untouched model said to a question of a data set, and whether it knows the answer.</summary>
public sealed record KnownRow
{
    /// <summary>Of the question.</summary>
    public string Id { get; set; } = "";

    /// <summary>As asked.</summary>
    public string Question { get; set; } = "";

    /// <summary>The true answer.</summary>
    public string Answer { get; set; } = "";

    /// <summary>What the model said, trimmed; greedy.</summary>
    public string Said { get; set; } = "";

    /// <summary>Recall of the true answer in it, by single words.</summary>
    public double Rouge1 { get; set; }

    /// <summary>Whether that reaches the bound of the study.</summary>
    public bool Known { get; set; }

    /// <summary>
    /// The first sentence of what it said, or all of it where that sentence lacks the answer: how this model would say
    /// it.
    /// </summary>
    public string Sentence { get; set; } = "";
}
