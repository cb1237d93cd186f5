using ScottPlot;
using ScottPlot.TickGenerators;
using SkiaSharp;

namespace EditUnlearn.Reports.Figures;

/// <summary>Puts one panel's data on a plot.</summary>
internal static class PanelPlot
{
    private const int ManyCategories = 10;

    private const float MarkerSize = 9;

    /// <summary>Fills an empty plot.</summary>
    public static void Fill(Plot plot, Panel panel)
    {
        plot.FigureBackground.Color = Colors.White;
        plot.Axes.Color(FigureStyle.Ink);
        if (panel.Title.Length > 0)
        {
            plot.Title(panel.Title, FigureStyle.TextSize);
            plot.Axes.Title.Label.Bold = false;
        }
        if (panel.XLabel.Length > 0)
        {
            plot.XLabel(panel.XLabel, FigureStyle.TextSize);
            plot.Axes.Bottom.Label.Bold = false;
        }
        if (panel.Kind == PanelKind.Radar)
            Radar(plot, panel);
        else
            Cartesian(plot, panel);
        if (panel.Series.All(s => s.Values.All(v => v is null)))
        {
            var (x, y) =
                panel.Kind == PanelKind.Radar
                    ? (0, 0)
                    : ((panel.Categories.Count - 1) / 2.0, (panel.Low + panel.High) / 2);
            Text(plot, "not run", x, y, 18, Alignment.MiddleCenter);
        }
    }

    private static void Cartesian(Plot plot, Panel panel)
    {
        plot.Axes.Top.IsVisible = plot.Axes.Right.IsVisible = false;
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Grid.MajorLineColor = FigureStyle.Faint;
        var positions =
            panel.Kind == PanelKind.Lines
                ? LinePlaces(panel)
                : [.. Enumerable.Range(0, panel.Categories.Count).Select(i => (double)i)];
        plot.Axes.Bottom.TickGenerator = new NumericManual(positions, [.. panel.Categories]);
        plot.Axes.Bottom.MajorTickStyle.Length = panel.Kind == PanelKind.Lines ? 4 : 0;
        var step = (panel.High - panel.Low) switch
        {
            <= 1 => 0.2,
            <= 2 => 0.4,
            _ => 1,
        };
        double[] ticks =
        [
            .. Enumerable
                .Range(0, 1 + (int)Math.Round((panel.High - panel.Low) / step))
                .Select(i => panel.Low + i * step),
        ];
        plot.Axes.Left.TickGenerator = new NumericManual(ticks, [.. ticks.Select(FigureRenderer.Tick)]);
        plot.Axes.Bottom.TickLabelStyle.FontSize = panel.Categories.Count > 8 ? 9 : 12;
        if (panel.Categories.Count > ManyCategories)
        {
            // Side by side the names would run into each other.
            plot.Axes.Bottom.TickLabelStyle.Rotation = 45;
            plot.Axes.Bottom.TickLabelStyle.Alignment = Alignment.MiddleLeft;
            plot.Axes.Bottom.TickLabelStyle.OffsetY = 6;
            plot.Axes.Bottom.MinimumSize = 56;
        }
        plot.Axes.Left.TickLabelStyle.FontSize = 12;
        var headroom = (panel.High - panel.Low) * 0.06;
        if (panel.Kind == PanelKind.Lines)
            Lines(plot, panel, positions);
        else
            Bars(plot, panel);
        References(plot, panel, positions);
        if (panel.Kind == PanelKind.Bars)
            Numbers(plot, panel);
        plot.Axes.SetLimits(
            positions[0] - Pad(positions),
            positions[^1] + Pad(positions) + RoomForNames(panel, positions),
            panel.Low,
            panel.High + headroom
        );
    }

    // To the right of the last place, where no line of a series runs through them.
    private static double RoomForNames(Panel panel, double[] positions) =>
        panel is { Kind: PanelKind.Lines, References.Count: > 0 }
            ? 0.22 * (positions[^1] - positions[0] + 2 * Pad(positions))
            : 0;

