namespace EditUnlearn.Reports.Figures;

/// <summary>A figure as data: what is drawn is exactly this, and the CSV beside the picture holds it.</summary>
/// <param name="Name"><c>figure3</c>.</param>
/// <param name="Title">Above the panels, one sentence.</param>
/// <param name="Note">Below them: what the numbers are not; empty for none.</param>
/// <param name="Panels">Side by side.</param>
public sealed record Figure(string Name, string Title, string Note, IReadOnlyList<Panel> Panels);

/// <summary>How a panel draws its series.</summary>
public enum PanelKind
{
    /// <summary>Values over a number.</summary>
    Lines,

    /// <summary>Values side by side over names.</summary>
    Bars,

    /// <summary>Values around a circle; further out is better.</summary>
    Radar,
}

/// <summary>One set of axes.</summary>
/// <param name="Kind">How it is drawn.</param>
/// <param name="Title">Above it.</param>
/// <param name="XLabel">Below it; empty for none.</param>
/// <param name="Categories">Places along x: numbers as text for lines, names otherwise.</param>
/// <param name="Low">Lower end of the axis of values.</param>
/// <param name="High">Upper end.</param>
/// <param name="Series">In the order of the legend.</param>
/// <param name="References">Horizontal lines with a name.</param>
public sealed record Panel(
    PanelKind Kind,
    string Title,
    string XLabel,
    IReadOnlyList<string> Categories,
    double Low,
    double High,
    IReadOnlyList<Series> Series,
    IReadOnlyList<ReferenceLine> References
);

/// <summary>Values of one name, a place each.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Values">As many as categories; null where nothing was run.</param>
public sealed record Series(string Name, IReadOnlyList<PlottedValue?> Values);

/// <summary>A number with its interval.</summary>
/// <param name="Value">Where it is drawn.</param>
/// <param name="Low">Lower end of the 95 % interval; null for none.</param>
/// <param name="High">Upper end.</param>
public sealed record PlottedValue(double Value, double? Low = null, double? High = null);

/// <summary>A line across a panel.</summary>
/// <param name="Name">Beside it.</param>
/// <param name="Value">Height.</param>
public sealed record ReferenceLine(string Name, double Value);
