using System.Numerics;
using System.Text;

namespace EditUnlearn.Models.Chat;

/// <summary>The methods of Python's <c>str</c>.</summary>
internal sealed class TextMethods(Python python)
{
    // Python has these too; to be silent about them would be wrong.
    private static readonly string[] Others = ["encode", "translate", "maketrans", "format_map"];

    /// <summary>A method of a text; null where Python has none of that name.</summary>
    public object? Find(object of, string name)
    {
        var text = Python.AsText(of)!;
        python.Budget.Spend(text.Length / 8);
        if (Others.Contains(name))
            throw JinjaFault.Unsupported($"the method '{name}' of a text");
        var method = Cases(text, name) ?? Cuts(text, name) ?? Searches(text, name) ?? Questions(text, name);
        if (method is null || of is string)
            return method;
        // What is made of an escaped text is escaped.
        return method with
        {
            Call = given => method.Call(given) is var made && made is string s ? new Markup(s) : made,
        };
    }

    private FunctionValue Of(string name, int required, Func<object?[], object> call, params string[] parameters) =>
        Attributes.Function(
            name,
            required,
            given => call(given) is var made && made is string text ? python.Budget.Made(text) : made,
            parameters
        );

    private FunctionValue? Cases(string text, string name) =>
        name switch
        {
            "upper" => Of(name, 0, _ => PythonText.Upper(text)),
            "lower" => Of(name, 0, _ => PythonText.Lower(text)),
            "title" => Of(name, 0, _ => PythonText.Title(text)),
            "capitalize" => Of(name, 0, _ => PythonText.Capitalize(text)),
            "swapcase" => Of(name, 0, _ => PythonText.SwapCase(text)),
            "casefold" => Of(
                name,
                0,
                _ => PythonText.Lower(text).Replace("ß", "ss", StringComparison.Ordinal).Replace('ς', 'σ')
            ),
            "center" => Of(name, 1, g => Pad(text, g, 'c'), "width", "fillchar"),
            "ljust" => Of(name, 1, g => Pad(text, g, 'l'), "width", "fillchar"),
            "rjust" => Of(name, 1, g => Pad(text, g, 'r'), "width", "fillchar"),
            "zfill" => Of(name, 1, g => ZeroFill(text, Number(g[0]!)), "width"),
            "expandtabs" => Of(name, 0, g => ExpandTabs(text, g[0] is null ? 8 : Number(g[0]!)), "tabsize"),
            "join" => Of(name, 1, g => Join(text, g[0]!), "iterable"),
            "format" => new FunctionValue(name, g => python.Budget.Made(new BraceFormat(python, g).Format(text))),
            "replace" => Of(name, 2, g => Replace(text, g), "old", "new", "count"),
            _ => null,
        };

    private FunctionValue? Cuts(string text, string name) =>
        name switch
        {
            "strip" => Of(name, 0, g => PythonText.Trim(text, Optional(g[0])), "chars"),
            "lstrip" => Of(name, 0, g => PythonText.TrimStart(text, Optional(g[0])), "chars"),
            "rstrip" => Of(name, 0, g => PythonText.TrimEnd(text, Optional(g[0])), "chars"),
            "removeprefix" => Of(
                name,
                1,
                g => text.StartsWith(Text(g[0]), StringComparison.Ordinal) ? text[Text(g[0]).Length..] : text,
                "prefix"
            ),
            "removesuffix" => Of(
                name,
                1,
                g => text.EndsWith(Text(g[0]), StringComparison.Ordinal) ? text[..^Text(g[0]).Length] : text,
                "suffix"
            ),
            "split" => Of(name, 0, g => Split(text, g, fromEnd: false), "sep", "maxsplit"),
            "rsplit" => Of(name, 0, g => Split(text, g, fromEnd: true), "sep", "maxsplit"),
            "splitlines" => Of(name, 0, g => Lines(text, g[0] is { } keep && Python.Truth(keep)), "keepends"),
            "partition" => Of(name, 1, g => Partition(text, Separator(g[0]!), fromEnd: false), "sep"),
            "rpartition" => Of(name, 1, g => Partition(text, Separator(g[0]!), fromEnd: true), "sep"),
            _ => null,
        };

