using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

public sealed class TextPatternTests
{
    private const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("a+", "caab a", "aa|a")]
    [InlineData("a+?", "caab a", "a|a|a")]
    [InlineData("a?+a", "aaa", "aa")]
    [InlineData("a++a", "aaa", "")]
    [InlineData("a{2}", "aaaaa", "aa|aa")]
    [InlineData("a{2,}", "aaaaa", "aaaaa")]
    [InlineData("a{,2}b", "aaab", "aab")]
    [InlineData("a{1,2}?b", "aaab", "aab")]
    [InlineData("a{x}", "a{x}a", "a{x}")]
    [InlineData("(?:ab)+c", "ababc abc", "ababc|abc")]
    [InlineData("(?:ab|a)*?b", "abb", "abb")]
    [InlineData("(?:a|ab)(?:c|bcd)", "abcd", "abcd")]
    [InlineData("(?>a|ab)c", "abc ac", "ac")]
    [InlineData("a(?=b)", "ab ac", "a")]
    [InlineData("a(?!b)", "ab ac", "a")]
    [InlineData("(?<=x)a", "xa ya", "a")]
    [InlineData("(?<!x)a|b", "xab", "b")]
    [InlineData("(?i:'S)|s", "'s 'S '\u017F s", "'s|'S|'\u017F|s")]
    [InlineData("'s", "'s 'S", "'s")]
    [InlineData("(?i)k", "kK\u212A", "k|K|\u212A")]
    [InlineData("[a-c&&[^b]]+", "abcab", "a|ca")]
    [InlineData("[^a-c]+", "abxyc", "xy")]
    [InlineData(@"[\d.]+", "a1.5", "1.5")]
    [InlineData(@"[]x]+", "a]x[", "]x")]
    [InlineData(@"[-a]+", "b-a-", "-a-")]
    [InlineData(@"[[:alpha:]]+", "ab1", "ab")]
    [InlineData(@"[^[:space:]]+", "a b", "a|b")]
    [InlineData(@"\p{L}+", "a\U0001D518\u00E9 1", "a\U0001D518\u00E9")]
    [InlineData(@"\p{^L}+", "ab12", "12")]
    [InlineData(@"\P{N}+", "a1\u00B2b", "a|b")]
    [InlineData(@"\p{Lu}\p{Ll}*", "McDonald", "Mc|Donald")]
    [InlineData(@"\p{Han}+", "a\u65E5\u672C\U00020000b", "\u65E5\u672C\U00020000")]
    [InlineData("[\U00010400-\U0001044F]+", "a\U00010401b", "\U00010401")]
    [InlineData(@"\s+", "a\u0085\u00A0\u3000b\u200Bc\u001C", "\u0085\u00A0\u3000")]
    [InlineData(@"\w+", "a_1\u0301\u24B6-", "a_1\u0301\u24B6")]
    [InlineData(@"\w+", "a\u00B2 \u2160\u00BD", "a\u00B2|\u2160\u00BD")]
    [InlineData(@"[[:alpha:]]+", "q\u0307\u24D0", "q|\u24D0")]
    [InlineData(@"\x41\u0042\x{43}", "ABC", "ABC")]
    [InlineData(@"\h+", "xyzAf09", "Af09")]
    [InlineData(".+", "ab\ncd", "ab|cd")]
    [InlineData("(?m:.)+", "ab\ncd", "ab\ncd")]
    [InlineData("^a|b$", "a\nab\nb", "a|a|b|b")]
    [InlineData(@"\Aa|b\z", "aab\nb", "a|b")]
    [InlineData(@"\bab\b", "ab cab ab.", "ab|ab")]
    [InlineData("(?# a remark)a", "a", "a")]
    [InlineData("(?<name>a)b", "ab", "ab")]
    [InlineData(Llama3, "It'S 12345  x\n\n  y!", "It|'S| |123|45| | x|\n\n| | y|!")]
    public void A_pattern_fits_where_the_engine_of_these_files_says(string pattern, string text, string expected) =>
        Assert.Equal(
            expected,
            string.Join('|', new TextPattern(pattern).Matches(text).Select(m => text.Substring(m.Start, m.Length)))
        );

    [Theory]
    [InlineData(@"(a)\1")]
    [InlineData(@"a\K")]
    [InlineData(@"\p{Klingon}")]
    [InlineData("(?x)a")]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("[z-a]")]
    [InlineData("*a")]
    [InlineData("a{3,2}")]
    [InlineData("(?<=a+)b")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\ud800")]
    [InlineData(@"a\")]
    [InlineData("[[:nothing:]]")]
    public void What_is_not_known_is_refused(string pattern) =>
        Assert.NotEqual("", Assert.Throws<FormatException>(() => new TextPattern(pattern)).Message);

    [Fact]
    public void Nesting_without_end_and_patterns_of_a_book_are_refused()
    {
        Assert.Throws<FormatException>(() => new TextPattern(new string('(', 5000)));
        Assert.Throws<FormatException>(() => new TextPattern(new string('[', 5000)));
        Assert.Throws<FormatException>(() => new TextPattern(new string('a', 50_000)));
    }

    [Theory]
    [InlineData("(a+)+$", 60)]
    [InlineData("(?:a|aa)*b", 60)]
    [InlineData("(a|aa)+$", 60)]
    [InlineData("(?:ab|a)*c", 10_000)]
    public void Work_without_end_is_stopped(string pattern, int length) =>
        Assert.Throws<PatternWorkException>(() => new TextPattern(pattern).Matches(new string('a', length) + "!"));

    [Fact]
    public void A_place_that_takes_nothing_is_told_but_not_right_behind_another() =>
        Assert.Equal([(0, 0), (1, 2), (4, 0)], new TextPattern("b*").Matches("abbc"));

    [Fact]
    public void A_literal_has_no_signs_of_its_own() =>
        Assert.Equal([(1, 2)], TextPattern.Literal("a+").Matches("aa+a"));

    [Theory]
    [InlineData('a')]
    [InlineData('A')]
    [InlineData(' ')]
    [InlineData('\n')]
    [InlineData('.')]
    [InlineData('\u65E5')]
    public void Work_grows_with_the_length_of_a_run(char letter)
    {
        long Steps(int length)
        {
            long steps = 0;
            new TextPattern(Llama3).Find(new string(letter, length), [], ref steps);
            return steps;
        }
        Assert.InRange((double)Steps(200_000) / Steps(100_000), 1.9, 2.1);
    }
}
