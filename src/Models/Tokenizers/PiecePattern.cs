using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>Cuts a text into the pieces that no merge crosses, by the patterns of a <c>tokenizer.json</c>.</summary>
/// <remarks>
/// .NET patterns see UTF-16, so a character beyond U+FFFF would be two surrogates, neither letter nor digit. The
/// pattern therefore runs over a copy with one stand-in of the same Unicode category for each such character, and the
/// pieces are mapped back.
/// </remarks>
internal sealed class PiecePattern
{
    /// <summary>
    /// Pattern of GPT-2, which a <c>ByteLevel</c> pre-tokenizer with <c>use_regex</c> stands for. Source: Radford et
    /// al. (2019), released encoder.
    /// </summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    // Llama-3's and Qwen2's. Known to need no backtracking worth the name; others get a time limit.
    private const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const int LongestPattern = 2000;
    private static readonly string[] Known = [Gpt2, Llama3, Qwen2, BpeTrainer.Pattern];
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    private readonly string _path;
    private readonly List<Regex> _steps = [];
    private readonly bool _foldsCase;

    /// <param name="path">For messages.</param>
    /// <param name="patterns">Applied one after another, each to the pieces of the one before.</param>
    /// <exception cref="InputException">A pattern is not understood.</exception>
    public PiecePattern(string path, IEnumerable<string> patterns)
    {
        _path = path;
        foreach (var pattern in patterns)
        {
            _foldsCase |= pattern.Contains("(?i", StringComparison.Ordinal);
            if (pattern.Length > LongestPattern)
                throw new InputException(
                    path,
                    $"the pattern of its pre-tokenizer has {pattern.Length} characters; up to {LongestPattern} are read"
                );
            try
            {
                _steps.Add(
                    Known.Contains(pattern)
                        ? new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled)
                        : new Regex(pattern, RegexOptions.CultureInvariant, Limit)
                );
            }
            catch (ArgumentException e)
            {
                throw new InputException(path, "the pattern of its pre-tokenizer is not understood: " + e.Message);
            }
        }
    }

    /// <summary>The pieces of a text, in order and without gaps.</summary>
    /// <exception cref="InputException">The pattern takes too long.</exception>
    public List<(int Start, int Length)> Split(string text)
    {
        var (copy, places) = StandIn(text);
        var pieces = new List<(int Start, int Length)> { (0, copy.Length) };
        try
        {
            foreach (var step in _steps)
                pieces = Apply(step, copy, pieces);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new InputException(
                _path,
                "the pattern of its pre-tokenizer takes too long on a text",
                "a pattern that backtracks without end is either damaged or meant to do harm"
            );
        }
        if (places is null)
            return pieces;
        return [.. pieces.Select(p => (places[p.Start], places[p.Start + p.Length] - places[p.Start]))];
    }

    // "Isolated": what matches is a piece, and what lies between matches is one too.
    private static List<(int Start, int Length)> Apply(Regex step, string text, List<(int Start, int Length)> pieces)
    {
        var cut = new List<(int, int)>();
        foreach (var (start, length) in pieces)
        {
            var open = start;
            foreach (var match in step.EnumerateMatches(text.AsSpan(start, length)))
            {
                if (match.Length == 0)
                    continue;
                if (start + match.Index > open)
                    cut.Add((open, start + match.Index - open));
                cut.Add((start + match.Index, match.Length));
                open = start + match.Index + match.Length;
            }
            if (open < start + length)
                cut.Add((open, start + length - open));
        }
        return cut;
    }

    // The copy, and where each of its characters stands in the text; null where both are the same.
    private (string Copy, int[]? Places) StandIn(string text)
    {
        if (
            !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')
            && !(_foldsCase && text.Contains('\u017F', StringComparison.Ordinal))
        )
            return (text, null);
        var copy = new StringBuilder(text.Length);
        var places = new List<int>(text.Length + 1);
        for (var i = 0; i < text.Length;)
        {
            places.Add(i);
            var status = Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var consumed);
            copy.Append(
                status != System.Buffers.OperationStatus.Done ? '\uFFFD'
                : rune.IsBmp ? Fold((char)rune.Value)
                : Like(rune)
            );
            i += consumed;
        }
        places.Add(text.Length);
        return (copy.ToString(), [.. places]);
    }

    // The long s is an s where case does not count; .NET holds them apart, the patterns' own engines do not.
    private char Fold(char c) => _foldsCase && c == '\u017F' ? 's' : c;

    private static char Like(Rune rune) =>
        Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter => '\u00C6',
            UnicodeCategory.LowercaseLetter => '\u00E6',
            UnicodeCategory.TitlecaseLetter => '\u01C5',
            UnicodeCategory.ModifierLetter => '\u02B0',
            UnicodeCategory.OtherLetter => '\u05D0',
            UnicodeCategory.NonSpacingMark => '\u0300',
            UnicodeCategory.SpacingCombiningMark => '\u0903',
            UnicodeCategory.EnclosingMark => '\u0488',
            UnicodeCategory.DecimalDigitNumber => '\u0660',
            UnicodeCategory.LetterNumber => '\u2160',
            UnicodeCategory.OtherNumber => '\u00B2',
            UnicodeCategory.DashPunctuation => '\u2010',
            UnicodeCategory.OpenPunctuation => '\u207D',
            UnicodeCategory.ClosePunctuation => '\u207E',
            UnicodeCategory.OtherPunctuation => '\u00A7',
            UnicodeCategory.MathSymbol => '\u00B1',
            UnicodeCategory.CurrencySymbol => '\u20AC',
            UnicodeCategory.ModifierSymbol => '\u00B4',
            UnicodeCategory.OtherSymbol => '\u00A9',
            UnicodeCategory.Format => '\u200E',
            UnicodeCategory.PrivateUse => '\uE000',
            _ => '\u0378', // unassigned, as what is left is
        };
}
