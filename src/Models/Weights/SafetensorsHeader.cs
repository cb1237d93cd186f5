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

/// <summary>
/// Reads and checks the header of a safetensors file, in full, before any value is read. Nothing in it is trusted, and
/// nothing it claims is allocated.
/// </summary>
/// <param name="path">Named in every error.</param>
internal sealed class SafetensorsHeader(string path)
{
    private const long MaxHeaderBytes = 100_000_000;
    private const int MaxDimensions = 16;

    private long _dataStart,
        _fileLength;

    /// <summary>The tensors in the order in which they lie in the file.</summary>
    public List<TensorEntry> Entries { get; } = [];

    /// <summary>The free text of <c>__metadata__</c>.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads the header.</summary>
    public SafetensorsHeader Read()
    {
        using var file = UserFile.Open(path);
        _fileLength = file.Length;
        Span<byte> start = stackalloc byte[64];
        start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        if (UserFile.Stranger(start) is var (what, hint))
            throw new InputException(path, what, hint);
        file.Position = 0;
        Span<byte> prefix = stackalloc byte[8];
        if (_fileLength < 8)
            throw Damaged(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"a safetensors file has at least 8 bytes, this one {_fileLength}"
                )
            );
        file.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeaderBytes)
            throw Damaged(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the header claims {length} bytes; at most {MaxHeaderBytes} are read"
                )
            );
        if ((long)length > _fileLength - 8)
            throw Damaged(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the header claims {length} bytes but only {_fileLength - 8} follow"
                )
            );
        _dataStart = 8 + (long)length;
        var header = new byte[length];
        try
        {
            file.ReadExactly(header);
            using var json = JsonDocument.Parse(
                header,
                new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false }
            );
            Take(json.RootElement);
        }
        catch (JsonException e)
        {
            throw Damaged("the header is not valid JSON: " + e.Message, e);
        }
        catch (InvalidOperationException e)
        {
            throw Damaged("the header holds text that is no valid Unicode", e);
        }
        catch (EndOfStreamException e)
        {
            throw Damaged("the file got shorter while it was read", e);
        }
        CheckOrder();
        return this;
    }

    private void Take(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Damaged("the header is not a JSON object");
        foreach (var property in root.EnumerateObject())
        {
            if (property.Name != "__metadata__")
            {
                Entries.Add(Entry(property.Name, property.Value));
                continue;
            }
            if (property.Value.ValueKind != JsonValueKind.Object)
                throw Damaged("__metadata__ is not an object");
            foreach (var m in property.Value.EnumerateObject())
                Metadata[m.Name] =
                    m.Value.ValueKind == JsonValueKind.String
                        ? m.Value.GetString()!
                        : throw Damaged($"__metadata__.{m.Name} is not text");
        }
    }

    // Back to back from the first byte to the last, as the format asks: no overlap, and no room for anything hidden.
    private void CheckOrder()
    {
        Entries.Sort((a, b) => (a.Offset, a.Bytes).CompareTo((b.Offset, b.Bytes)));
        var end = _dataStart;
        foreach (var entry in Entries)
        {
            if (entry.Offset < end)
                throw Damaged($"tensor '{entry.Name}' overlaps the one before it");
            if (entry.Offset > end)
                throw Damaged(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{entry.Offset - end} bytes before tensor '{entry.Name}' belong to no tensor"
                    )
                );
            end = entry.Offset + entry.Bytes;
        }
        if (end != _fileLength)
            throw Damaged(
                string.Create(CultureInfo.InvariantCulture, $"{_fileLength - end} bytes at the end belong to no tensor")
            );
    }

    private TensorEntry Entry(string name, JsonElement value)
    {
        if (
            value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype)
            || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape)
            || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets)
            || offsets.ValueKind != JsonValueKind.Array
            || offsets.GetArrayLength() != 2
        )
            throw Damaged($"tensor '{name}' needs dtype, shape and two data_offsets");
        if (TensorTypes.FromHeader(dtype.GetString()!) is not { } type)
            throw Damaged(
                $"tensor '{name}' has the unknown dtype '{dtype.GetString()}'; known are "
                    + $"{string.Join(", ", TensorTypes.Names)}"
            );
        var size = TensorTypes.SizeOf(type);
        var (sizes, count) = Shape(name, shape);
        if (
            offsets[0].ValueKind != JsonValueKind.Number
            || offsets[1].ValueKind != JsonValueKind.Number
            || !offsets[0].TryGetInt64(out var begin)
            || !offsets[1].TryGetInt64(out var end)
            || begin < 0
            || end < begin
            || end > _fileLength - _dataStart
        )
            throw Damaged(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"tensor '{name}' lies outside the file, "
                        + $"which holds {_fileLength - _dataStart} bytes of values: is it truncated?"
                )
            );
        if (count > long.MaxValue / size || count * size != end - begin)
            throw Damaged(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"tensor '{name}' takes {end - begin} bytes, but its shape needs {count} values of {size}"
                )
            );
        return new TensorEntry(name, type, sizes, _dataStart + begin, end - begin);
    }

    private (long[] Sizes, long Count) Shape(string name, JsonElement shape)
    {
        if (shape.GetArrayLength() > MaxDimensions)
            throw Damaged($"tensor '{name}' has {shape.GetArrayLength()} dimensions");
        var sizes = new List<long>();
        foreach (var s in shape.EnumerateArray())
            if (s.ValueKind == JsonValueKind.Number && s.TryGetInt64(out var n) && n >= 0)
                sizes.Add(n);
            else
                throw Damaged($"tensor '{name}' has a shape with something other than whole numbers from 0");
        // Zeros are left out of the product that must not overflow: [0, 2^40, 2^40] holds nothing, but no library could
        // make it.
        try
        {
            var product = sizes.Where(n => n > 0).Aggregate(1L, (p, n) => checked(p * n));
            return ([.. sizes], sizes.Contains(0) ? 0 : product);
        }
        catch (OverflowException)
        {
            throw Damaged($"tensor '{name}' has a shape too large to exist");
        }
    }

    private DamagedFileException Damaged(string problem, Exception? inner = null) =>
        new(path, problem, "copy or download the file again; no tensor of it was used", inner);
}
