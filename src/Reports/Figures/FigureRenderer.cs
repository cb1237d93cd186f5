using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace EditUnlearn.Reports.Figures;

/// <summary>
/// Draws figures: the same data gives the same bytes, on any machine with this version of the library.
/// </summary>
public static class FigureRenderer
{
    private const int PanelWidth = 430,
        PanelHeight = 330,
        Margin = 14,
        HeadHeight = 34,
        TitleLine = 18,
        LegendHeight = 28,
        NoteLine = 16;

    /// <summary>A picture of points, two to a unit of length.</summary>
    public static byte[] Png(Figure figure)
    {
        var page = Laid(figure);
        return Picture.Png(page.Width, page.Height, canvas => Draw(page, canvas));
    }

    /// <summary>A picture of lines and text that holds its font.</summary>
    public static string Svg(Figure figure)
    {
        var page = Laid(figure);
        return Picture.Svg(page.Width, page.Height, canvas => Draw(page, canvas));
    }

    private sealed record Page(
        Figure Figure,
        int Width,
        int Height,
        int Top,
        IReadOnlyList<string> Title,
        IReadOnlyList<string> Note
    );

    // Title and note take the lines that they need.
    private static Page Laid(Figure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        using var title = FigureFont.At(FigureStyle.TitleSize, bold: true);
        using var small = FigureFont.At(FigureStyle.NoteSize);
        var width = Math.Max(figure.Panels.Count, 1) * PanelWidth + 2 * Margin;
        var (titles, notes) = (
            Lines(figure.Title, title, width - 2 * Margin),
            Lines(figure.Note, small, width - 2 * Margin)
        );
        var top = HeadHeight + (titles.Count - 1) * TitleLine;
        return new Page(
            figure,
            width,
            top + PanelHeight + LegendHeight + notes.Count * NoteLine + Margin,
            top,
            titles,
            notes
        );
    }

    // As few as the width asks for, of about the same length: no word stands alone on the last one.
    private static List<string> Lines(string text, SKFont font, float width)
    {
        var lines = Filled(text, font, width);
        for (
            var narrower = width - NoteLine;
            lines.Count > 1 && Filled(text, font, narrower) is var other && other.Count == lines.Count;
            narrower -= NoteLine
        )
            lines = other;
        return lines;
    }

    private static List<string> Filled(string text, SKFont font, float width)
    {
        List<string> lines = [];
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            if (lines.Count > 0 && font.MeasureText($"{lines[^1]} {word}") <= width)
                lines[^1] += " " + word;
            else
                lines.Add(word);
        return lines;
    }

    private static void Draw(Page page, SKCanvas canvas)
    {
        FigureFont.Register();
        using var ink = new SKPaint { Color = SKColor.Parse(FigureStyle.Ink.ToHex()), IsAntialias = true };
        using var title = FigureFont.At(FigureStyle.TitleSize, bold: true);
        using var text = FigureFont.At(FigureStyle.TextSize);
        using var small = FigureFont.At(FigureStyle.NoteSize);
        foreach (var (i, panel) in page.Figure.Panels.Index())
        {
            using var plot = new Plot();
            PanelPlot.Fill(plot, panel);
            var left = Margin + i * PanelWidth;
            // The library clears all it may draw on.
            canvas.Save();
            canvas.ClipRect(SKRect.Create(left, page.Top, PanelWidth, PanelHeight));
            plot.Render(canvas, new PixelRect(left, left + PanelWidth, page.Top + PanelHeight, page.Top));
            canvas.Restore();
        }
        foreach (var (i, line) in page.Title.Index())
            canvas.DrawText(line, page.Width / 2f, 22 + i * TitleLine, SKTextAlign.Center, title, ink);
        Legend(page.Figure, canvas, text, ink, page.Width, page.Top + PanelHeight + 18);
        var below = page.Top + PanelHeight + LegendHeight + 12;
        foreach (var (i, line) in page.Note.Index())
            canvas.DrawText(line, page.Width / 2f, below + i * NoteLine, SKTextAlign.Center, small, ink);
    }

    // One legend for all panels, in a line below them.
    private static void Legend(Figure figure, SKCanvas canvas, SKFont font, SKPaint ink, int width, float y)
    {
        const float swatch = 26,
            gap = 22;
        var names = figure
            .Panels.SelectMany(p => p.Series.Select(s => (s.Name, p.Kind)))
            .DistinctBy(s => s.Name)
            .ToList();
        var widths = names.Select(n => swatch + 6 + font.MeasureText(n.Name) + gap).ToList();
        var x = (width - widths.Sum() + gap) / 2;
        foreach (var ((name, kind), w) in names.Zip(widths))
        {
            var look = FigureStyle.Of(name);
            using var paint = new SKPaint
            {
                Color = SKColor.Parse(look.Colour.ToHex()),
                StrokeWidth = 2.5f,
                IsAntialias = true,
            };
            if (kind == PanelKind.Bars)
                canvas.DrawRect(SKRect.Create(x + 8, y - 11, 13, 13), paint);
            else
            {
                // Dashes are drawn by hand: a path effect has no counterpart in SVG.
                var (on, off) = look.Dash.Name switch
                {
                    "Solid" => (swatch, 0f),
                    "Dotted" => (2.5f, 3.5f),
                    "Dense Dashed" or "DenselyDashed" => (4f, 2.5f),
                    _ => (7f, 4f),
                };
                for (var at = 0f; at < swatch; at += on + off)
                    canvas.DrawLine(x + at, y - 4, Math.Min(x + at + on, x + swatch), y - 4, paint);
                PanelPlot.Marker(canvas, look.Marker, x + swatch / 2, y - 4, paint);
            }
            canvas.DrawText(name, x + swatch + 6, y, SKTextAlign.Left, font, ink);
            x += w;
        }
    }

    /// <summary>A tick's text.</summary>
    internal static string Tick(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
