using System.Buffers.Binary;
using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Weights;

public sealed class SafetensorsTests
{
    [Fact]
    public void Tensors_of_every_type_come_back()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        KeyValuePair<string, Tensor>[] tensors =
        [
            new("f32", randn(3, 4)),
            new("bf16", randn(5).to(ScalarType.BFloat16)),
            new("i64", arange(7)),
            new("f64", randn(2, 2, 2, dtype: ScalarType.Float64)),
            new("u8", ones(3, dtype: ScalarType.Byte)),
            new("empty", zeros(0, 4)),
            new("scalar", tensor(2.5f)),
            new("view", randn(4, 6).t()),
        ];
        SafetensorsWriter.Write(folder["t.safetensors"], tensors);
        var file = SafetensorsFile.Open(folder["t.safetensors"]);
        foreach (var (name, expected) in tensors)
            Assert.True(Tensors.SameBits(expected.contiguous(), file.Read(name)), name);
    }

    public static TheoryData<string, string> Hostile =>
        new()
        {
            { "not JSON", "not valid JSON" },
            { "[1]", "not a JSON object" },
            { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,400]}}""", "outside the file" },
            { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", "outside the file" },
            { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "takes 8 bytes" },
            { """{"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}}""", "unknown dtype" },
            { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "whole numbers" },
            { """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}""", "too large" },
            {
                """
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                     "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}
                    """,
                "overlaps"
            },
            {
                """
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                     "a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}
                    """,
                "not valid JSON"
            },
            { """{"a":{"shape":[2]}}""", "needs dtype" },
            {
                """
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                     "b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}
                    """,
                "belong to no tensor"
            },
            { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "bytes at the end belong to no tensor" },
            { """{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,16]}}""", "takes 16 bytes" },
            {
                """{"a":{"dtype":"F32","shape":[0,1152921504606846976,1152921504606846976],"data_offsets":[0,0]}}""",
                "too large"
            },
            { """{"a":{"dtype":"F32","shape":[1e3],"data_offsets":[0,16]}}""", "whole numbers" },
            { """{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551632]}}""", "outside the file" },
            { """{"\ud800":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", "no valid Unicode" },
            {
                """{"__metadata__":{"format":1},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""",
                "is not text"
            },
            {
                """{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}}""",
                "17 dimensions"
            },
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

    [Theory]
    [InlineData(100_000_001UL, "at most 100000000")]
    [InlineData(1UL << 60, "at most 100000000")]
    [InlineData(ulong.MaxValue, "at most 100000000")]
    [InlineData(17UL, "only 16 follow")]
    public void A_header_longer_than_the_file_or_the_limit_is_not_read(ulong length, string expected)
    {
        using var folder = new TemporaryFolder();
        var prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        File.WriteAllBytes(folder["h.safetensors"], [.. prefix, .. new byte[16]]);
        Assert.Contains(
            expected,
            Assert.Throws<DamagedFileException>(() => SafetensorsFile.Open(folder["h.safetensors"])).Message,
            StringComparison.Ordinal
        );
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
    public void A_mapped_tensor_holds_the_bits_of_a_copied_one_wherever_it_lies()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        // A single byte in front pushes the others off their alignment; those are copied.
        SafetensorsWriter.Write(
            folder["t.safetensors"],
            [
                new("a", randn(3, 5)),
                new("byte", ones(1, dtype: ScalarType.Byte)),
                new("b", randn(4).to(ScalarType.BFloat16)),
                new("none", zeros(0, 2)),
            ]
        );
        var file = SafetensorsFile.Open(folder["t.safetensors"]);
        Assert.Equal(0, file.Entries["a"].Offset % 64);
        Assert.True(Tensors.SameBits(file.Read("a"), file.Map("a")!));
        Assert.Null(file.Map("b"));
        Assert.Null(file.Map("none"));
        Assert.Equal(4, file.Read("b").shape[0]);
    }

    [Fact]
    public void What_is_written_to_a_mapped_tensor_never_reaches_the_file()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", randn(64, 64))]);
        var before = File.ReadAllBytes(folder["t.safetensors"]);
        var file = SafetensorsFile.Open(folder["t.safetensors"]);
        using (var mapped = file.Map("a")!)
            mapped.add_(1);
        Assert.Equal(before, File.ReadAllBytes(folder["t.safetensors"]));

        var other = file.Map("a")!;
        other.zero_();
        Assert.NotEqual(0, file.Map("a")!.abs().sum().ToDouble()); // each mapping sees the file, not another's changes
        Assert.Equal(before, File.ReadAllBytes(folder["t.safetensors"]));
    }

    [Fact]
    public void A_file_that_is_mapped_can_be_written_anew()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", ones(1000))]);
        var mapped = SafetensorsFile.Open(folder["t.safetensors"]).Map("a")!;
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", zeros(3))]);
        Assert.Equal(1000, mapped.sum().ToDouble());
        Assert.Equal(["t.safetensors"], Directory.EnumerateFiles(folder.Path).Select(f => Path.GetFileName(f)));
    }

    [Fact]
    public void A_failed_write_leaves_the_file_that_was_there()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", ones(3))]);
        var before = File.ReadAllBytes(folder["t.safetensors"]);
        Assert.Throws<NotSupportedException>(() =>
            SafetensorsWriter.Write(folder["t.safetensors"], [new("a", zeros(3, dtype: ScalarType.ComplexFloat32))])
        );
        Assert.Equal(before, File.ReadAllBytes(folder["t.safetensors"]));
        Assert.Single(Directory.EnumerateFiles(folder.Path));
    }

    [Fact]
    public void Streaming_converts_as_a_whole_conversion_would()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var values = randn(3000, 1000).to(ScalarType.BFloat16); // more than one piece in float32
        SafetensorsWriter.Write(folder["t.safetensors"], [new("a", values), new("f", values.to(ScalarType.Float64))]);
        var file = SafetensorsFile.Open(folder["t.safetensors"]);
        foreach (
            var (name, type) in new[]
            {
                ("a", ScalarType.Float32),
                ("f", ScalarType.BFloat16),
                ("f", ScalarType.Float64),
            }
        )
        {
            var target = empty(values.shape, dtype: type);
            file.ReadInto(name, target);
            Assert.True(Tensors.SameBits(values.to(type), target), $"{name} as {type}");
        }
    }
}
