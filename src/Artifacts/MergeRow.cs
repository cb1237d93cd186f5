namespace EditUnlearn.Artifacts;

/// <summary>Which questions a merged query is made of.</summary>
public sealed record MergeRow
{
    /// <summary>Of the merged query: the id of its edit request.</summary>
    public string Id { get; set; } = "";

    /// <summary>Id of a question in it.</summary>
    public string Member { get; set; } = "";

    /// <summary>0-based place of the question in the merged text.</summary>
    public int Place { get; set; }
}