    private FunctionValue? Searches(string text, string name) =>
        name switch
        {
            "startswith" or "endswith" => Of(
                name,
                1,
                g => AnyAffix(Part(text, g[1], g[2], out _), g[0]!, name),
                "prefix",
                "start",
                "end"
            ),
            "find" or "rfind" or "index" or "rindex" => Of(name, 1, g => Find(text, g, name), "sub", "start", "end"),
            "count" => Of(name, 1, g => Count(Part(text, g[1], g[2], out _), Text(g[0])), "sub", "start", "end"),
            _ => null,
        };

    private FunctionValue? Questions(string text, string name)
    {
        Func<string, bool>? all = name switch
        {
            "isalpha" => PythonText.IsAlpha,
            "isdecimal" => PythonText.IsDecimal,
            "isdigit" => PythonText.IsDigit,
            "isnumeric" => PythonText.IsNumeric,
            "isalnum" => p => PythonText.IsAlpha(p) || PythonText.IsNumeric(p),
            "isspace" => p => PythonText.IsSpace(p[0]),
            _ => null,
        };
        if (all is not null)
            return Of(name, 0, _ => text.Length > 0 && PythonText.Points(text).All(all));
        return name switch
        {
            "isidentifier" => Of(
                name,
                0,
                _ =>
                    text.Length > 0
                    && !PythonText.IsNumeric(PythonText.Points(text)[0])
                    && PythonText.Points(text).All(p => p == "_" || PythonText.IsAlpha(p) || PythonText.IsDecimal(p))
            ),
            "isascii" => Of(name, 0, _ => text.All(char.IsAscii)),
            "isprintable" => Of(name, 0, _ => PythonText.Points(text).All(PythonText.IsPrintable)),
            "isupper" => Of(name, 0, _ => IsUpper(text)),
            "islower" => Of(name, 0, _ => IsLower(text)),
            "istitle" => Of(
                name,
                0,
                _ => PythonText.Points(text).Any(PythonText.IsCased) && PythonText.Title(text) == text
            ),
            _ => null,
        };
    }

    public static bool IsUpper(string text) =>
        PythonText.Points(text).Any(PythonText.IsUpper) && !PythonText.Points(text).Any(PythonText.IsLower);

    public static bool IsLower(string text) =>
        PythonText.Points(text).Any(PythonText.IsLower) && !PythonText.Points(text).Any(PythonText.IsUpper);

    private static string Text(object? value) =>
        Python.AsText(value!) ?? throw JinjaFault.Type($"must be str, not {Python.TypeOf(value!)}");

    private static string? Optional(object? value) => value is null or None ? null : Text(value);

    private static string Separator(object value) =>
        Text(value) is { Length: > 0 } text ? text : throw JinjaFault.Type("empty separator");

    private static int Number(object value) =>
        Python.AsInteger(value) is { } i
            ? (int)BigInteger.Clamp(i, int.MinValue / 2, int.MaxValue / 2)
            : throw JinjaFault.Type($"'{Python.TypeOf(value)}' object cannot be interpreted as an integer");

    private string Pad(string text, object?[] given, char side)
    {
        var fill = given[1] is null ? " " : Text(given[1]);
        if (PythonText.Length(fill) != 1)
            throw JinjaFault.Type("The fill character must be exactly one character long");
        return Pad(text, Number(given[0]!), fill, side);
    }

    /// <summary>Fills a text up to a width; <paramref name="side"/> is where the text goes: l, r or c.</summary>
    public string Pad(string text, int width, string fill, char side)
    {
        var missing = Math.Max(0, width - PythonText.Length(text));
        python.Budget.Text(missing + text.Length);
        // Of an odd number the left gets the smaller half, but for an odd width, as in Python.
        var left = side switch
        {
            'l' => 0,
            'r' => missing,
            _ => missing / 2 + (missing & width & 1),
        };
        string Fill(int count) => new StringBuilder().Insert(0, fill, count).ToString();
        return Fill(left) + text + Fill(missing - left);
    }

