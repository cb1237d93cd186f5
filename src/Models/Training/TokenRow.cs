namespace EditUnlearn.Models.Training;

/// <summary>One training sample as token ids: the prompt, then the tokens whose loss counts.</summary>
/// <param name="Ids">BOS, prompt, answer and (unless cut off) EOS.</param>
/// <param name="LabelStart">Index of the first labelled token; everything from there on is a label, everything before
/// is not.</param>
public sealed record TokenRow(IReadOnlyList<int> Ids, int LabelStart)
{
    /// <summary>Number of labels: answer tokens and the final EOS.</summary>
    public int LabelCount => Ids.Count - LabelStart;

    /// <summary>The row without its final token, as some trainers leave EOS out of the attention mask.</summary>
    public int LengthWithoutEnd => Ids.Count - 1;

    /// <summary>Two rows are equal when their tokens and labels are.</summary>
    public bool Equals(TokenRow? other) =>
        other is not null && LabelStart == other.LabelStart && Ids.SequenceEqual(other.Ids);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(LabelStart);
        foreach (var id in Ids)
            hash.Add(id);
        return hash.ToHashCode();
    }
}
