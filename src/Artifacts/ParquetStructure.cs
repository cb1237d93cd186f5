using System.Buffers.Binary;
using EditUnlearn.Foundation;

namespace EditUnlearn.Artifacts;

/// <summary>
/// A look at the structure of a Parquet file before the library believes it: lengths and counts that a file cannot hold
/// would keep the library busy, or its memory full, for hours.
/// </summary>
/// <remarks>
/// Source: the Parquet format, file metadata and page headers. Metadata are Thrift's compact protocol; the values
/// themselves are left to the library.
/// </remarks>
internal sealed class ParquetStructure
{
    private const int MaxFooter = 64 << 20;
    private const int MaxPage = 256 << 20;
    private const long MaxValues = 10_000_000;

    // Field numbers of the format.
    private const int Rows = 3,
        RowGroups = 4,
        Columns = 1,
        ColumnMeta = 3,
        ColumnValues = 5,
        CompressedSize = 7,
        DataPage = 9,
        DictionaryPage = 11,
        PageUncompressed = 2,
        PageCompressed = 3;
    private static readonly int[] PageKinds = [5, 7, 8];

    private readonly string _path;
    private readonly FileStream _file;

    private ParquetStructure(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Looks at a file.</summary>
    /// <exception cref="DamagedFileException">It contradicts itself.</exception>
    /// <exception cref="InputException">It is larger than what is read here.</exception>
    public static void Check(string path)
    {
        using var file = File.OpenRead(path);
        new ParquetStructure(path, file).Check();
    }

    private void Check()
    {
        if (_file.Length < 12)
            throw Damage("it ends before its first table");
        var end = Bytes(_file.Length - 8, 8);
        if (!end.AsSpan(4).SequenceEqual("PAR1"u8))
            throw Damage("it does not end as Parquet does");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(end);
        if (length > MaxFooter || length > _file.Length - 12)
            throw Damage($"its description claims {length} bytes");
        var start = _file.Length - 8 - length;
        var footer = Parse(Bytes(start, (int)length)).Root;
        if (footer.Number(Rows) is < 0 or > MaxValues)
            throw TooMany(footer.Number(Rows) ?? 0);
        foreach (var group in footer.List(RowGroups))
            foreach (var column in group.List(Columns))
                if (column.Field(ColumnMeta) is { } meta)
                    CheckPages(meta, start);
    }

    private void CheckPages(ThriftNode meta, long end)
    {
        var values = meta.Number(ColumnValues) ?? 0;
        if (values is < 0 or > MaxValues)
            throw TooMany(values);
        var at = Math.Min(meta.Number(DataPage) ?? long.MaxValue, meta.Number(DictionaryPage) ?? long.MaxValue);
        var size = meta.Number(CompressedSize) ?? 0;
        if (at < 4 || at > end || size < 0 || size > end - at)
            throw Damage("a column lies outside of the file");
        long seen = 0;
        for (var last = at + size; at < last;)
        {
            var (header, bytes) = Parse(Bytes(at, (int)Math.Min(last - at, 1 << 16)));
            var (held, grown) = (header.Number(PageCompressed), header.Number(PageUncompressed));
            if (held is null or < 0 || held > last - at - bytes || grown is null or < 0)
                throw Damage("a page is longer than its column");
            if (grown > MaxPage)
                throw new InputException(_path, $"has a page of {grown} bytes; at most {MaxPage} are read");
            foreach (var kind in PageKinds)
                if (header.Field(kind)?.Number(1) is { } count)
                    if (count is < 0 or > MaxValues || (kind != 7 && (seen += count) > values))
                        throw Damage("its pages hold more values than their column");
            at += bytes + held.Value;
        }
    }

    private (ThriftNode Root, int Bytes) Parse(byte[] bytes)
    {
        var reader = new ThriftReader(bytes);
        try
        {
            return (reader.Struct(), reader.Position);
        }
        catch (FormatException e)
        {
            throw Damage(e.Message);
        }
    }

    private byte[] Bytes(long at, int count)
    {
        var bytes = new byte[count];
        _file.Position = at;
        _file.ReadExactly(bytes);
        return bytes;
    }

    private DamagedFileException Damage(string what) =>
        new(_path, "cannot be read as Parquet: " + what, "take it again from where it came");

    private InputException TooMany(long rows) => new(_path, $"claims {rows} rows; at most {MaxValues} are read");
}