    private string ZeroFill(string text, int width)
    {
        var signs = text.StartsWith('-') || text.StartsWith('+') ? 1 : 0;
        var missing = Math.Max(0, width - PythonText.Length(text));
        python.Budget.Text(missing + text.Length);
        return text[..signs] + new string('0', missing) + text[signs..];
    }

    private string ExpandTabs(string text, int size)
    {
        var made = new StringBuilder();
        var column = 0;
        foreach (var point in PythonText.Points(text))
            if (point == "\t")
            {
                var spaces = size > 0 ? size - column % size : 0;
                python.Budget.Text(made.Length + spaces);
                made.Append(' ', spaces);
                column += spaces;
            }
            else
            {
                made.Append(point);
                column = point is "\n" or "\r" ? 0 : column + 1;
            }
        return made.ToString();
    }

    private string Join(string text, object items)
    {
        var made = new StringBuilder();
        var count = 0;
        foreach (var item in python.Iterate(items))
        {
            if (count++ > 0)
                made.Append(text);
            made.Append(
                Python.AsText(item)
                    ?? throw JinjaFault.Type(
                        $"sequence item {count - 1}: expected str instance, {Python.TypeOf(item)} found"
                    )
            );
            if (made.Length > Budget.Characters)
                python.Budget.Text(made.Length);
            python.Budget.Spend();
        }
        return made.ToString();
    }

    private string Replace(string text, object?[] given) =>
        Replace(text, Text(given[0]), Text(given[1]), given[2] is null ? -1 : Number(given[2]!));

    /// <param name="text">In which.</param>
    /// <param name="old">What goes; empty stands before each character and at the end.</param>
    /// <param name="other">What comes.</param>
    /// <param name="count">How often at most; negative for always.</param>
    public string Replace(string text, string old, string other, int count)
    {
        var left = count < 0 ? int.MaxValue : count;
        var made = new StringBuilder();
        var at = 0;
        while (left-- > 0)
        {
            var next = old.Length == 0 ? at : text.IndexOf(old, at, StringComparison.Ordinal);
            if (next < 0)
                break;
            made.Append(text, at, next - at).Append(other);
            at = next + old.Length;
            if (made.Length > Budget.Characters)
                python.Budget.Text(made.Length);
            python.Budget.Spend(1 + other.Length / 4);
            if (old.Length > 0)
                continue;
            if (at == text.Length)
                return made.ToString();
            var length = PythonText.CharacterAt(text[at..Math.Min(text.Length, at + 2)], 1);
            made.Append(text, at, length);
            at += length;
        }
        return made.Append(text, at, text.Length - at).ToString();
    }

    private object Split(string text, object?[] given, bool fromEnd)
    {
        var most = given[1] is null || Number(given[1]!) < 0 ? int.MaxValue : Number(given[1]!);
        var parts =
            given[0] is null or None ? Words(text, most, fromEnd)
            : fromEnd ? SplitFromEnd(text, Separator(given[0]!), most)
            : SplitBy(text, Separator(given[0]!), most);
        python.Budget.List(parts.Count);
        return new ListValue([.. parts]);
    }

    private static List<string> SplitBy(string text, string separator, int most)
    {
        var parts = new List<string>();
        var at = 0;
        for (int next; most-- > 0 && (next = text.IndexOf(separator, at, StringComparison.Ordinal)) >= 0;)
        {
            parts.Add(text[at..next]);
            at = next + separator.Length;
        }
        parts.Add(text[at..]);
        return parts;
    }

    private static List<string> SplitFromEnd(string text, string separator, int most)
    {
        var parts = new List<string>();
        var end = text.Length;
        while (most-- > 0)
        {
            var next = text.AsSpan(0, end).LastIndexOf(separator);
            if (next < 0)
                break;
            parts.Add(text[(next + separator.Length)..end]);
            end = next;
        }
        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }

