namespace EditUnlearn.Pipeline;

/// <summary>Names one cell of a matrix stage: <c>apply[llama2,facts-40,rome]</c>.</summary>
public sealed class CellId : IEquatable<CellId>
{
    /// <summary>Names a cell.</summary>
    /// <param name="stage">The name under <c>stages:</c>.</param>
    /// <param name="axes">Axis names and labels in the order of <c>for:</c>; empty for a stage without a
    /// matrix.</param>
    public CellId(string stage, IReadOnlyList<KeyValuePair<string, string>> axes)
    {
        Stage = stage;
        Axes = axes;
        Text = axes.Count == 0 ? stage : $"{stage}[{string.Join(',', axes.Select(a => a.Value))}]";
    }

    /// <summary>The name under <c>stages:</c>.</summary>
    public string Stage { get; }

    /// <summary>Axis names and labels, in the order of <c>for:</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Axes { get; }

    /// <summary><c>stage[label,label]</c>.</summary>
    public string Text { get; }

    /// <summary>
    /// The cell's folder in the readable view, relative to <c>artifacts/</c>: <c>apply/llama2,facts-40,rome</c>, or
    /// just <c>facts</c>.
    /// </summary>
    public string Folder => Axes.Count == 0 ? Stage : $"{Stage}/{string.Join(',', Axes.Select(a => a.Value))}";

    /// <summary>The label of an axis, or null where the stage has no such axis.</summary>
    public string? Axis(string name) => Axes.FirstOrDefault(a => a.Key == name).Value;

    /// <summary>Whether a text can be a label or the name of a stage: it also becomes the name of a folder.</summary>
    internal static bool IsLabel(string text) =>
        text.Length is > 0 and <= 100
        && text[0] != '.'
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>Whether two names mean the same cell.</summary>
    public static bool operator ==(CellId? a, CellId? b) => a is null ? b is null : a.Equals(b);

    /// <summary>Whether two names mean different cells.</summary>
    public static bool operator !=(CellId? a, CellId? b) => !(a == b);

    /// <inheritdoc/>
    public bool Equals(CellId? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CellId);

    /// <inheritdoc/>
    public override int GetHashCode() => string.GetHashCode(Text, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Text;
}
