using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Regression;

/// <summary>Two sets of tables, cell against cell: ours and the paper's, or two of ours.</summary>
/// <param name="Pairs">Cells that both have, with both values.</param>
/// <param name="Coverage">By table: how many cells of the other side have a number, and how many of those this side has
/// too.</param>
public sealed record TableComparison(IReadOnlyList<ComparedCell> Pairs, IReadOnlyList<TableCoverage> Coverage)
{
    /// <summary>
    /// Compares by place, whatever the profile: the same table, model, data, size, merge factor, method, split and
    /// metric. Sets need not have the same name; where one side has several sets at a place, one of the same name is
    /// preferred. Refusals count where the table compares them, that is where a side has a place with either kind.
    /// </summary>
    /// <param name="ours">This side.</param>
    /// <param name="other">The side compared with.</param>
    public static TableComparison Of(IReadOnlyList<TableCell> ours, IReadOnlyList<TableCell> other)
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(other);
        var comparing = ComparesTargets(ours).Concat(ComparesTargets(other)).ToHashSet(StringComparer.Ordinal);
        (Place, string) At(TableCell c) => (PlaceOf(c), comparing.Contains(c.Table) ? c.Target : "");
        var own = ours.ToLookup(At);
        var there = other.Where(c => c.Value is not null).ToList();
        var pairs = there
            .Select(o => (Other: o, Own: own[At(o)].OrderBy(c => c.Set == o.Set ? 0 : 1).FirstOrDefault()))
            .Where(p => p.Own?.Value is not null)
            .Select(p => new ComparedCell(p.Own!.Name.Split('@')[0], p.Own!, p.Other))
            .ToList();
        var compared = pairs.ToLookup(p => p.Other.Table);
        return new TableComparison(
            pairs,
            [
                .. there
                    .GroupBy(c => c.Table)
                    .OrderBy(g => g.Key, StringComparer.Ordinal)
                    .Select(g => new TableCoverage(g.Key, compared[g.Key].Count(), g.Count())),
            ]
        );
    }

    private sealed record Place(
        string Table,
        string Model,
        string Data,
        int Size,
        int Merge,
        string Method,
        string Split,
        string Metric
    );

    private static Place PlaceOf(TableCell c) =>
        new(c.Table, c.Model, c.Data, c.Size, c.Merge, c.Method, c.Split, c.Metric);

    // Tables with two kinds of refusals at one place.
    private static IEnumerable<string> ComparesTargets(IReadOnlyList<TableCell> cells) =>
        cells
            .GroupBy(PlaceOf)
            .Where(g => g.Select(c => c.Target).Distinct(StringComparer.Ordinal).Count() > 1)
            .Select(g => g.Key.Table);

    /// <summary>For the terminal: every cell, then a line of coverage a table.</summary>
    /// <param name="own">What this side is called.</param>
    /// <param name="other">What the other is called.</param>
    public string Text(string own, string other)
    {
        var text = new StringBuilder();
        var width = Pairs.Count == 0 ? 0 : Pairs.Max(p => p.Name.Length);
        foreach (var p in Pairs)
            text.Append(
                $"{p.Name.PadRight(width)}  {p.Own.Printed,6}  {other} {p.Other.Printed,6}  {Signed(p.Delta)}\n"
            );
        foreach (var c in Coverage)
        {
            text.Append($"T{c.Table[^1]}: {c.Compared} of {c.Cells} cells of {other} compared with {own}");
            if (c.Compared > 0)
                text.Append(
                    CultureInfo.InvariantCulture,
                    $", mean |delta| {Pairs.Where(p => p.Other.Table == c.Table).Average(p => Math.Abs(p.Delta)):0.000}"
                );
            text.Append('\n');
        }
        return text.ToString();
    }

    /// <summary>A cell a line.</summary>
    public string Csv()
    {
        var csv = new StringBuilder("name,table,value,other,delta,ci_low,ci_high\n");
        foreach (var p in Pairs)
            csv.AppendJoin(
                    ',',
                    Artifacts.Csv.Quote(p.Name),
                    p.Other.Table,
                    Round(p.Own.Value),
                    Round(p.Other.Value),
                    Round(p.Delta),
                    Round(p.Own.CiLow),
                    Round(p.Own.CiHigh)
                )
                .Append('\n');
        return csv.ToString();
    }

    /// <summary>For programs.</summary>
    public JsonObject Json(string own, string other) =>
        new()
        {
            ["own"] = own,
            ["other"] = other,
            ["coverage"] = new JsonArray([
                .. Coverage.Select(c => new JsonObject
                {
                    ["table"] = c.Table,
                    ["compared"] = c.Compared,
                    ["cells"] = c.Cells,
                }),
            ]),
            ["cells"] = new JsonArray([
                .. Pairs.Select(p => new JsonObject
                {
                    ["cell"] = p.Name,
                    ["value"] = Number(p.Own.Value),
                    ["other"] = Number(p.Other.Value),
                    ["delta"] = Number(p.Delta),
                }),
            ]),
        };

    private static JsonNode? Number(double? value) => value is { } x && double.IsFinite(x) ? JsonValue.Create(x) : null;

    private static string Round(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "";

    private static string Signed(double delta) => delta.ToString("+0.000;-0.000;0.000", CultureInfo.InvariantCulture);
}

/// <summary>A cell on both sides.</summary>
/// <param name="Name">Without profile.</param>
/// <param name="Own">This side's.</param>
/// <param name="Other">The other's.</param>
public sealed record ComparedCell(string Name, TableCell Own, TableCell Other)
{
    /// <summary>This side less the other.</summary>
    public double Delta => Own.Value!.Value - Other.Value!.Value;
}

/// <summary>How much of a table could be compared.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Compared">Cells that both sides have.</param>
/// <param name="Cells">Cells of the other side.</param>
public sealed record TableCoverage(string Table, int Compared, int Cells);
