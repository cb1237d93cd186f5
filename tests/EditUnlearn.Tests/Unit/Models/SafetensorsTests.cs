using System.Buffers.Binary;
using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class SafetensorsTests
{
    [Fact]
    public void Tensors_of_every_type_come_back()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        KeyValuePair<string, Tensor>[] tensors =
        [
            new("f32", randn(3, 4)), new("bf16", randn(5).to(ScalarType.BFloat16)), new("i64", arange(7)), new("f64", randn(2, 2, 2, dtype: ScalarType.Float64)),
            new("u8", ones(3, dtype: ScalarType.Byte)), new("empty", zeros(0, 4)), new("scalar", tensor(2.5f)), new("view", randn(4, 6).t()),
        ];
        SafetensorsWriter.Write(folder["t.safetensors"], tensors);
        var file = SafetensorsFile.Open(folder["t.safetensors"]);
        foreach (var (name, expected) in tensors) Assert.True(Tensors.SameBits(expected.contiguous(), file.Read(name)), name);
    }

    public static TheoryData<string, string> Hostile => new()
    {
        { "not JSON", "not valid JSON" },
        { "[1]", "not a JSON object" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,400]}}""", "outside the file" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "outside the file" },
        { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "takes 8 bytes" },
        { """{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}""", "unknown dtype" },
        { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "too large" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", "overlaps" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", "not valid JSON" },
        { """{"a":{"shape":[2]}}""", "needs dtype" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_hostile_header_is_refused_with_its_place(string header, string expected)
    {
        using var folder = new TemporaryFolder();
        var bytes = Encoding.UTF8.GetBytes(header);
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)bytes.Length);
        File.WriteAllBytes(folder["h.safetensors"], [.. prefix, .. bytes, .. new byte[16]]);
        var e = Assert.Throws<DamagedFileException>(() => SafetensorsFile.Open(folder["h.safetensors"]));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains("h.safetensors", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_file_is_refused_at_every_length()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", randn(8, 8)), new("b", randn(3))]);
        var bytes = File.ReadAllBytes(folder["t.safetensors"]);
        for (var length = 0; length < bytes.Length; length += 13)
        {
            File.WriteAllBytes(folder["cut.safetensors"], bytes[..length]);
            Assert.Throws<DamagedFileException>(() => SafetensorsFile.Open(folder["cut.safetensors"]));
        }
    }

    [Fact]
    public void A_config_is_honoured_or_refused_by_name_all_at_once()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], """
            {"model_type": "gpt2", "vocab_size": "many", "hidden_size": 30, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 3,
             "hidden_act": "gelu", "rope_scaling": {"type": "linear", "factor": 2}, "quantization_config": {}}
            """);
        var e = Assert.Throws<InputException>(() => ConfigFile.Read(folder["config.json"]));
        Snapshot.Matches(e.Message.Replace(folder.Path + "/", "", StringComparison.Ordinal) + "\n", "bad-config.txt");
    }

    [Fact]
    public void A_folder_with_pickled_weights_only_is_refused_with_what_to_do()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Llama();
        WeightFolder.Save(folder.Path, model);
        File.Move(folder["model.safetensors"], folder["pytorch_model.bin"]);
        Assert.Contains("pickle", Assert.Throws<InputException>(() => WeightFolder.Load(folder.Path, CPU)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_and_misshapen_tensors_are_all_listed()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Llama();
        WeightFolder.Save(folder.Path, model);
        var tensors = model.Weights.Where(w => w.Key != "model.norm.weight").ToDictionary(w => w.Key, w => w.Value);
        tensors["lm_head.weight"] = zeros(3, 3);
        tensors["surplus"] = zeros(1);
        SafetensorsWriter.Write(folder["model.safetensors"], tensors);
        var problems = Assert.Throws<InputException>(() => WeightFolder.Load(folder.Path, CPU)).Problems;
        Assert.Equal(3, problems.Count);
    }
}
