using System.Collections;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using EditUnlearn.Foundation;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace EditUnlearn.Artifacts;

/// <summary>
/// Rows on disk: Parquet with the schema of a record. The same rows give the same bytes; a file from a stranger is
/// checked before it is believed.
/// </summary>
public static class ParquetTable
{
    // Zstandard's bytes do not depend on the processor, Snappy's do. Tables are small and many: its best took a sixth
    // of the time of scoring.
    private static readonly ParquetOptions Options = new()
    {
        CompressionMethod = CompressionMethod.Zstd,
        CompressionLevel = CompressionLevel.Fastest,
    };

    /// <summary>Writes a table.</summary>
    /// <param name="path">An existing file is replaced.</param>
    /// <param name="rows">May be empty.</param>
    /// <param name="metadata">Free text, by name.</param>
    public static void Write<T>(
        string path,
        IReadOnlyCollection<T> rows,
        IReadOnlyDictionary<string, string>? metadata = null
    )
        where T : class, new()
    {
        ArgumentNullException.ThrowIfNull(rows);
        using var file = new FileStream(path, FileMode.Create, FileAccess.ReadWrite);
        ParquetSerializer
            .SerializeAsync(rows, file, Options, metadata ?? new Dictionary<string, string>())
            .GetAwaiter()
            .GetResult();
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads a table.</summary>
    /// <exception cref="InputException">There is no such file.</exception>
    /// <exception cref="DamagedFileException">It is not Parquet, is truncated, or its columns are not those of the
    /// record.</exception>
    public static IReadOnlyList<T> Read<T>(string path)
        where T : class, new() =>
        Guarded(
            path,
            () =>
            {
                CheckSchema(
                    path,
                    ParquetReader.ReadSchemaAsync(path).GetAwaiter().GetResult(),
                    typeof(T).GetParquetSchema(forWriting: true)
                );
                using var file = File.OpenRead(path);
                return (IReadOnlyList<T>)
                    [.. ParquetSerializer.DeserializeAsync<T>(file, Options).GetAwaiter().GetResult().Data];
            }
        );

    /// <summary>Reads any table as text, for looking at it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">Rows to return at most.</param>
    /// <returns>Column names, the first rows, and how many there are.</returns>
    public static (IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, long Total) ReadAny(
        string path,
        int limit
    ) =>
        Guarded(
            path,
            () =>
            {
                using var file = File.OpenRead(path);
                var result = ParquetSerializer.DeserializeUntypedAsync(file, Options).GetAwaiter().GetResult();
                var columns = result.Schema.Fields.Select(f => f.Name).ToList();
                IReadOnlyList<IReadOnlyList<string>> rows =
                [
                    .. result
                        .Data.Take(limit)
                        .Select(r =>
                            (IReadOnlyList<string>)
                                [.. columns.Select(c => Text(r.TryGetValue(c, out var v) ? v : null))]
                        ),
                ];
                return ((IReadOnlyList<string>)columns, rows, (long)result.Data.Count);
            }
        );

    /// <summary>
    /// Reads any table by column name: text as <c>string</c>, lists of text as <c>IEnumerable&lt;string&gt;</c>, the
    /// rest as the library gives it.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">Rows to return at most.</param>
    /// <exception cref="InputException">There is no such file.</exception>
    /// <exception cref="DamagedFileException">It is not Parquet, or is truncated.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, object?>> ReadObjects(string path, int limit) =>
        Guarded(
            path,
            "take it again from where it came",
            () =>
            {
                using var file = File.OpenRead(path);
                var result = ParquetSerializer.DeserializeUntypedAsync(file, Options).GetAwaiter().GetResult();
                return (IReadOnlyList<IReadOnlyDictionary<string, object?>>)
                    [
                        .. result
                            .Data.Take(limit)
                            .Select(r =>
                                result.Schema.Fields.ToDictionary(f => f.Name, f => Plain(r.GetValueOrDefault(f.Name)))
                            ),
                    ];
            }
        );

    private static object? Plain(object? value) =>
        value switch
        {
            null or string => value,
            ReadOnlyMemory<char> text => text.ToString(),
            IDictionary => value,
            IEnumerable list => list.Cast<object?>().Select(Plain).OfType<string>().ToList(),
            _ => value,
        };

    private static T Guarded<T>(string path, Func<T> read) =>
        Guarded(path, "make it again: eu-stage repro --force CELL", read);

    private static T Guarded<T>(string path, string hint, Func<T> read)
    {
        using (var file = UserFile.Open(path))
        {
            Span<byte> start = stackalloc byte[64];
            start = start[..file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
            if (!start.StartsWith("PAR1"u8) && UserFile.Stranger(start) is var (what, better))
                throw new InputException(path, what, better);
            if (start.Length > 0 && start[0] is (byte)'{' or (byte)'[')
                throw new InputException(path, "is JSON, not Parquet", "name it .jsonl");
        }
        try
        {
            ParquetStructure.Check(path);
            return read();
        }
        catch (Exception e) when (e is not (DamagedFileException or InputException or OutOfMemoryException))
        {
            // The library answers a truncated or foreign file with exceptions of many kinds.
            throw new DamagedFileException(
                path,
                "cannot be read as Parquet: " + e.Message,
                hint,
                e
            );
        }
    }

    private static void CheckSchema(string path, ParquetSchema found, ParquetSchema expected)
    {
        var problems = new StringBuilder();
        foreach (var field in expected.Fields)
            if (found.Fields.FirstOrDefault(f => f.Name == field.Name) is not { } other)
                problems.Append(CultureInfo.InvariantCulture, $", the column '{field.Name}' is missing");
            else if (
                other.SchemaType != field.SchemaType
                || (field is DataField a && other is DataField b && a.ClrType != b.ClrType)
            )
                problems.Append(
                    CultureInfo.InvariantCulture,
                    $", the column '{field.Name}' is {Type(other)}, not {Type(field)}"
                );
        if (problems.Length > 0)
            throw new DamagedFileException(
                path,
                problems.ToString(2, problems.Length - 2),
                "it was written by another version or for another table: run the stage again"
            );
    }

    private static string Type(Field field) => field is DataField d ? d.ClrType.Name : field.SchemaType.ToString();

    private static string Text(object? value) =>
        value switch
        {
            null => "",
            string s => s,
            double or float => ((IFormattable)value).ToString("0.####", CultureInfo.InvariantCulture),
            IDictionary map => string.Join(", ", map.Keys.Cast<object>().Select(k => $"{k}: {Text(map[k])}")),
            IEnumerable list => "[" + string.Join(", ", list.Cast<object?>().Select(Text)) + "]",
            IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString() ?? "",
        };
}
