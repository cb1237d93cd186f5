using System.Text;
using SkiaSharp;

namespace EditUnlearn.Reports.Figures;

/// <summary>
/// Makes files of what is drawn on a canvas: points for LaTeX and README, lines and text for everything else. The same
/// drawing gives the same bytes.
/// </summary>
internal static class Picture
{
    /// <summary>Points to a unit of length.</summary>
    private const int Scale = 2;

    // Where a viewer ignores the embedded font; these look alike.
    private const string Families = FigureFont.Name + ", DejaVu Sans, Verdana, Arial, sans-serif";

    /// <summary>A PNG, two points to a unit of length.</summary>
    public static byte[] Png(int width, int height, Action<SKCanvas> draw)
    {
        using var surface = SKSurface.Create(new SKImageInfo(width * Scale, height * Scale));
        surface.Canvas.Clear(SKColors.White);
        surface.Canvas.Scale(Scale);
        draw(surface.Canvas);
        using var image = surface.Snapshot();
        using var data = image.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    /// <summary>An SVG that holds its font, and looks alike wherever it is opened.</summary>
    public static string Svg(int width, int height, Action<SKCanvas> draw)
    {
        using var stream = new MemoryStream();
        using (var canvas = SKSvgCanvas.Create(SKRect.Create(width, height), stream))
        {
            using var white = new SKPaint { Color = SKColors.White };
            canvas.DrawRect(SKRect.Create(width, height), white);
            draw(canvas);
        }
        var svg = Encoding.UTF8.GetString(stream.ToArray());
        return SvgIds.Renumber(
            WithFont(
                svg.Replace(
                    $"font-family=\"{FigureFont.Name}\"",
                    $"font-family=\"{Families}\"",
                    StringComparison.Ordinal
                )
            )
        );
    }

    // Behind the opening tag. A browser fits letters to points too unless it is told not to.
    private static string WithFont(string svg)
    {
        var style = new StringBuilder("<style>text{text-rendering:geometricPrecision}");
        foreach (var bold in (bool[])[false, true])
            if (!bold || svg.Contains("font-weight=\"", StringComparison.Ordinal))
                style
                    .Append($"@font-face{{font-family:\"{FigureFont.Name}\";font-weight:{(bold ? 600 : 400)};")
                    .Append("src:url(data:font/ttf;base64,")
                    .Append(Convert.ToBase64String(FigureFont.File(bold)))
                    .Append(")}");
        var behind = svg.IndexOf('>', svg.IndexOf("<svg", StringComparison.Ordinal)) + 1;
        return svg.Insert(behind, style.Append("</style>").ToString());
    }
}
