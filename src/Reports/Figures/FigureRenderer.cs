using System.Globalization;
using System.Text;
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
        LegendHeight = 28,
        NoteHeight = 20,
        Scale = 2;

    /// <summary>A picture of points, two to a unit of length.</summary>
    public static byte[] Png(Figure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        var (width, height) = Size(figure);
        using var surface = SKSurface.Create(new SKImageInfo(width * Scale, height * Scale));
        surface.Canvas.Clear(SKColors.White);
        surface.Canvas.Scale(Scale);
        Draw(figure, surface.Canvas, width);
        using var image = surface.Snapshot();
        using var data = image.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    /// <summary>A picture of lines and text.</summary>
    public static string Svg(Figure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        var (width, height) = Size(figure);
        using var stream = new MemoryStream();
        using (var canvas = SKSvgCanvas.Create(SKRect.Create(width, height), stream))
        {
            using var white = new SKPaint { Color = SKColors.White };
            canvas.DrawRect(SKRect.Create(width, height), white);
            Draw(figure, canvas, width);
        }
        // A viewer does not have the font; these look alike.
        var svg = Encoding
            .UTF8.GetString(stream.ToArray())
            .Replace(
                $"font-family=\"{FigureFont.Name}\"",
                "font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\"",
                StringComparison.Ordinal
            );
        return SvgIds.Renumber(svg);
    }

    private static (int Width, int Height) Size(Figure figure) =>
        (
            Math.Max(figure.Panels.Count, 1) * PanelWidth + 2 * Margin,
            HeadHeight + PanelHeight + LegendHeight + (figure.Note.Length > 0 ? NoteHeight : 0) + Margin
        );

    private static void Draw(Figure figure, SKCanvas canvas, int width)
    {
        FigureFont.Register();
        using var ink = new SKPaint { Color = SKColor.Parse(FigureStyle.Ink.ToHex()), IsAntialias = true };
        using var title = new SKFont(FigureFont.Bold, FigureStyle.TitleSize) { Subpixel = true };
        using var text = new SKFont(FigureFont.Regular, FigureStyle.TextSize) { Subpixel = true };
        using var small = new SKFont(FigureFont.Regular, FigureStyle.NoteSize) { Subpixel = true };
        foreach (var (i, panel) in figure.Panels.Index())
        {
            using var plot = new Plot();
            PanelPlot.Fill(plot, panel);
            var left = Margin + i * PanelWidth;
            // The library clears all it may draw on.
            canvas.Save();
            canvas.ClipRect(SKRect.Create(left, HeadHeight, PanelWidth, PanelHeight));
            plot.Render(canvas, new PixelRect(left, left + PanelWidth, HeadHeight + PanelHeight, HeadHeight));
            canvas.Restore();
        }
        canvas.DrawText(figure.Title, width / 2f, 22, SKTextAlign.Center, title, ink);
        Legend(figure, canvas, text, ink, width, HeadHeight + PanelHeight + 18);
        if (figure.Note.Length > 0)
            canvas.DrawText(
                figure.Note,
                width / 2f,
                HeadHeight + PanelHeight + LegendHeight + 12,
                SKTextAlign.Center,
                small,
                ink
            );
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