    // A panel without a value has no lines either.
    private static void References(Plot plot, Panel panel, double[] positions)
    {
        if (panel.Series.All(s => s.Values.All(v => v is null)))
            return;
        var below = double.NegativeInfinity;
        foreach (var line in panel.References.OrderBy(r => r.Value))
        {
            var rule = plot.Add.HorizontalLine(line.Value, 1.2f, FigureStyle.Ink, LinePattern.Dotted);
            rule.EnableAutoscale = false;
            // Bars leave no room for a name: the figure's note has it.
            if (panel.Kind == PanelKind.Bars)
                continue;
            // Names of neighbouring lines must not touch each other.
            below = Math.Max(line.Value, below + (panel.High - panel.Low) * 0.11);
            var name = Text(
                plot,
                line.Name.Replace(", ", ",\n", StringComparison.Ordinal),
                positions[^1] + Pad(positions) + RoomForNames(panel, positions),
                below,
                10,
                Alignment.MiddleRight
            );
            name.LabelBackgroundColor = Colors.White;
        }
    }

    // Numbers stand where they belong on the axis.
    private static double[] LinePlaces(Panel panel) =>
        [.. panel.Categories.Select(c => double.Parse(c, System.Globalization.CultureInfo.InvariantCulture))];

    private static double Pad(double[] positions) =>
        positions.Length > 1 ? Math.Max(0.6, (positions[^1] - positions[0]) * 0.07) : 0.6;

    private static void Lines(Plot plot, Panel panel, double[] positions)
    {
        foreach (var series in panel.Series)
        {
            var (colour, marker, dash) = FigureStyle.Of(series.Name);
            var points = positions
                .Zip(series.Values)
                .Where(p => p.Second is not null)
                .Select(p => (X: p.First, Y: p.Second!))
                .ToList();
            if (points.Count == 0)
                continue;
            foreach (var (x, y) in points.Where(p => p.Y is { Low: not null, High: not null }))
                Whisker(plot, x, y, colour.WithAlpha(0.45));
            var line = plot.Add.Scatter(
                points.Select(p => p.X).ToArray(),
                points.Select(p => p.Y.Value).ToArray(),
                colour
            );
            line.LineWidth = FigureStyle.LineWidth;
            line.LinePattern = dash;
            line.MarkerShape = marker;
            line.MarkerSize = MarkerSize;
        }
    }

    private static void Bars(Plot plot, Panel panel)
    {
        foreach (var (colour, x, width, value) in BarPlaces(panel))
        {
            plot.Add.Bars(
                (Bar[])
                    [
                        new Bar
                        {
                            Position = x,
                            ValueBase = panel.Low,
                            Value = value.Value,
                            FillColor = colour,
                            Size = width * 0.92,
                            LineWidth = 0,
                        },
                    ]
            );
            if (value is { Low: not null, High: not null })
                Whisker(plot, x, value, FigureStyle.Ink);
        }
        foreach (var (i, category) in panel.Categories.Index())
            if (panel.Series.All(s => s.Values[i] is null) && panel.Series.Any(s => s.Values.Any(v => v is not null)))
                Text(plot, "—", i, panel.Low, 12, Alignment.LowerCenter);
    }

