using System.Reflection;
using ScottPlot;
using SkiaSharp;

namespace EditUnlearn.Reports.Figures;

/// <summary>
/// The font of all figures, shipped with the project: a picture must not depend on what a machine has installed.
/// </summary>
internal sealed class FigureFont : IFontResolver
{
    /// <summary>Its name.</summary>
    public const string Name = "Figure Sans";

    private static readonly Lock Gate = new();
    private static bool _registered;

    /// <summary>Regular.</summary>
    public static SKTypeface Regular { get; } = Load(bold: false);

    /// <summary>Bold.</summary>
    public static SKTypeface Bold { get; } = Load(bold: true);

    /// <summary>
    /// The font at a size, with its letters where its design puts them: hinting fits letters to points, and the rounded
    /// widths show as uneven gaps in small text.
    /// </summary>
    public static SKFont At(float size, bool bold = false) =>
        new(bold ? Bold : Regular, size)
        {
            Hinting = SKFontHinting.None,
            Subpixel = true,
            LinearMetrics = true,
            Edging = SKFontEdging.Antialias,
        };

    /// <summary>The file of a weight, as it is shipped.</summary>
    public static byte[] File(bool bold)
    {
        using var stream = Open(NameOf(bold));
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Makes it the default of every plot.</summary>
    public static void Register()
    {
        lock (Gate)
        {
            if (_registered)
                return;
            Fonts.FontResolvers.Insert(0, new FigureFont());
            Fonts.Default = Fonts.Sans = Name;
            _registered = true;
        }
    }

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        fontName == Name ? Load(weight >= FontWeight.SemiBold) : null;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) => fontName == Name ? Load(bold) : null;

    private static SKTypeface Load(bool bold)
    {
        using var stream = Open(NameOf(bold));
        using var data = SKData.Create(stream);
        return SKTypeface.FromData(data);
    }

    private static string NameOf(bool bold) => bold ? "FigureSans-Bold.ttf" : "FigureSans-Regular.ttf";

    private static Stream Open(string file)
    {
        var resource = $"{typeof(Templating).Namespace}.Fonts.{file}";
        return Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"There is no font {resource}.");
    }
}
