using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

public sealed class AddedTokenMatcherTests
{
    private static readonly AddedTokenMatcher Matcher = Of(
        new AddedToken("<s>", 1, true),
        new AddedToken("<l>", 2, false) { StripsLeft = true },
        new AddedToken("<r>", 3, false) { StripsRight = true },
        new AddedToken("word", 4, false) { WordOnly = true },
        new AddedToken("sub", 5, true),
        new AddedToken("sub|long", 6, true),
        new AddedToken("long", 7, false),
        new AddedToken("\t\t", 8, false)
    );

    [Theory]
    [InlineData("a<s>b", true, "a|1:<s>|b")]
    [InlineData("a<s>b", false, "a<s>b")]
    [InlineData("a \u3000<l>b", false, "a|2: \u3000<l>|b")]
    [InlineData("a<r>\u00A0\n b", false, "a|3:<r>\u00A0\n |b")]
    [InlineData("<r> <l>", false, "3:<r> |2:<l>")]
    [InlineData("word words _word word.", false, "4:word| words _word |4:word|.")]
    [InlineData("\u0301word word\u200D", false, "\u0301word word\u200D")]
    [InlineData("sub|long", true, "6:sub|long")]
    [InlineData("sub|lon", true, "5:sub||lon")]
    [InlineData("longlong", false, "7:long|7:long")]
    [InlineData("", true, "")]
    public void A_text_is_cut_at_added_tokens(string text, bool special, string expected) =>
        Assert.Equal(expected, Show(text, special));

    [Fact]
    public void A_special_name_that_is_text_hides_what_is_in_it() => Assert.Equal("sub|long", Show("sub|long", false));

    [Fact]
    public void A_token_in_white_space_that_another_took_along_counts_all_the_same() =>
        Assert.Equal(
            [(0, 5, 3), (3, 2, 8)],
            Matcher.Split("<r>\t\t", special: false).Select(s => (s.Start, s.Length, s.Token!.Value.Id))
        );

    private static AddedTokenMatcher Of(params AddedToken[] tokens) => new(tokens.Select(t => (t.Name, t)));

    private static string Show(string text, bool special) =>
        string.Join(
            '|',
            Matcher
                .Split(text, special)
                .Select(s => $"{(s.Token is { } t ? $"{t.Id}:" : "")}{text.AsSpan(s.Start, s.Length)}")
        );
}
