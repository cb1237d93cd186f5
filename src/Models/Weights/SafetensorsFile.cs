using EditUnlearn.Foundation;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>A safetensors file: 8 bytes of header length, a JSON header, then raw little-endian values.</summary>
/// <remarks>
/// Three ways to a tensor: <see cref="Read"/> copies, <see cref="ReadInto"/> streams into a tensor of any type and
/// device through a small buffer, <see cref="Map"/> lays it over the file without copying. A damaged or hostile file is
/// refused by name of file and tensor.
/// </remarks>
public sealed class SafetensorsFile
{
    // Small enough for the allocator to hand out the same memory again: fresh pages cost more than the bytes in them.
    private const int Chunk = 1 << 22;

    private readonly Dictionary<string, TensorEntry> _entries;

    private SafetensorsFile(string path, SafetensorsHeader header)
    {
        Path = path;
        InOrder = header.Entries;
        _entries = header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        Metadata = header.Metadata;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Entries => _entries;

    /// <summary>The tensors in the order in which they lie in the file.</summary>
    public IReadOnlyList<TensorEntry> InOrder { get; }

    /// <summary>The free text of <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="InputException">There is no such file.</exception>
    /// <exception cref="DamagedFileException">The file is truncated or breaks the format; the message says
    /// where.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file");
        return new SafetensorsFile(path, new SafetensorsHeader(path).Read());
    }

    /// <summary>Copies one tensor out of the file.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name, or the file got shorter.</exception>
    public Tensor Read(string name)
    {
        var entry = Entry(name);
        var result = empty(entry.Shape, dtype: entry.Type);
        ReadInto(name, result);
        return result;
    }

    /// <summary>Copies every tensor out of the file.</summary>
    public Dictionary<string, Tensor> ReadAll() => _entries.Keys.ToDictionary(n => n, Read, StringComparer.Ordinal);

    /// <summary>
    /// Streams one tensor into <paramref name="target"/>, converted to its type and moved to its device piece by piece:
    /// no second copy is held.
    /// </summary>
    /// <param name="name">Its name.</param>
    /// <param name="target">Contiguous, of the same shape.</param>
    /// <param name="seen">Shown the raw values of each piece, for checks.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name, or the file got shorter.</exception>
    public void ReadInto(string name, Tensor target, Action<Tensor>? seen = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        var entry = Entry(name);
        if (!target.shape.SequenceEqual(entry.Shape))
            throw new ArgumentException(
                $"'{name}' is [{string.Join(", ", entry.Shape)}], not [{string.Join(", ", target.shape)}].",
                nameof(target)
            );
        if (!target.is_contiguous())
            throw new ArgumentException("Only a contiguous tensor can be read into.", nameof(target));
        if (entry.Bytes == 0)
            return;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var file = File.OpenHandle(Path, options: FileOptions.SequentialScan);
        var direct = target.dtype == entry.Type && target.device_type == DeviceType.CPU;
        var size = TensorTypes.SizeOf(entry.Type);
        long count = entry.Bytes / size,
            step = Math.Min(count, Chunk / size);
        var flat = target.view(-1);
        var buffer = direct ? null : empty(step, dtype: entry.Type);
        for (long at = 0; at < count; at += step)
        {
            using var inner = NewDisposeScope();
            var n = Math.Min(step, count - at);
            var place = flat.narrow(0, at, n);
            var piece = direct ? place : buffer!.narrow(0, 0, n);
            Fill(file, piece.bytes, entry.Offset + at * size, name);
            seen?.Invoke(piece);
            if (!direct)
                place.copy_(piece);
        }
    }

    /// <summary>Shows the raw values of one tensor piece by piece, through a small buffer.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="see">Shown each piece; it is gone afterwards.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name, or the file got shorter.</exception>
    public void Scan(string name, Action<Tensor> see)
    {
        ArgumentNullException.ThrowIfNull(see);
        var entry = Entry(name);
        if (entry.Bytes == 0)
            return;
        using var scope = NewDisposeScope();
        using var file = File.OpenHandle(Path, options: FileOptions.SequentialScan);
        var size = TensorTypes.SizeOf(entry.Type);
        long count = entry.Bytes / size,
            step = Math.Min(count, Chunk / size);
        var buffer = empty(step, dtype: entry.Type);
        for (long at = 0; at < count; at += step)
        {
            using var piece = buffer.narrow(0, 0, Math.Min(step, count - at));
            Fill(file, piece.bytes, entry.Offset + at * size, name);
            see(piece);
        }
    }

    /// <summary>Copies bytes as they stand in the file.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="from">First byte of it.</param>
    /// <param name="target">Filled.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name, or the file got shorter.</exception>
    public void ReadBytes(string name, long from, Span<byte> target)
    {
        var entry = Entry(name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from + target.Length, entry.Bytes);
        using var file = File.OpenHandle(Path);
        Fill(file, target, entry.Offset + from, name);
    }

    /// <summary>
    /// Lays one tensor over the file without copying; null where its values do not lie on a multiple of their size, or
    /// the system will not map the file.
    /// </summary>
    /// <remarks>
    /// The mapping is private: what is written to the tensor stays in memory, page by page, and never reaches the file.
    /// Untouched pages belong to the system's file cache. The file must not be cut short while the tensor lives;
    /// replacing or deleting it does no harm.
    /// </remarks>
    /// <param name="name">Its name.</param>
    /// <exception cref="DamagedFileException">There is no tensor of that name.</exception>
    public Tensor? Map(string name)
    {
        var entry = Entry(name);
        var size = TensorTypes.SizeOf(entry.Type);
        if (entry.Bytes == 0 || entry.Offset % size != 0)
            return null;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        try
        {
            var whole = from_file(Path, shared: false, size: (entry.Offset + entry.Bytes) / size, dtype: entry.Type);
            return whole.narrow(0, entry.Offset / size, entry.Bytes / size).view(entry.Shape).MoveToOuterDisposeScope();
        }
        catch (System.Runtime.InteropServices.ExternalException)
        {
            return null;
        }
    }

    private TensorEntry Entry(string name) =>
        _entries.TryGetValue(name, out var entry)
            ? entry
            : throw new DamagedFileException(Path, $"there is no tensor '{name}'");

    private void Fill(SafeFileHandle file, Span<byte> target, long offset, string name)
    {
        for (var read = 0; read < target.Length;)
        {
            var n = RandomAccess.Read(file, target[read..], offset + read);
            if (n == 0)
                throw new DamagedFileException(
                    Path,
                    $"the file ends inside tensor '{name}'",
                    "it changed while it was read"
                );
            read += n;
        }
    }
}
