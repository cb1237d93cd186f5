using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Evaluation;

/// <summary>
/// The words ROUGE compares: lower case, letters and digits of ASCII, longer ones stemmed. Source: the public package
/// <c>rouge_score</c> 0.1.2; docs/metrics.md, "ROUGE-1".
/// </summary>
internal static class RougeTokens
{
    /// <summary>
    /// Whether the tokens stand for the text: not where most of its letters are of another script than Latin, which the
    /// rule passes over, nor where it has letters and none is left.
    /// </summary>
    public static bool Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return !text.EnumerateRunes().Any(Rune.IsLetter) || (LatinScript.IsMostOf(text) && Of(text).Count > 0);
    }

    /// <summary>The tokens of a text.</summary>
    public static IReadOnlyList<string> Of(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var tokens = new List<string>();
        var word = new StringBuilder();
        void End()
        {
            if (word.Length == 0)
                return;
            var token = word.Length > 3 ? PorterStemmer.Stem(word.ToString()) : word.ToString();
            if (token.Length > 0)
                tokens.Add(token);
            word.Clear();
        }
        // Full lower-casing makes two characters of a dotted capital I; .NET's leaves it alone.
        foreach (var c in text.Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant())
            if (char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
                word.Append(c);
            else
                End();
        End();
        return tokens;
    }
}
