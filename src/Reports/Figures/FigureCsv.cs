using System.Globalization;
using System.Text;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Figures;

/// <summary>What a figure draws, a value a line.</summary>
public static class FigureCsv
{
    /// <summary>The text.</summary>
    public static string Of(Figure figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        static string Text(double? x) => x?.ToString("R", CultureInfo.InvariantCulture) ?? "";
        var csv = new StringBuilder("figure,panel,series,category,value,ci_low,ci_high\n");
        foreach (var panel in figure.Panels)
        {
            foreach (var series in panel.Series)
                foreach (var (category, value) in panel.Categories.Zip(series.Values))
                    csv.AppendJoin(
                            ',',
                            figure.Name,
                            Csv.Quote(panel.Title),
                            Csv.Quote(series.Name),
                            Csv.Quote(category),
                            Text(value?.Value),
                            Text(value?.Low),
                            Text(value?.High)
                        )
                        .Append('\n');
            foreach (var line in panel.References)
                csv.AppendJoin(
                        ',',
                        figure.Name,
                        Csv.Quote(panel.Title),
                        Csv.Quote(line.Name),
                        "",
                        Text(line.Value),
                        "",
                        ""
                    )
                    .Append('\n');
        }
        return csv.ToString();
    }
}