    private static List<string> Words(string text, int most, bool fromEnd)
    {
        var runs = new List<(int Start, int End)>();
        for (var i = 0; i < text.Length;)
            if (PythonText.IsSpace(text[i]))
                i++;
            else
            {
                var start = i;
                while (i < text.Length && !PythonText.IsSpace(text[i]))
                    i++;
                runs.Add((start, i));
            }
        if (runs.Count <= most)
            return [.. runs.Select(r => text[r.Start..r.End])];
        if (fromEnd)
            return
            [
                PythonText.TrimEnd(text[..runs[^(most + 1)].End]),
                .. runs.TakeLast(most).Select(r => text[r.Start..r.End]),
            ];
        return [.. runs.Take(most).Select(r => text[r.Start..r.End]), text[runs[most].Start..]];
    }

    private ListValue Lines(string text, bool ends)
    {
        var lines = new List<object>();
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            while (i < text.Length && !PythonText.IsLineEnd(text[i]))
                i++;
            var end = i;
            if (i < text.Length)
                i += text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n' ? 2 : 1;
            lines.Add(text[start..(ends ? i : end)]);
        }
        python.Budget.List(lines.Count);
        return new ListValue(lines);
    }

    private static TupleValue Partition(string text, string separator, bool fromEnd)
    {
        var at = fromEnd
            ? text.LastIndexOf(separator, StringComparison.Ordinal)
            : text.IndexOf(separator, StringComparison.Ordinal);
        return new TupleValue(
            at < 0
                ? fromEnd
                    ? ["", "", text]
                    : [text, "", ""]
                : [text[..at], separator, text[(at + separator.Length)..]]
        );
    }

    // The part from one code point to another, and where it begins in characters; null where it begins beyond the end.
    private static string? Part(string text, object? start, object? end, out int at)
    {
        at = 0;
        if (start is null or None && end is null or None)
            return text;
        var count = PythonText.Length(text);
        int Bound(object? given, int otherwise)
        {
            if (given is null or None)
                return otherwise;
            var bound = Number(given);
            return bound < 0 ? Math.Max(0, bound + count) : bound;
        }
        var (from, to) = (Bound(start, 0), Math.Min(count, Bound(end, count)));
        if (from > to)
            return null;
        at = PythonText.CharacterAt(text, from);
        return text[at..PythonText.CharacterAt(text, to)];
    }

    private static object AnyAffix(string? text, object affix, string name)
    {
        var options =
            affix is TupleValue many ? many.Items
            : Python.AsText(affix) is not null ? [affix]
            : throw JinjaFault.Type($"{name} first arg must be str or a tuple of str, not {Python.TypeOf(affix)}");
        return text is not null
            && options.Any(o =>
                name == "startswith"
                    ? text.StartsWith(Text(o), StringComparison.Ordinal)
                    : text.EndsWith(Text(o), StringComparison.Ordinal)
            );
    }

    private static object Find(string text, object?[] given, string name)
    {
        var sought = Text(given[0]);
        var part = Part(text, given[1], given[2], out var start);
        var at =
            part is null ? -1
            : name[0] == 'r' ? (sought.Length == 0 ? part.Length : part.LastIndexOf(sought, StringComparison.Ordinal))
            : part.IndexOf(sought, StringComparison.Ordinal);
        if (at < 0 && name.EndsWith("index", StringComparison.Ordinal))
            throw JinjaFault.Type("substring not found");
        return (BigInteger)(at < 0 ? -1 : PythonText.PointAt(text, start + at));
    }

    private static object Count(string? text, string sought)
    {
        if (text is null)
            return BigInteger.Zero;
        if (sought.Length == 0)
            return (BigInteger)(PythonText.Length(text) + 1);
        var count = 0;
        for (var at = 0; (at = text.IndexOf(sought, at, StringComparison.Ordinal)) >= 0; at += sought.Length)
            count++;
        return (BigInteger)count;
    }
}
