using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// The profile `paper` from end to end, without its models: as deep as the real ones, a hair wide, with the real
/// tokenizers and the original data.
/// </summary>
[Trait("Category", "Slow")]
public sealed class RehearsalTests
{
    private static readonly (string Family, string Tokenizer)[] StandIns =
    [
        ("llama2", "llama2/tokenizer.model"),
        ("mistral", "mistral-v1/tokenizer.model"),
        ("llama31", "llama31/tokenizer.json"),
    ];

    [SlowFact("the whole paper profile on stand-ins", "data/tokenizers")]
    public void The_paper_profile_runs_from_end_to_end_on_stand_ins()
    {
        using var tool = new Tool();
        foreach (var (family, tokenizer) in StandIns)
        {
            var folder = tool[$"inputs/stand-ins/{family}"];
            Write(folder, family);
            File.Copy(
                Path.Combine(Checkout.Shared, "data", "tokenizers", tokenizer),
                Path.Combine(folder, Path.GetFileName(tokenizer))
            );
        }
        foreach (
            var (from, to) in (ReadOnlySpan<(string, string)>)
                [
                    ("tofu-factual/real_authors_perturbed.json", "tofu"),
                    ("tofu-factual/world_facts_perturbed.json", "tofu"),
                    ("tofu-refusals/idontknow.jsonl", "tofu"),
                    ("pistol/pistol_sample1.json", "pistol"),
                ]
        )
        {
            Directory.CreateDirectory(tool[$"inputs/{to}"]);
            File.Copy(Path.Combine(Checkout.Shared, "data", from), tool[$"inputs/{to}/{Path.GetFileName(from)}"]);
        }
        Rephrase(tool, "facts", "tofu/real_authors_perturbed.json", "tofu/world_facts_perturbed.json");
        Rephrase(tool, "contracts", "pistol/pistol_sample1.json");
        var (code, output, error) = tool.Run("repro", "--profile", "rehearsal", "--json");
        Assert.True(code == 0, error);
        var report = JsonNode.Parse(output)!;
        // equal splits are made once
        Assert.Equal(report["cells"]!.AsArray().Count, (int)report["executed"]! + (int)report["restored"]!);
        for (var table = 1; table <= 7; table++)
        {
            Assert.Contains(
                "the numbers mean nothing",
                File.ReadAllText(tool[$"artifacts/tables/table{table}.tex"]),
                StringComparison.Ordinal
            );
            Assert.All(
                ParquetTable.Read<TableCell>(tool[$"artifacts/tables/table{table}.parquet"]),
                c => Assert.True(c.Value is not null, c.Name)
            );
        }
        Assert.Equal(0, tool.Run("repro", "--profile", "rehearsal", "--frozen").ExitCode);
    }

    // The originals come without other wordings, and random weights write none.
    private static void Rephrase(Tool tool, string set, params string[] files) =>
        File.WriteAllLines(
            tool[$"inputs/stand-ins/rephrasings-{set}.jsonl"],
            QaFile
                .ReadAll([.. files.Select(f => tool[$"inputs/{f}"])], set)
                .Select(q =>
                    new JsonObject
                    {
                        ["id"] = q.Id,
                        ["rephrasings"] = new JsonArray(
                            $"For this rehearsal, please answer: {q.Question}",
                            $"And {q.Question}"
                        ),
                    }.ToJsonString()
                )
        );

    private static void Write(string folder, string family)
    {
        var shape = SourceCatalog.Read(Path.Combine(Checkout.Root, SourceCatalog.FileName)).Find(family)!.Shape!;
        var config = new ModelConfig
        {
            Family = family,
            VocabSize = shape.Vocabulary,
            HiddenSize = 32,
            IntermediateSize = 64,
            Layers = shape.Layers,
            Heads = 4,
            KvHeads = shape.KvHeads == shape.Heads ? 4 : 2,
            HeadDim = 8,
            MaxPositions = 4096,
            SlidingWindow = family == "mistral" ? 4096 : null,
            RopeTheta = family == "llama31" ? 500000 : 10000,
            RopeScaling = family == "llama31" ? new Llama3RopeScaling(8, 1, 4, 8192) : null,
            BosId = family == "llama31" ? 128000 : 1,
            EosIds = family == "llama31" ? [128001, 128008, 128009] : [2],
        };
        using var model = CausalLm.Random(config, new Seed(17));
        WeightFolder.Save(folder, model, ScalarType.BFloat16);
    }
}
