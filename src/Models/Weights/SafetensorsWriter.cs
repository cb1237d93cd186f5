using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// Writes tensors in the safetensors layout. Values begin on a multiple of 64 bytes, so that a reader may map them.
/// </summary>
/// <remarks>
/// The file is written beside its place and renamed: whoever has the old one open or mapped keeps it whole.
/// </remarks>
public static class SafetensorsWriter
{
    private const int Chunk = 1 << 22;

    /// <summary>Writes a file.</summary>
    /// <param name="path">Where; an existing file is replaced.</param>
    /// <param name="tensors">In this order; any device.</param>
    /// <param name="metadata">Free text for <c>__metadata__</c>, or null.</param>
    /// <exception cref="NotSupportedException">A tensor's element type has no safetensors name.</exception>
    public static void Write(
        string path,
        IEnumerable<KeyValuePair<string, Tensor>> tensors,
        IReadOnlyDictionary<string, string>? metadata = null
    )
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var all = tensors
            .Select(t => new OutgoingTensor(
                t.Key,
                t.Value.dtype,
                t.Value.shape,
                file => WriteValues(file, t.Value, t.Value.dtype)
            ))
            .ToList();
        Write(path, all, metadata);
    }

    /// <summary>Writes a file whose values are made one tensor at a time.</summary>
    /// <param name="path">Where; an existing file is replaced.</param>
    /// <param name="tensors">In this order.</param>
    /// <param name="metadata">Free text for <c>__metadata__</c>, or null.</param>
    public static void Write(
        string path,
        IReadOnlyList<OutgoingTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata
    )
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var header = Header(tensors, metadata);
        var partial = path + ".partial";
        try
        {
            using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1))
            {
                Span<byte> prefix = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
                file.Write(prefix);
                file.Write(header);
                using var quiet = no_grad();
                foreach (var tensor in tensors)
                {
                    var begin = file.Position;
                    tensor.Values(file);
                    if (file.Position - begin != tensor.Bytes)
                        throw new InvalidOperationException(
                            $"{tensor.Name} took {file.Position - begin} bytes, not {tensor.Bytes}."
                        );
                }
                file.Flush(flushToDisk: true);
            }
            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>Writes the values of a tensor, converted piece by piece.</summary>
    internal static void WriteValues(Stream file, Tensor tensor, ScalarType type)
    {
        if (tensor.numel() == 0)
            return;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var flat = tensor.detach().contiguous().view(-1);
        long step = Chunk / TensorTypes.SizeOf(type);
        for (long i = 0; i < flat.numel(); i += step)
        {
            using var inner = NewDisposeScope();
            file.Write(flat.narrow(0, i, Math.Min(step, flat.numel() - i)).to(type).cpu().bytes);
        }
    }

    private static byte[] Header(IReadOnlyList<OutgoingTensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is not null)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", TensorTypes.HeaderName(tensor.Type));
                json.WriteStartArray("shape");
                foreach (var n in tensor.Shape)
                    json.WriteNumberValue(n);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // Spaces after the JSON bring the values, which begin 8 bytes further, to a multiple of 64.
        while ((buffer.Length + 8) % 64 != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }
}

/// <summary>A tensor on its way into a file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type in the file.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Values">Writes exactly its bytes.</param>
public sealed record OutgoingTensor(string Name, ScalarType Type, long[] Shape, Action<Stream> Values)
{
    /// <summary>Length in bytes.</summary>
    public long Bytes { get; } = Shape.Aggregate(1L, (p, n) => p * n) * TensorTypes.SizeOf(Type);
}
