using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Artifacts;

/// <summary>
/// Comma-separated values as RFC 4180 has them: quoted where a comma, a quote or a line end asks for it.
/// </summary>
public static class Csv
{
    private const int MaxFieldLength = 1_000_000;

    /// <summary>A field as written.</summary>
    public static string Quote(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.AsSpan().IndexOfAny(",\"\n\r") < 0
            ? text
            : "\"" + text.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
    }

    /// <summary>Reads a file whose first line names the columns.</summary>
    /// <param name="path">The file.</param>
    /// <param name="required">Columns that must be there.</param>
    /// <returns>The rows by column name, each with its 1-based line.</returns>
    /// <exception cref="InputException">The file is absent, a column is missing, or a line has too few or too many
    /// fields; all such lines at once.</exception>
    public static IReadOnlyList<(int Line, IReadOnlyDictionary<string, string> Fields)> Read(
        string path,
        params string[] required
    )
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file");
        return Parse(File.ReadAllText(path), path, required);
    }

    /// <summary>Reads a text; see <see cref="Read"/>.</summary>
    public static IReadOnlyList<(int Line, IReadOnlyDictionary<string, string> Fields)> Parse(
        string text,
        string path,
        params string[] required
    )
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(required);
        var records = Records(text, path);
        if (records.Count == 0)
            throw new InputException(
                path,
                "is empty",
                "its first line must name the columns: " + string.Join(',', required)
            );
        var header = records[0].Fields;
        var problems = required
            .Where(r => !header.Contains(r))
            .Select(r => new InputProblem(path, 1, 0, $"the column '{r}' is missing"))
            .ToList();
        if (header.Distinct(StringComparer.Ordinal).Count() < header.Count)
            problems.Add(new InputProblem(path, 1, 0, "a column is named twice"));
        problems.AddRange(
            records
                .Skip(1)
                .Where(r => r.Fields.Count != header.Count)
                .Select(r => new InputProblem(
                    path,
                    r.Line,
                    0,
                    $"has {r.Fields.Count} fields where the first line names {header.Count}"
                ))
        );
        if (problems.Count > 0)
            throw new InputException(problems);
        return
        [
            .. records
                .Skip(1)
                .Select(r =>
                    (
                        r.Line,
                        (IReadOnlyDictionary<string, string>)
                            header.Zip(r.Fields).ToDictionary(p => p.First, p => p.Second, StringComparer.Ordinal)
                    )
                ),
        ];
    }

    private static List<(int Line, List<string> Fields)> Records(string text, string path)
    {
        var records = new List<(int, List<string>)>();
        var fields = new List<string>();
        var field = new StringBuilder();
        int line = 1,
            start = 1;
        bool quoted = false,
            any = false;
        void EndField()
        {
            fields.Add(field.ToString());
            field.Clear();
        }
        void EndRecord()
        {
            if (any)
            {
                EndField();
                records.Add((start, fields));
                fields = [];
            }
            any = false;
            start = line;
        }
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\n')
                line++;
            if (quoted)
            {
                if (c != '"')
                    field.Append(c);
                else if (i + 1 < text.Length && text[i + 1] == '"')
                    field.Append(text[i++]);
                else
                    quoted = false;
            }
            else if (c == '\n')
                EndRecord();
            else if (c != '\r')
            {
                any = true;
                if (c == '"' && field.Length == 0)
                    quoted = true;
                else if (c == ',')
                    EndField();
                else
                    field.Append(c);
            }
            if (field.Length > MaxFieldLength)
                throw TooLong(path, start);
        }
        if (quoted)
            throw new InputException(new InputProblem(path, start, 0, "a quote is opened and not closed"));
        EndRecord();
        return records;
    }

    private static InputException TooLong(string path, int line) =>
        new(new InputProblem(path, line, 0, "a field is longer than a million characters", "is a quote missing?"));
}
