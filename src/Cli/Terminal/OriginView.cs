using System.Text.Json.Nodes;
using EditUnlearn.Cli.Commands;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Terminal;

/// <summary>Shows every parameter and option of a cell with where its value comes from and what it overrode.</summary>
internal static class OriginView
{
    // Parameters whose values the stage itself lists option by option.
    private static readonly string[] Listed = ["options", "setOptions"];

    public static void Print(Cell cell, bool json)
    {
        var rows = Of(cell);
        if (json)
        {
            InspectCommands.PrintJson(new JsonObject { ["cell"] = cell.Id.Text, ["parameters"] = ToJson(rows) });
            return;
        }
        var (option, value) = (rows.Max(r => r.Option.Length), Math.Min(40, rows.Max(r => r.Value.Length)));
        foreach (var row in rows)
        {
            Console.Out.WriteLine($"{row.Option.PadRight(option)}  {row.Value.PadRight(value)}  {row.Origin}");
            foreach (var (below, origin) in row.Overridden)
                Console.Out.WriteLine($"{new string(' ', option)}  {("over " + below).PadRight(value)}  {origin}");
        }
    }

    /// <summary>All of them.</summary>
    public static List<OptionOrigin> Of(Cell cell)
    {
        ValueOrigin? OriginOf(string path) => cell.Origins.GetValueOrDefault(path);
        var options = cell.Stage.Origins(cell.Written, OriginOf);
        return
        [
            .. Leaves(cell.ParametersJson, "", options is null ? [] : Listed)
                .Select(p => Parameter(p, OriginOf(p.Path))),
            .. options?.Select(o => o with { Option = "options." + o.Option }) ?? [],
        ];
    }

    private static OptionOrigin Parameter((string Path, JsonNode? Value) parameter, ValueOrigin? origin) =>
        new(
            KeyNames.Written(parameter.Path),
            parameter.Value?.ToJsonString() ?? "null",
            origin?.Place.ToString() ?? "default",
            [.. origin?.Overridden.Select(o => (o.Value, o.Place.ToString())) ?? []]
        );

    private static IEnumerable<(string Path, JsonNode? Value)> Leaves(JsonObject json, string path, string[] without) =>
        json.Where(p => path.Length > 0 || !without.Contains(p.Key))
            .SelectMany(p =>
            {
                var inner = path.Length == 0 ? p.Key : $"{path}.{p.Key}";
                return p.Value is JsonObject { Count: > 0 } map ? Leaves(map, inner, []) : [(inner, p.Value)];
            });

    /// <summary>As JSON.</summary>
    public static JsonArray ToJson(List<OptionOrigin> rows) =>
        new([
            .. rows.Select(r => new JsonObject
            {
                ["option"] = r.Option,
                ["value"] = JsonNode.Parse(r.Value),
                ["origin"] = r.Origin,
                ["overrode"] = new JsonArray([
                    .. r.Overridden.Select(o => new JsonObject
                    {
                        ["value"] = JsonNode.Parse(o.Value),
                        ["origin"] = o.Origin,
                    }),
                ]),
            }),
        ]);
}
