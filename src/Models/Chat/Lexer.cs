using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace EditUnlearn.Models.Chat;

/// <summary>Kinds of <see cref="Token"/>.</summary>
internal enum TokenKind
{
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    Text,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A word of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">The text of data, names, strings and operators.</param>
/// <param name="Line">From 1.</param>
/// <param name="Number">Value of a number.</param>
internal readonly record struct Token(TokenKind Kind, string Value, int Line, object? Number = null)
{
    public bool Is(TokenKind kind, string value) => Kind == kind && Value == value;

    public override string ToString() =>
        Kind switch
        {
            TokenKind.End => "end of template",
            TokenKind.VariableEnd => "end of print statement",
            TokenKind.BlockEnd => "end of statement block",
            TokenKind.VariableBegin => "begin of print statement",
            TokenKind.BlockBegin => "begin of statement block",
            TokenKind.Data => "template data / text",
            _ => Value,
        };
}

/// <summary>
/// Cuts a template into tokens, with the white space rules of the environment that templates are written for: the line
/// feed after a block goes, as does white space between the start of a line and a block.
/// </summary>
internal sealed partial class Lexer
{
    private static readonly string[] Operators =
    [
        "//",
        "**",
        "==",
        "!=",
        ">=",
        "<=",
        .. "+-/*%~[](){}><=.:|,;".Select(c => c.ToString()),
    ];

    private readonly string _text;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;

    // Whether what was read last ended with a line feed; the template begins with a line.
    private bool _lineStarts = true;

    private Lexer(string source)
    {
        var text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _text = text.EndsWith('\n') ? text[..^1] : text;
    }

    /// <summary>All tokens, the end last.</summary>
    public static List<Token> Read(string source)
    {
        var lexer = new Lexer(source);
        while (lexer._at < lexer._text.Length)
            lexer.Root();
        lexer.Add(TokenKind.End, "");
        return lexer._tokens;
    }

    private void Root()
    {
        var open = NextOpen(_at);
        if (open < 0)
        {
            Add(TokenKind.Data, _text[_at..]);
            _at = _text.Length;
            return;
        }
        var kind = _text[open + 1];
        var sign = Sign(open + 2);
        var raw = kind == '%' ? RawBegin().Match(_text, open) : Match.Empty;
        var data = Stripped(_text[_at..open], sign, kind != '{');
        if (data.Length > 0)
            Add(TokenKind.Data, data);
        if (raw.Success)
        {
            Advance(open + raw.Length);
            Raw();
            return;
        }
        Advance(open + 2 + (sign is null ? 0 : 1));
        if (kind == '#')
            Comment();
        else
            Inside(kind == '{');
    }

    private int NextOpen(int from)
    {
        for (var i = _text.IndexOf('{', from); i >= 0 && i + 1 < _text.Length; i = _text.IndexOf('{', i + 1))
            if (_text[i + 1] is '{' or '%' or '#')
                return i;
        return -1;
    }

    private char? Sign(int at) => at < _text.Length && _text[at] is '-' or '+' ? _text[at] : null;

    // Text before a tag: minus takes white space away, and else a block takes that of its own line, unless a plus
    // stands there.
    private string Stripped(string data, char? sign, bool block)
    {
        if (sign == '-')
            return PythonText.TrimEnd(data);
        if (sign == '+' || !block)
            return data;
        var start = data.LastIndexOf('\n') + 1;
        return (start > 0 || _lineStarts) && data.AsSpan(start).ToArray().All(PythonText.IsSpace)
            ? data[..start]
            : data;
    }

    private void Comment()
    {
        var end = _text.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw Syntax("Missing end of comment tag");
        Close(end, end > _at ? _text[end - 1] : ' ', trims: true);
    }

    private void Raw()
    {
        var end = RawEnd().Match(_text, _at);
        if (!end.Success)
            throw Syntax("Missing end of raw directive");
        var data = Stripped(_text[_at..end.Index], end.Groups[1].Value is { Length: 1 } s ? s[0] : null, block: true);
        if (data.Length > 0)
            Add(TokenKind.Data, data);
        Close(end.Index + end.Length - 2, _text[end.Index + end.Length - 3], trims: true);
    }

    // Goes past the two characters of an end; before it may stand a sign.
    private void Close(int end, char sign, bool trims)
    {
        var next = end + 2;
        if (sign == '-')
            while (next < _text.Length && PythonText.IsSpace(_text[next]))
                next++;
        else if (trims && sign != '+' && next < _text.Length && _text[next] == '\n')
            next++;
        Advance(next);
    }

    private void Advance(int to)
    {
        for (var i = _at; i < to; i++)
            if (_text[i] == '\n')
                _line++;
        _lineStarts = to > _at ? _text[to - 1] == '\n' : _lineStarts;
        _at = to;
    }

    private void Inside(bool variable)
    {
        Add(variable ? TokenKind.VariableBegin : TokenKind.BlockBegin, "");
        var braces = new Stack<char>();
        var end = variable ? "}}" : "%}";
        while (_at < _text.Length)
        {
            if (PythonText.IsSpace(_text[_at]))
            {
                Advance(_at + 1);
                continue;
            }
            var sign = _text[_at] == '-' || (_text[_at] == '+' && !variable) ? 1 : 0;
            if (braces.Count == 0 && string.CompareOrdinal(_text, _at + sign, end, 0, 2) == 0)
            {
                Add(variable ? TokenKind.VariableEnd : TokenKind.BlockEnd, "");
                Close(_at + sign, sign == 1 ? _text[_at] : ' ', trims: !variable);
                return;
            }
            Word(braces);
        }
    }