    // Above everything else, on white: a line behind a number would strike it out.
    private static void Numbers(Plot plot, Panel panel)
    {
        foreach (var (_, x, _, value) in BarPlaces(panel))
            Text(
                plot,
                value.Value.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture),
                x,
                Math.Max(value.Value, value.High ?? value.Value),
                10,
                Alignment.LowerCenter
            ).LabelBackgroundColor = Colors.White;
    }

    private static IEnumerable<(Color Colour, double X, double Width, PlottedValue Value)> BarPlaces(Panel panel)
    {
        // Series that never meet in a category share its middle; others stand side by side.
        var shared = panel.Categories.Index().All(c => panel.Series.Count(s => s.Values[c.Index] is not null) <= 1);
        var width = shared ? 0.72 : 0.8 / panel.Series.Count;
        foreach (var (s, series) in panel.Series.Index())
            foreach (var (i, value) in series.Values.Index())
            {
                if (value is null)
                    continue;
                var alone = shared || panel.Series.Count(other => other.Values[i] is not null) == 1;
                yield return (
                    FigureStyle.Of(series.Name).Colour,
                    alone ? i : i + (s - (panel.Series.Count - 1) / 2.0) * width,
                    width,
                    value
                );
            }
    }

    private static void Whisker(Plot plot, double x, PlottedValue value, Color colour)
    {
        var line = plot.Add.Line(x, value.Low!.Value, x, value.High!.Value);
        line.LineColor = colour;
        line.LineWidth = 1.2f;
        line.MarkerSize = 0;
    }

    private static void Radar(Plot plot, Panel panel)
    {
        plot.HideGrid();
        plot.Layout.Frameless();
        var n = panel.Categories.Count;
        (double X, double Y) At(int i, double r) =>
            (r * Math.Sin(2 * Math.PI * i / n), r * Math.Cos(2 * Math.PI * i / n));
        void Closed(
            Func<int, double> radius,
            Color colour,
            float width,
            LinePattern dash,
            MarkerShape marker,
            Color? fill
        )
        {
            Coordinates[] corners =
            [
                .. Enumerable.Range(0, n).Select(i => At(i, radius(i))).Select(p => new Coordinates(p.X, p.Y)),
            ];
            if (fill is { } f)
            {
                var area = plot.Add.Polygon(corners);
                area.FillColor = f;
                area.LineWidth = 0;
            }
            var line = plot.Add.Scatter((Coordinates[])[.. corners, corners[0]], colour);
            line.LineWidth = width;
            line.LinePattern = dash;
            line.MarkerShape = marker;
            line.MarkerSize = marker == MarkerShape.None ? 0 : MarkerSize;
        }
        foreach (var ring in (double[])[0.25, 0.5, 0.75, 1])
            Closed(_ => ring, FigureStyle.Faint, 1, LinePattern.Solid, MarkerShape.None, null);
        for (var i = 0; i < n; i++)
        {
            var (x, y) = At(i, 1);
            var spoke = plot.Add.Line(0, 0, x, y);
            spoke.LineColor = FigureStyle.Faint;
            spoke.MarkerSize = 0;
            var (labelX, labelY) = At(i, i == 0 ? 1.08 : 1.18);
            Text(plot, panel.Categories[i], labelX, labelY, FigureStyle.TextSize, Alignment.MiddleCenter);
        }
        foreach (var ring in (double[])[0.5, 1])
            Text(plot, FigureRenderer.Tick(ring), 0.03, ring - 0.02, 10, Alignment.UpperLeft);
        foreach (var series in panel.Series.Where(s => s.Values.All(v => v is not null)))
        {
            var (colour, marker, dash) = FigureStyle.Of(series.Name);
            Closed(
                i => (series.Values[i]!.Value - panel.Low) / (panel.High - panel.Low),
                colour,
                FigureStyle.LineWidth,
                dash,
                marker,
                colour.WithAlpha(0.08)
            );
        }
        plot.Axes.SquareUnits();
        plot.Axes.SetLimits(-1.5, 1.5, -0.85, 1.25);
    }

    private static ScottPlot.Plottables.Text Text(
        Plot plot,
        string text,
        double x,
        double y,
        float size,
        Alignment alignment
    )
    {
        var label = plot.Add.Text(text, x, y);
        label.LabelFontSize = size;
        label.LabelFontColor = FigureStyle.Ink;
        label.LabelAlignment = alignment;
        return label;
    }

    /// <summary>A marker of the legend.</summary>
    public static void Marker(SKCanvas canvas, MarkerShape shape, float x, float y, SKPaint paint)
    {
        const float r = MarkerSize / 2;
        SKPoint[] corners = shape switch
        {
            MarkerShape.FilledSquare or MarkerShape.OpenSquare =>
            [
                new(x - r, y - r),
                new(x + r, y - r),
                new(x + r, y + r),
                new(x - r, y + r),
            ],
            MarkerShape.FilledDiamond or MarkerShape.OpenDiamond =>
            [
                new(x, y - r),
                new(x + r, y),
                new(x, y + r),
                new(x - r, y),
            ],
            MarkerShape.FilledTriangleUp or MarkerShape.OpenTriangleUp =>
            [
                new(x, y - r),
                new(x + r, y + r),
                new(x - r, y + r),
            ],
            MarkerShape.FilledTriangleDown => [new(x - r, y - r), new(x + r, y - r), new(x, y + r)],
            _ => [],
        };
        if (corners.Length == 0)
        {
            canvas.DrawCircle(x, y, r, paint);
            return;
        }
        using var path = new SKPath();
        path.AddPoly(corners);
        canvas.DrawPath(path, paint);
    }
}
