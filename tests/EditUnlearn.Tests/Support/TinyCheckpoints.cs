using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>Model folders small enough for tests, with what real ones hold beside the weights.</summary>
public static class TinyCheckpoints
{
    /// <summary>Writes a folder.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="type">Stored type.</param>
    /// <param name="shardBytes">Size of the shards; null for a single file.</param>
    /// <param name="tied">Whether the output map is the embedding.</param>
    /// <param name="layers">Blocks.</param>
    public static void Write(
        string folder,
        ScalarType type = ScalarType.BFloat16,
        long? shardBytes = 16_000,
        bool tied = false,
        int layers = 3
    )
    {
        var config = new ModelConfig
        {
            Family = "llama31",
            VocabSize = 97,
            HiddenSize = 32,
            IntermediateSize = 56,
            Layers = layers,
            Heads = 4,
            KvHeads = 2,
            HeadDim = 8,
            MaxPositions = 128,
            RopeTheta = 500000,
            RopeScaling = new Llama3RopeScaling(8, 1, 4, 64),
            TieWordEmbeddings = tied,
        };
        using var model = CausalLm.Random(config, new Seed(3));
        WeightFolder.Save(folder, model, type);
        File.WriteAllText(
            Path.Combine(folder, "generation_config.json"),
            """
            {"_from_model_config": true, "bos_token_id": 1, "eos_token_id": [2, 5], "temperature": 0.6, "top_p": 0.9}

            """
        );
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"),
            "{\"eos_token\": \"</s>\",   \"note\": \"spaces   kept\"}"
        );
        File.WriteAllText(Path.Combine(folder, "LICENSE"), "A licence.\r\nWith another line end.\r\n");
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.model"), [10, 0, 255, 3, 128]);
        if (shardBytes is null)
            return;
        Cut(folder, shardBytes.Value);
    }

    /// <summary>
    /// Writes a folder with lively random float32 weights and a tokenizer of its own, so that questions can be asked.
    /// </summary>
    public static void WriteAskable(
        string folder,
        IEnumerable<string> texts,
        ulong seed = 1,
        int words = 320,
        int layers = 3
    )
    {
        var tokenizer = BpeTrainer.Train(texts, words);
        using var checkpoint = new Checkpoint(TinyModels.Lively(seed, layers, words: tokenizer.VocabSize), tokenizer);
        checkpoint.Save(folder);
        File.WriteAllText(
            Path.Combine(folder, "generation_config.json"),
            """{"bos_token_id": 1, "eos_token_id": 2, "temperature": 0.6}""" + "\n"
        );
        File.WriteAllText(Path.Combine(folder, "LICENSE"), "A licence.\n");
    }

    // Written by hand rather than by the export under test.
    private static void Cut(string folder, long most)
    {
        var file = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        var shards = new List<List<TensorEntry>> { new() };
        foreach (var entry in file.InOrder)
        {
            if (shards[^1].Count > 0 && shards[^1].Sum(e => e.Bytes) + entry.Bytes > most)
                shards.Add([]);
            shards[^1].Add(entry);
        }
        using var scope = NewDisposeScope();
        var map = new JsonObject();
        for (var i = 0; i < shards.Count; i++)
        {
            var name = $"model-{i + 1:00000}-of-{shards.Count:00000}.safetensors";
            SafetensorsWriter.Write(
                Path.Combine(folder, name),
                shards[i].Select(e => KeyValuePair.Create(e.Name, file.Read(e.Name))),
                new Dictionary<string, string> { ["format"] = "pt" }
            );
            foreach (var entry in shards[i])
                map[entry.Name] = name;
        }
        File.Delete(Path.Combine(folder, "model.safetensors"));
        var index = new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = file.InOrder.Sum(e => e.Bytes) },
            ["weight_map"] = map,
        };
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), index.ToJsonString());
    }

    /// <summary>Names and contents of every file of a folder.</summary>
    public static Dictionary<string, byte[]> Bytes(string folder) =>
        Directory
            .EnumerateFiles(folder)
            .ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes, StringComparer.Ordinal);
}
