using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>One tensor as a file describes it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Its shape; empty for a scalar.</param>
/// <param name="Offset">Byte offset in the file.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record TensorEntry(string Name, ScalarType Type, long[] Shape, long Offset, long Bytes);

/// <summary>Reads a safetensors file: 8 bytes of header length, a JSON header, then raw little-endian values. Nothing in it is trusted.</summary>
/// <remarks>The header is checked in full before any value is read: a damaged or hostile file is refused by name of file and tensor.</remarks>
public sealed class SafetensorsFile
{
    private const long MaxHeaderBytes = 100_000_000;
    private static readonly Dictionary<string, (ScalarType Type, int Size)> Types = new(StringComparer.Ordinal)
    {
        ["F64"] = (ScalarType.Float64, 8),
        ["F32"] = (ScalarType.Float32, 4),
        ["F16"] = (ScalarType.Float16, 2),
        ["BF16"] = (ScalarType.BFloat16, 2),
        ["I64"] = (ScalarType.Int64, 8),
        ["I32"] = (ScalarType.Int32, 4),
        ["I16"] = (ScalarType.Int16, 2),
        ["I8"] = (ScalarType.Int8, 1),
        ["U8"] = (ScalarType.Byte, 1),
        ["BOOL"] = (ScalarType.Bool, 1),
    };

    private readonly string _path;
    private readonly Dictionary<string, TensorEntry> _entries;

    private SafetensorsFile(string path, Dictionary<string, TensorEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        _path = path;
        _entries = entries;
        Metadata = metadata;
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>The free text of <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="InputException">There is no such file.</exception>
    /// <exception cref="DamagedFileException">The file is truncated or breaks the format; the message says where.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path)) throw new InputException(path, "there is no such file");
        using var file = File.OpenRead(path);
        DamagedFileException Damaged(string problem, Exception? inner = null) =>
            new(path, problem, "copy or download the file again; no tensor of it was used", inner);

        Span<byte> prefix = stackalloc byte[8];
        if (file.Length < 8) throw Damaged(string.Create(CultureInfo.InvariantCulture, $"a safetensors file has at least 8 bytes, this one {file.Length}"));
        file.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeaderBytes) throw Damaged(string.Create(CultureInfo.InvariantCulture, $"the header claims {length} bytes; at most {MaxHeaderBytes} are read"));
        if ((long)length > file.Length - 8) throw Damaged(string.Create(CultureInfo.InvariantCulture, $"the header claims {length} bytes but only {file.Length - 8} follow"));
        var header = new byte[length];
        file.ReadExactly(header);

        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            return Checked(path, json.RootElement, 8 + (long)length, file.Length, Damaged);
        }
        catch (JsonException e)
        {
            throw Damaged("the header is not valid JSON: " + e.Message, e);
        }
    }

    /// <summary>Copies one tensor out of the file.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name, or the file got shorter.</exception>
    public Tensor Read(string name)
    {
        if (!_entries.TryGetValue(name, out var entry)) throw new DamagedFileException(_path, $"there is no tensor '{name}'");
        using var quiet = no_grad();
        var result = empty(entry.Shape, dtype: entry.Type);
        if (entry.Bytes == 0) return result;
        using var file = File.OpenHandle(_path, options: FileOptions.SequentialScan);
        const int Chunk = 1 << 26;   // .bytes is limited to 2 GiB, and a bounded read keeps the peak low
        using var flat = result.view(-1);
        var size = entry.Bytes / flat.numel();
        for (long done = 0; done < entry.Bytes;)
        {
            var count = Math.Min(Chunk / size * size, entry.Bytes - done);
            using var part = flat.narrow(0, done / size, count / size);
            var target = part.bytes;
            for (var read = 0; read < count;)
            {
                var n = RandomAccess.Read(file, target[read..(int)count], entry.Offset + done + read);
                if (n == 0) throw new DamagedFileException(_path, $"the file ends inside tensor '{name}'", "it changed while it was read");
                read += n;
            }
            done += count;
        }
        return result;
    }

    /// <summary>Reads every tensor.</summary>
    public Dictionary<string, Tensor> ReadAll() => _entries.Keys.ToDictionary(n => n, Read, StringComparer.Ordinal);

    private static SafetensorsFile Checked(string path, JsonElement root, long dataStart, long fileLength, Func<string, Exception?, DamagedFileException> damaged)
    {
        if (root.ValueKind != JsonValueKind.Object) throw damaged("the header is not a JSON object", null);
        var entries = new Dictionary<string, TensorEntry>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in root.EnumerateObject())
        {
            if (property.Name == "__metadata__")
            {
                if (property.Value.ValueKind != JsonValueKind.Object) throw damaged("__metadata__ is not an object", null);
                foreach (var m in property.Value.EnumerateObject())
                    metadata[m.Name] = m.Value.ValueKind == JsonValueKind.String ? m.Value.GetString()! : throw damaged($"__metadata__.{m.Name} is not text", null);
                continue;
            }
            entries.Add(property.Name, Entry(property.Name, property.Value, dataStart, fileLength, damaged));
        }
        long end = dataStart;
        foreach (var entry in entries.Values.OrderBy(e => e.Offset).ThenBy(e => e.Bytes))
        {
            if (entry.Offset < end) throw damaged($"tensor '{entry.Name}' overlaps the one before it", null);
            end = entry.Offset + entry.Bytes;
        }
        return new SafetensorsFile(path, entries, metadata);
    }

    private static TensorEntry Entry(string name, JsonElement value, long dataStart, long fileLength, Func<string, Exception?, DamagedFileException> damaged)
    {
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
            throw damaged($"tensor '{name}' needs dtype, shape and two data_offsets", null);
        if (!Types.TryGetValue(dtype.GetString()!, out var type))
            throw damaged($"tensor '{name}' has the unknown dtype '{dtype.GetString()}'; known are {string.Join(", ", Types.Keys)}", null);
        var sizes = new List<long>();
        long count = 1;
        foreach (var s in shape.EnumerateArray())
        {
            if (s.ValueKind != JsonValueKind.Number || !s.TryGetInt64(out var n) || n < 0) throw damaged($"tensor '{name}' has a shape with something other than whole numbers from 0", null);
            sizes.Add(n);
            try
            {
                count = checked(count * n);
            }
            catch (OverflowException)
            {
                throw damaged($"tensor '{name}' has a shape too large to exist", null);
            }
        }
        if (sizes.Count > 16) throw damaged($"tensor '{name}' has {sizes.Count} dimensions", null);
        if (offsets[0].ValueKind != JsonValueKind.Number || offsets[1].ValueKind != JsonValueKind.Number
            || !offsets[0].TryGetInt64(out var begin) || !offsets[1].TryGetInt64(out var end) || begin < 0 || end < begin || end > fileLength - dataStart)
            throw damaged(string.Create(CultureInfo.InvariantCulture, $"tensor '{name}' lies outside the file, which holds {fileLength - dataStart} bytes of values: is it truncated?"), null);
        if (count > long.MaxValue / type.Size || count * type.Size != end - begin)
            throw damaged(string.Create(CultureInfo.InvariantCulture, $"tensor '{name}' takes {end - begin} bytes, but its shape needs {count} values of {type.Size}"), null);
        return new TensorEntry(name, type.Type, [.. sizes], dataStart + begin, end - begin);
    }
}
