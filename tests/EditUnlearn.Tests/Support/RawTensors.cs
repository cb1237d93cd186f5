using System.Buffers.Binary;
using System.Text.Json;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A reader of safetensors of its own, from the format's description: it shares nothing with the reader under test.
/// </summary>
public static class RawTensors
{
    /// <summary>Type, shape and bytes of every tensor of a folder.</summary>
    public static Dictionary<string, (string Type, string Shape, byte[] Bytes)> Of(string folder)
    {
        var tensors = new Dictionary<string, (string, string, byte[])>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(folder, "*.safetensors"))
        {
            using var stream = File.OpenRead(file);
            var start = new byte[8];
            stream.ReadExactly(start);
            var header = new byte[BinaryPrimitives.ReadInt64LittleEndian(start)];
            stream.ReadExactly(header);
            using var json = JsonDocument.Parse(header);
            foreach (var entry in json.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
            {
                var (from, to) = (
                    entry.Value.GetProperty("data_offsets")[0].GetInt64(),
                    entry.Value.GetProperty("data_offsets")[1].GetInt64()
                );
                stream.Position = 8 + header.Length + from;
                var bytes = new byte[to - from];
                stream.ReadExactly(bytes);
                tensors.Add(
                    entry.Name,
                    (
                        entry.Value.GetProperty("dtype").GetString()!,
                        entry.Value.GetProperty("shape").GetRawText(),
                        bytes
                    )
                );
            }
        }
        return tensors;
    }

    /// <summary>Names of the tensors that differ, sorted; names, types and shapes must be the same.</summary>
    public static string[] Changed(string before, string after)
    {
        var (one, other) = (Of(before), Of(after));
        Assert.NotEmpty(one);
        Assert.Equal(one.Keys.Order(StringComparer.Ordinal), other.Keys.Order(StringComparer.Ordinal));
        Assert.All(one, t => Assert.Equal((t.Value.Type, t.Value.Shape), (other[t.Key].Type, other[t.Key].Shape)));
        return
        [
            .. one.Where(t => !t.Value.Bytes.AsSpan().SequenceEqual(other[t.Key].Bytes))
                .Select(t => t.Key)
                .Order(StringComparer.Ordinal),
        ];
    }
}