    private void Word(Stack<char> braces)
    {
        if (Number() || Name() || Quoted())
            return;
        var found =
            Operators.FirstOrDefault(o => string.CompareOrdinal(_text, _at, o, 0, o.Length) == 0)
            ?? throw Syntax($"unexpected char '{_text[_at]}' at {_at}");
        if (found is "(" or "[" or "{")
            braces.Push(
                found == "(" ? ')'
                : found == "[" ? ']'
                : '}'
            );
        else if (found is ")" or "]" or "}")
        {
            if (!braces.TryPop(out var expected))
                throw Syntax($"unexpected '{found}'");
            if (expected != found[0])
                throw Syntax($"unexpected '{found}', expected '{expected}'");
        }
        Add(TokenKind.Operator, found);
        Advance(_at + found.Length);
    }

    private bool Number()
    {
        var real = Real().Match(_text, _at);
        if (real.Success)
        {
            var value = double.Parse(Plain(real), NumberStyles.Float, CultureInfo.InvariantCulture);
            Add(TokenKind.Float, real.Value, value);
            Advance(_at + real.Length);
            return true;
        }
        var whole = Whole().Match(_text, _at);
        if (!whole.Success)
            return false;
        Add(TokenKind.Integer, whole.Value, Integer(Plain(whole)));
        Advance(_at + whole.Length);
        return true;
    }

    private static string Plain(Match number) => number.Value.Replace("_", "", StringComparison.Ordinal);

    private BigInteger Integer(string digits)
    {
        if (digits.Length > 4300) // as far as Python reads
            throw Syntax("a number has too many digits");
        var (radix, skip) = (digits.Length > 1 ? char.ToLowerInvariant(digits[1]) : ' ') switch
        {
            'x' => (16, 2),
            'o' => (8, 2),
            'b' => (2, 2),
            _ => (10, 0),
        };
        if (radix == 10)
            return BigInteger.Parse(digits, CultureInfo.InvariantCulture);
        var value = BigInteger.Zero;
        foreach (var c in digits.AsSpan(skip))
            value = value * radix + Convert.ToInt32(c.ToString(), 16);
        return value;
    }

    private bool Name()
    {
        var length = 0;
        while (_at + length < _text.Length && IsWord(_text[_at + length]))
            length++;
        if (length == 0)
            return false;
        if (char.IsDigit(_text[_at]))
            throw Syntax("Invalid character in identifier");
        Add(TokenKind.Name, _text.Substring(_at, length));
        Advance(_at + length);
        return true;
    }

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';

    private bool Quoted()
    {
        var quote = _text[_at];
        if (quote is not ('\'' or '"'))
            return false;
        var end = _at + 1;
        while (end < _text.Length && _text[end] != quote)
            end += _text[end] == '\\' ? 2 : 1;
        if (end >= _text.Length)
            throw Syntax($"unexpected char {PythonText.Quoted(quote.ToString())} at {_at}");
        Add(TokenKind.Text, Unescaped(_text[(_at + 1)..end]));
        Advance(end + 1);
        return true;
    }

    // As Python's unicode-escape reads it, which is given non-ASCII characters as escapes of their own.
    private string Unescaped(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var made = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                made.Append(text[i]);
                continue;
            }
            i++;
            const string names = "abfnrtv\\'\"",
                values = "\a\b\f\n\r\t\v\\'\"";
            var known = names.IndexOf(text[i], StringComparison.Ordinal);
            if (known >= 0)
                made.Append(values[known]);
            else if (text[i] is 'x' or 'u' or 'U')
                i += Hex(text, i, made);
            else if (text[i] is >= '0' and <= '7')
                i += Octal(text, i, made);
            else if (text[i] == 'N')
                throw Syntax("the escape \\N, a character by its name, is not supported");
            else if (text[i] > '\x7f')
                i += Foreign(text, i, made);
            else if (text[i] != '\n')
                made.Append('\\').Append(text[i]);
        }
        return made.ToString();
    }

    private int Hex(string text, int at, StringBuilder made)
    {
        var count = text[at] switch
        {
            'x' => 2,
            'u' => 4,
            _ => 8,
        };
        if (
            at + count >= text.Length
            || !uint.TryParse(
                text.AsSpan(at + 1, count),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out var code
            )
            || code > 0x10FFFF
        )
            throw Syntax($"a text has an escape \\{text[at]} without its {count} digits");
        PythonText.Append(made, (int)code);
        return count;
    }

    private static int Octal(string text, int at, StringBuilder made)
    {
        var (code, length) = (0, 0);
        for (; length < 3 && at + length < text.Length && text[at + length] is >= '0' and <= '7'; length++)
            code = code * 8 + text[at + length] - '0';
        made.Append((char)code);
        return length - 1;
    }

    private static int Foreign(string text, int at, StringBuilder made)
    {
        var pair = char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);
        var code = pair ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];
        made.Append('\\')
            .Append(
                code > 0xFFFF ? $"U{code:x8}"
                : code > 0xFF ? $"u{code:x4}"
                : $"x{code:x2}"
            );
        return pair ? 1 : 0;
    }

    private void Add(TokenKind kind, string value, object? number = null) =>
        _tokens.Add(new Token(kind, value, _line, number));

    private JinjaFault Syntax(string message) => new(FaultKind.Syntax, message, _line);

    [GeneratedRegex(@"\G\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})", RegexOptions.CultureInvariant)]
    private static partial Regex RawBegin();

    [GeneratedRegex(@"\{%([-+]?)\s*endraw\s*[-+]?%\}", RegexOptions.CultureInvariant)]
    private static partial Regex RawEnd();

    [GeneratedRegex(
        @"\G(?<!\.)(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+)",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Real();

    [GeneratedRegex(
        @"\G(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Whole();
}
