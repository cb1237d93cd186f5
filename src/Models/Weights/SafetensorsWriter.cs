using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>Writes tensors in the safetensors layout, values aligned to 8 bytes as current readers expect.</summary>
public static class SafetensorsWriter
{
    private const int Chunk = 1 << 26;

    /// <summary>Writes a file.</summary>
    /// <param name="path">Where; an existing file is replaced.</param>
    /// <param name="tensors">In this order; any device.</param>
    /// <param name="metadata">Free text for <c>__metadata__</c>, or null.</param>
    /// <exception cref="NotSupportedException">A tensor's element type has no safetensors name.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var all = tensors.ToList();
        var header = Header(all, metadata);
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        file.Write(prefix);
        file.Write(header);
        using var quiet = no_grad();
        foreach (var (_, tensor) in all) WriteValues(file, tensor);
        file.Flush(flushToDisk: true);
    }

    private static byte[] Header(List<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, tensor) in tensors)
            {
                var (type, size) = TypeOf(tensor.dtype);
                var bytes = tensor.numel() * size;
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                json.WriteStartArray("shape");
                foreach (var n in tensor.shape) json.WriteNumberValue(n);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset + bytes);
                json.WriteEndArray();
                json.WriteEndObject();
                offset += bytes;
            }
            json.WriteEndObject();
        }
        // Spaces after the JSON bring the values to a multiple of 8.
        while (buffer.Length % 8 != 0) buffer.Write(Encoding.ASCII.GetBytes(" "));
        return buffer.ToArray();
    }

    private static void WriteValues(FileStream file, Tensor tensor)
    {
        if (tensor.numel() == 0) return;
        using var scope = NewDisposeScope();
        var flat = tensor.detach().cpu().contiguous().view(-1);
        var size = TypeOf(tensor.dtype).Size;
        long step = Chunk / size;
        for (long i = 0; i < flat.numel(); i += step)
        {
            using var part = flat.narrow(0, i, Math.Min(step, flat.numel() - i)).clone();
            file.Write(part.bytes);
        }
    }

    private static (string Name, int Size) TypeOf(ScalarType type) => type switch
    {
        ScalarType.Float64 => ("F64", 8),
        ScalarType.Float32 => ("F32", 4),
        ScalarType.Float16 => ("F16", 2),
        ScalarType.BFloat16 => ("BF16", 2),
        ScalarType.Int64 => ("I64", 8),
        ScalarType.Int32 => ("I32", 4),
        ScalarType.Int16 => ("I16", 2),
        ScalarType.Int8 => ("I8", 1),
        ScalarType.Byte => ("U8", 1),
        ScalarType.Bool => ("BOOL", 1),
        _ => throw new NotSupportedException($"safetensors has no name for {type}."),
    };
}
