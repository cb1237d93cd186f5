using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>
/// CSV as spreadsheets write and read it (RFC 4180), with what a spreadsheet would run or change made harmless.
/// </summary>
internal static partial class SheetCsv
{
    private const int MaxBytes = 64 << 20;
    private static readonly SearchValues<char> Special = SearchValues.Create(",;\t\"\r\n");

    /// <summary>One row of a file.</summary>
    /// <param name="Line">Where it begins, 1-based.</param>
    /// <param name="Fields">Its cells.</param>
    public readonly record struct Row(int Line, IReadOnlyList<string> Fields);

    /// <summary>A file with a byte order mark, so that spreadsheets take it for UTF-8.</summary>
    /// <param name="path">An existing file is replaced.</param>
    /// <param name="rows">Cells, the header first.</param>
    public static void Write(string path, IEnumerable<IReadOnlyList<string>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        File.WriteAllText(
            path,
            string.Concat(rows.Select(r => string.Join(',', r.Select(Cell)) + "\r\n")),
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: true)
        );
    }

    /// <summary>A cell as written: made harmless, then quoted where needed.</summary>
    public static string Cell(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var safe = Harmless(text);
        return safe.AsSpan().IndexOfAny(Special) >= 0 || safe.Length > 0 && (safe[0] == ' ' || safe[^1] == ' ')
            ? $"\"{safe.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
            : safe;
    }

    /// <summary>
    /// An apostrophe before what a spreadsheet would take for a formula, or before a code it would take for a number
    /// (<c>0123456789</c>, <c>12345e6789</c>).
    /// </summary>
    public static string Harmless(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.AsSpan().TrimStart();
        if (trimmed.Length == 0 || Number().IsMatch(text))
            return text;
        // Full-width forms are folded to the plain ones by some programs.
        var formula =
            trimmed[0] is '=' or '+' or '-' or '@' or '\uFF1D' or '\uFF0B' or '\uFF0D' or '\uFF20'
            || text[0] is '\t' or '\r' or '\n';
        return formula || IsNumberLikeCode(text) || text[0] == '\'' ? "'" + text : text;
    }

    /// <summary>Undoes <see cref="Harmless"/>.</summary>
    public static string Plain(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith('\'') ? text[1..] : text;
    }

    // A negative number begins like a formula and is none.
    [GeneratedRegex(@"^[+-]([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$")]
    private static partial Regex Number();

    private static bool IsNumberLikeCode(string text) =>
        text.Length == 10
        && text.All(c => char.IsAsciiDigit(c) || c == 'e')
        && text.Count(c => c == 'e') <= 1
        && text[0] != 'e'
        && text[^1] != 'e';

    /// <summary>Reads a file, whatever of comma, semicolon or tab parts its cells.</summary>
    /// <exception cref="InputException">It is absent, too large, not UTF-8, or a quote is never closed.</exception>
    public static IReadOnlyList<Row> Read(string path)
    {
        var info = new FileInfo(path);
        if (!info.Exists)
            throw new InputException(path, "there is no such file");
        if (info.Length > MaxBytes)
            throw new InputException(path, $"is larger than {MaxBytes >> 20} MB");
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
        }
        catch (ArgumentException)
        {
            throw new InputException(path, "is not UTF-8", "save it as 'CSV UTF-8', or rate in the HTML form");
        }
        return Parse(path, text.TrimStart('\uFEFF'));
    }

    private static List<Row> Parse(string path, string text)
    {
        var separator = SeparatorOf(text);
        var rows = new List<Row>();
        var fields = new List<string>();
        var cell = new StringBuilder();
        int line = 1,
            rowLine = 1,
            quoteLine = 0;
        var quoted = false;
        void EndCell()
        {
            fields.Add(cell.ToString());
            cell.Clear();
        }
        void EndRow()
        {
            EndCell();
            // A line without any text is no row.
            if (fields.Exists(f => !string.IsNullOrWhiteSpace(f)))
                rows.Add(new Row(rowLine, [.. fields]));
            fields.Clear();
        }
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\n' || (c == '\r' && (i + 1 == text.Length || text[i + 1] != '\n')))
                line++;
            if (quoted)
            {
                if (c != '"')
                    cell.Append(c);
                else if (i + 1 < text.Length && text[i + 1] == '"')
                    cell.Append(text[++i]);
                else
                    quoted = false;
            }
            else if (c == '"' && cell.Length == 0)
                (quoted, quoteLine) = (true, line);
            else if (c == separator)
                EndCell();
            else if (c is '\n' or '\r')
            {
                if (c == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                    continue;
                EndRow();
                rowLine = line;
            }
            else
                cell.Append(c);
        }
        if (quoted)
            throw NeverClosed(path, quoteLine);
        if (cell.Length > 0 || fields.Count > 0)
            EndRow();
        return rows;
    }

    private static InputException NeverClosed(string path, int line) =>
        new(new InputProblem(path, line, 0, "a quote opens here and is never closed", "save the sheet again as CSV"));

    // What the line of names is cut by: spreadsheet programs of some languages write semicolons or tabs.
    private static char SeparatorOf(string text)
    {
        var header = text.AsSpan()[..(text.AsSpan().IndexOfAny('\r', '\n') is var end and >= 0 ? end : text.Length)];
        return header.Contains('\t') ? '\t'
            : header.Count(';') > header.Count(',') ? ';'
            : ',';
    }
}
