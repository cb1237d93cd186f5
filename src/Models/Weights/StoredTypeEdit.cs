using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>Changes the stored type that a config.json names, and not one other byte of it.</summary>
internal static class StoredTypeEdit
{
    /// <summary>
    /// Rewrites <c>torch_dtype</c> and <c>dtype</c> where they stand; adds the former where neither does.
    /// </summary>
    public static void Apply(string path, ScalarType type)
    {
        var name =
            TensorTypes.ConfigName(type) ?? throw new NotSupportedException($"config.json has no name for {type}.");
        var bytes = File.ReadAllBytes(path);
        var edits = new List<(int Start, int Length)>();
        var start = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        var reader = new Utf8JsonReader(bytes.AsSpan(start));
        var open = 0;
        while (reader.Read())
        {
            if (open == 0 && reader.TokenType == JsonTokenType.StartObject)
                open = start + (int)reader.BytesConsumed;
            if (
                reader.TokenType != JsonTokenType.PropertyName
                || reader.CurrentDepth != 1
                || !(reader.ValueTextEquals("torch_dtype") || reader.ValueTextEquals("dtype"))
            )
                continue;
            reader.Read();
            edits.Add((start + (int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex)));
        }
        var text = Encoding.UTF8.GetBytes($"\"{name}\"");
        var result = new List<byte>(bytes);
        foreach (var (at, length) in edits.OrderByDescending(e => e.Start))
        {
            result.RemoveRange(at, length);
            result.InsertRange(at, text);
        }
        if (edits.Count == 0)
            result.InsertRange(open, Encoding.UTF8.GetBytes($"\n  \"torch_dtype\": \"{name}\","));
        File.WriteAllBytes(path, [.. result]);
    }
}
