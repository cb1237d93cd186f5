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
    public static SKTypeface Regular { get; } = Load("FigureSans-Regular.ttf");

    /// <summary>Bold.</summary>
    public static SKTypeface Bold { get; } = Load("FigureSans-Bold.ttf");

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
        fontName == Name
            ? weight >= FontWeight.SemiBold
                ? Load("FigureSans-Bold.ttf")
                : Load("FigureSans-Regular.ttf")
            : null;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) =>
        fontName == Name ? Load(bold ? "FigureSans-Bold.ttf" : "FigureSans-Regular.ttf") : null;

    private static SKTypeface Load(string file)
    {
        var resource = $"{typeof(Templating).Namespace}.Fonts.{file}";
        using var stream =
            Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"There is no font {resource}.");
        using var data = SKData.Create(stream);
        return SKTypeface.FromData(data);
    }
}
