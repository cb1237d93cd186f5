using System.Text.Json;
using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// <c>explain</c>: why a cell is stale, one line a reason, down to the value and its place in a file.
/// </summary>
internal sealed class ExplainCommand
{
    /// <summary>Compares cells with their last results.</summary>
    [Command("explain", Description = "Why a stage is stale: one line a reason, old -> new, file:line")]
    public int Explain(
        [Argument(Description = "Stages or cells")] string[] targets,
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var cells = Targets.Named(study.Plan, targets);
        var explainer = new Explainer(study.Plan, study.Store, study.Keys, study.Code);
        var all = cells.Select(explainer.Of).ToList();
        study.Files.Save();
        if (json)
            InspectCommands.PrintJson(
                new JsonObject { ["profile"] = study.Plan.Profile, ["cells"] = new JsonArray([.. all.Select(ToJson)]) }
            );
        else
            foreach (var line in all.SelectMany(e => e.Lines))
                Console.Out.WriteLine(line);
        return ExitCodes.Done;
    }

    internal static JsonObject ToJson(Explanation e) =>
        new()
        {
            ["cell"] = e.Cell.Id.Text,
            ["state"] = Camel(e.State),
            ["key"] = e.Key,
            ["last"] = e.Last is { } m
                ? new JsonObject
                {
                    ["key"] = m.Key,
                    ["started"] = m.Started,
                    ["seconds"] = m.Seconds,
                    ["commit"] = m.Commit,
                }
                : null,
            ["reasons"] = new JsonArray([
                .. e.Reasons.Select(r => new JsonObject
                {
                    ["text"] = r.ToString(),
                    ["change"] = ToJson(r.Change),
                    ["root"] = r.Root?.Text,
                    ["via"] = r.Via is { } via ? ToJson(via) : null,
                    ["types"] = r.Code is { } types
                        ? new JsonArray([
                            .. types.Select(t => new JsonObject
                            {
                                ["name"] = t.Name,
                                ["how"] = t.How,
                                ["place"] = t.Place is { } p ? ToJson(p) : null,
                            }),
                        ])
                        : null,
                }),
            ]),
        };

    private static JsonObject ToJson(Change c) =>
        new()
        {
            ["cause"] = Camel(c.Cause),
            ["name"] = c.Name,
            ["old"] = c.Old,
            ["new"] = c.New,
            ["source"] = c.Source,
            ["place"] = c.Place is { } p ? ToJson(p) : null,
        };

    private static JsonObject ToJson(SourcePlace p) =>
        new()
        {
            ["file"] = p.File,
            ["line"] = p.Line,
            ["column"] = p.Column,
        };

    private static string Camel<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}
