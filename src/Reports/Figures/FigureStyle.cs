using ScottPlot;

namespace EditUnlearn.Reports.Figures;

/// <summary>
/// One look for all figures: colours that stay apart for the colour-blind (Okabe and Ito 2008), and a marker and dash
/// of its own for each method, so that nothing hangs on colour alone.
/// </summary>
internal static class FigureStyle
{
    public const float LineWidth = 2,
        TextSize = 13,
        TitleSize = 14,
        NoteSize = 11;

    public static Color Ink { get; } = Color.FromHex("#333333");

    public static Color Faint { get; } = Color.FromHex("#DDDDDD");

    private static readonly Dictionary<string, (string Colour, MarkerShape Marker, LinePattern Dash)> Looks = new(
        StringComparer.Ordinal
    )
    {
        ["GA"] = ("#999999", MarkerShape.OpenCircle, LinePattern.Dotted),
        ["GD"] = ("#E69F00", MarkerShape.FilledSquare, LinePattern.Dashed),
        ["KL"] = ("#666666", MarkerShape.OpenSquare, LinePattern.Dotted),
        ["DPO"] = ("#56B4E9", MarkerShape.FilledDiamond, LinePattern.Dotted),
        ["IDK"] = ("#999933", MarkerShape.OpenDiamond, LinePattern.Dotted),
        ["ROME"] = ("#0072B2", MarkerShape.FilledTriangleUp, LinePattern.Solid),
        ["MEMIT"] = ("#CC79A7", MarkerShape.FilledTriangleDown, LinePattern.Dashed),
        ["GRACE"] = ("#882255", MarkerShape.OpenTriangleUp, LinePattern.Dashed),
        ["WISE"] = ("#009E73", MarkerShape.FilledTriangleUp, LinePattern.DenselyDashed),
        ["AlphaEdit"] = ("#D55E00", MarkerShape.FilledCircle, LinePattern.Solid),
        ["unlearning"] = ("#56B4E9", MarkerShape.FilledSquare, LinePattern.Solid),
        ["editing"] = ("#D55E00", MarkerShape.FilledSquare, LinePattern.Solid),
        ["plain refusals"] = ("#BBBBBB", MarkerShape.FilledSquare, LinePattern.Solid),
        ["self-improved refusals"] = ("#0072B2", MarkerShape.FilledSquare, LinePattern.Solid),
    };

    private static readonly string[] Further = ["#332288", "#117733", "#AA4499", "#44AA99"];

    /// <summary>The look of a series; a method of one's own gets one that depends on its name alone.</summary>
    public static (Color Colour, MarkerShape Marker, LinePattern Dash) Of(string series)
    {
        if (Looks.TryGetValue(series, out var look))
            return (Color.FromHex(look.Colour), look.Marker, look.Dash);
        return (Color.FromHex(Further[series.Sum(c => c) % Further.Length]), MarkerShape.Cross, LinePattern.Dashed);
    }
}
