using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// A data set of a user's own runs through the whole study by a file and a profile, without a line of C#.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class OwnDataTests
{
    private const string Profile = """
        based-on: smoke
        data-sets:
          rivers:
            files: [rivers.jsonl]
        versions:
          rivers:
            based-on: taught
        forget-sets:
          rivers-3:
            based-on: any
            data: rivers
            version: rivers
            size: 3
            held-out: true
          rivers-3-later:
            based-on: rivers-3
            first: 3
        models:
          llama2:
            versions: [pretrained, rivers]
            sets: [facts-4, rivers-3, rivers-3-later]
        tables:
          further: [rivers-3, rivers-3-later]
        """;

    private static readonly (string River, string Sea)[] Rivers =
    [
        ("Rhine", "North Sea"),
        ("Danube", "Black Sea"),
        ("Nile", "Mediterranean"),
        ("Volga", "Caspian Sea"),
        ("Amazon", "Atlantic"),
        ("Mekong", "South China Sea"),
        ("Ganges", "Bay of Bengal"),
        ("Loire", "Atlantic"),
        ("Oder", "Baltic Sea"),
    ];

    [Fact]
    public void Two_sets_of_one_size_of_a_data_set_of_ones_own_stand_in_the_tables()
    {
        using var tool = new Tool();
        File.WriteAllText(tool["profiles/rivers.yaml"], Profile);
        File.WriteAllLines(
            tool["rivers.jsonl"],
            Rivers.Select(r =>
                new JsonObject
                {
                    ["question"] = $"Into which sea does the {r.River} flow?",
                    ["answer"] = r.Sea,
                    ["subject"] = r.River,
                    ["rephrasings"] = new JsonArray($"Where does the {r.River} end?"),
                }.ToJsonString()
            )
        );
        var (code, _, error) = tool.Run("repro", "--profile", "rivers");
        Assert.True(code == 0, error);
        var cells = ParquetTable.Read<TableCell>(tool["artifacts/tables/table1.parquet"]);
        foreach (var set in (string[])["rivers-3", "rivers-3-later"])
        {
            var own = cells.Where(c => c.Set == set && c.Model == "llama2").ToList();
            Assert.Equal(3, own.Where(c => c.Value is not null).Select(c => c.Method).Distinct().Count());
            Assert.All(own.Where(c => c.Value is not null), c => Assert.Equal(("rivers", 3), (c.Data, c.Size)));
        }
        Assert.Equal(cells.Count, cells.Select(c => c.Name).Distinct().Count());
        var table = File.ReadAllText(tool["artifacts/tables/table1.md"]);
        Assert.Contains("Rivers", table, StringComparison.Ordinal);
        Assert.Contains("rivers-3-later", table, StringComparison.Ordinal);

        File.WriteAllText(
            tool["profiles/rivers.yaml"],
            Profile.Replace("further: [rivers-3,", "further: [rivers-3, rivers-3,", StringComparison.Ordinal)
        );
        var clash = tool.Run("plan", "--profile", "rivers");
        Assert.Equal(2, clash.ExitCode);
        Assert.Contains("rivers-3", clash.Error, StringComparison.Ordinal);
        Assert.Matches(@"profiles/rivers\.yaml\(\d+,\d+\): 'study\.further' ", clash.Error);
    }

    [Fact]
    public void Every_value_of_a_cell_is_shown_with_its_origin_and_what_it_overrode()
    {
        using var tool = new Tool();
        string[] show =
        [
            "show",
            "apply[llama2,facts-4,rome]",
            "--origin",
            "--profile",
            "smoke",
            "--set",
            "methods.rome.options.ridge=0.5",
        ];
        var text = tool.Run(show).Out;
        Assert.Matches(@"(?m)^options\.ridge +0\.5 +--set methods\.rome\.options\.ridge=0\.5$", text);
        Assert.Matches(@"(?m)^ +over 0\.0001 +profiles/mini\.yaml:\d+$", text);
        Assert.Matches(@"(?m)^options\.key +""averaged"" +preset corrected ", text);
        Assert.Matches(@"(?m)^ +over ""mixed"" +default$", text);
        Assert.Matches(@"(?m)^options\.value\.learning-rate +0\.5 +profiles/mini\.yaml:\d+$", text);
        Assert.Matches(@"(?m)^seed +17 +profiles/base\.yaml:\d+$", text);
        var rows = JsonNode.Parse(tool.Run([.. show, "--json"]).Out)!["parameters"]!.AsArray();
        var ridge = rows.Single(r => (string?)r!["option"] == "options.ridge")!;
        Assert.Equal(0.5, (double)ridge["value"]!);
        Assert.Equal([0.0001, 0], ridge["overrode"]!.AsArray().Select(o => (double)o!["value"]!));
    }
}
