using EditUnlearn.Artifacts;
using EditUnlearn.Reports.Figures;
using ScottPlot;

namespace EditUnlearn.Reports;

/// <summary>
/// Draws how a training run went: its losses on the left axis, generated answers' Rouge1 on the right.
/// </summary>
public static class TrainingPlot
{
    private const int Width = 900,
        Height = 500;

    /// <summary>Writes one picture in two forms.</summary>
    /// <param name="pathWithoutEnding">Gets <c>.svg</c> and <c>.png</c>.</param>
    /// <param name="title">What was trained.</param>
    /// <param name="rows">Every update, in order; at least one.</param>
    /// <param name="divergedStep">Marked by a line where not null.</param>
    public static void Write(
        string pathWithoutEnding,
        string title,
        IReadOnlyList<TrainingRow> rows,
        int? divergedStep = null
    )
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Count == 0)
            throw new ArgumentException("There is no update to draw.", nameof(rows));
        using var plot = new Plot();
        plot.Title(title);
        plot.XLabel("update");
        plot.YLabel("loss [nats]");
        Line(plot, "loss", rows, r => r.Loss, Colors.Black);
        Line(plot, "forget", rows, r => r.ForgetLoss, Colors.Red);
        Line(plot, "retain", rows, r => r.RetainLoss, Colors.SteelBlue);
        if (Line(plot, "Rouge1 (right)", rows, r => r.Rouge1, Colors.SeaGreen) is { } rouge)
        {
            rouge.MarkerSize = 7;
            rouge.Axes.YAxis = plot.Axes.Right;
            plot.Axes.Right.Label.Text = "Rouge1";
            plot.Axes.SetLimitsY(0, 1.05, plot.Axes.Right);
        }
        if (divergedStep is { } step)
        {
            var line = plot.Add.VerticalLine(step, color: Colors.Red, pattern: LinePattern.Dashed);
            line.LegendText = "diverged";
        }
        plot.ShowLegend(Alignment.UpperCenter, Orientation.Horizontal);
        // Room for the legend above the highest point.
        plot.Axes.Margins(0.02, 0.02, 0.05, 0.2);
        plot.SavePng(pathWithoutEnding + ".png", Width, Height);
        File.WriteAllText(pathWithoutEnding + ".svg", SvgIds.Renumber(plot.GetSvgXml(Width, Height)));
    }

    // A column with no value anywhere draws nothing.
    private static ScottPlot.Plottables.Scatter? Line(
        Plot plot,
        string name,
        IReadOnlyList<TrainingRow> rows,
        Func<TrainingRow, double?> pick,
        Color color
    )
    {
        var points = rows.Where(r => pick(r) is { } v && double.IsFinite(v)).ToList();
        if (points.Count == 0)
            return null;
        var line = plot.Add.Scatter(
            points.Select(r => (double)r.Step).ToArray(),
            points.Select(r => pick(r)!.Value).ToArray(),
            color
        );
        line.LegendText = name;
        line.LineWidth = 1.5f;
        line.MarkerSize = 0;
        return line;
    }
}
