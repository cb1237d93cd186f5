using System.Text;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Tokenizers.Patterns;
using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

/// <summary>Each step of a tokenizer by itself: what it writes, and which places it gives.</summary>
public sealed class TokenizerStepTests
{
    [Theory]
    [InlineData("Isolated", false, "a|-|-|b|-|c")]
    [InlineData("Removed", false, "a|b|c")]
    [InlineData("MergedWithPrevious", false, "a-|-|b-|c")]
    [InlineData("MergedWithNext", false, "a|-|-b|-c")]
    [InlineData("Contiguous", false, "a|--|b|-|c")]
    [InlineData("Isolated", true, "a|-|-|b|-|c")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("MergedWithPrevious", true, "a|-|-b|-c")]
    [InlineData("MergedWithNext", true, "a-|-|b-|c")]
    [InlineData("Contiguous", true, "a|--|b|-|c")]
    public void A_pattern_cuts_in_five_ways(string behavior, bool inverted, string expected)
    {
        var pieces = Cut(
            "a--b-c",
            new PatternCut(TextPattern.Literal("-"), Enum.Parse<CutBehavior>(behavior), inverted)
        );
        Assert.Equal(expected, string.Join('|', pieces));
    }

    [Theory]
    [InlineData(true, "a|1|2|\u00BD|b")]
    [InlineData(false, "a|12\u00BD|b")]
    public void Digits_are_numbers_of_any_kind(bool oneByOne, string expected)
    {
        var cut = new SetCut(CharClasses.Number, oneByOne ? CutBehavior.Isolated : CutBehavior.Contiguous);
        Assert.Equal(expected, string.Join('|', Cut("a12\u00BDb", cut)));
    }

    [Fact]
    public void Ascii_symbols_and_punctuation_of_all_scripts_are_punctuation() =>
        Assert.Equal(
            "a|$|b|\u3002|\u20AC",
            string.Join('|', Cut("a$b\u3002\u20AC", new SetCut(CharClasses.Punctuation, CutBehavior.Isolated)))
        );

    [Theory]
    [InlineData("First", "\u2581a\u2581\u2581b")]
    [InlineData("Always", "\u2581a\u2581\u2581b")]
    [InlineData("Never", "a\u2581\u2581b")]
    public void Metaspace_stands_for_spaces_and_in_front(string name, string expected)
    {
        var scheme = Enum.Parse<PrefixScheme>(name);
        Assert.Equal([expected], Cut("a  b", new Metaspace('\u2581', scheme, cuts: false)));
        // a space in front is one already
        Assert.Equal(["\u2581a"], Cut(" a", new Metaspace('\u2581', scheme, cuts: false)));
    }

    [Fact]
    public void Metaspace_cuts_before_each_sign_and_goes_on_without_one_in_front()
    {
        Assert.Equal(
            ["\u2581a", "\u2581", "\u2581b"],
            Cut("a  b", new Metaspace('\u2581', PrefixScheme.First, cuts: true))
        );
        var going = new Pieces(AlignedText.Of("a b"), goesOn: true);
        new Metaspace('\u2581', PrefixScheme.Always, cuts: false).Apply(going);
        Assert.Equal("a\u2581b", going.Text.Text);
    }

    [Fact]
    public void Only_the_beginning_of_the_text_is_first()
    {
        var second = new Pieces(AlignedText.Of("xa b").Slice(1, 3), goesOn: false);
        new Metaspace('\u2581', PrefixScheme.First, cuts: false).Apply(second);
        Assert.Equal("a\u2581b", second.Text.Text);
    }

    [Fact]
    public void Bytes_take_the_place_of_their_character()
    {
        var pieces = new Pieces(AlignedText.Of("\u00E9\U0001F600"), goesOn: false);
        new ByteLevel(prefixSpace: true, cuts: true).Apply(pieces);
        Assert.Equal("\u0120\u00C3\u00A9|\u00F0\u0141\u013A\u0122", Show(pieces));
        Assert.Equal(new Place(0, 1), pieces.Text.Places[0]);
        Assert.Equal(new Place(0, 1), pieces.Text.Places[2]);
        Assert.Equal(new Place(1, 3), pieces.Text.Places[^1]);
    }

    [Theory]
    [InlineData("NFC", "cafe\u0301 \u212B \uD55C\u1112\u1161\u11AB", "caf\u00E9 \u00C5 \uD55C\uD55C")]
    [InlineData("NFC", "s\u0307\u0323 \u0344 \u0958", "\u1E69 \u0308\u0301 \u0915\u093C")]
    [InlineData("NFD", "\u1E69\u00E9\uAC01", "s\u0323\u0307e\u0301\u1100\u1161\u11A8")]
    [InlineData("NFKC", "\uFB01\u00B2\uFF21\u2460\u01C4", "fi2A1D\u017D")]
    [InlineData("NFKD", "\uFB01\u01C4", "fiDZ\u030C")]
    [InlineData("NFC", "\u0301a\u0302\u0301", "\u0301\u1EA5")]
    public void The_four_forms_of_unicode(string form, string text, string expected)
    {
        var step = new UnicodeForm(form.Contains('K', StringComparison.Ordinal), form.EndsWith('C'));
        Assert.Equal(expected, step.Normalize(AlignedText.Of(text), goesOn: false).Text);
    }

    [Fact]
    public void A_composed_letter_has_the_place_of_its_first_part()
    {
        var composed = new UnicodeForm(false, composed: true).Normalize(AlignedText.Of("e\u0301x"), false);
        Assert.Equal([new Place(0, 1), new Place(2, 3)], composed.Places);
        var apart = new UnicodeForm(false, composed: false).Normalize(AlignedText.Of("\u00E9x"), false);
        Assert.Equal([new Place(0, 1), new Place(0, 1), new Place(1, 2)], apart.Places);
    }

    [Fact]
    public void Forms_agree_with_each_other()
    {
        static string Form(string text, bool compatible, bool composed) =>
            string.Concat(NormalForms.Of(text, compatible, composed).Select(p => p.Rune));
        // Of the syllables and the far planes some are enough: nothing else is in the data there.
        for (var c = 0; c < 0x30000; c += c is >= 0x3400 and < 0xF900 or >= 0x20000 and < 0x2F800 ? 61 : 1)
        {
            if (!Rune.IsValid(c))
                continue;
            var text = new Rune(c).ToString();
            var (apart, whole) = (Form(text, false, false), Form(text, false, true));
            Assert.Equal(apart, Form(apart, false, false));
            Assert.Equal(whole, Form(apart, false, true));
            Assert.Equal(whole, Form(whole, false, true));
            var kept = Form(text, true, false);
            Assert.Equal(kept, Form(whole, true, false));
            Assert.Equal(Form(kept, false, true), Form(text, true, true));
        }
    }

    [Fact]
    public void Lowercase_knows_the_letter_that_becomes_two()
    {
        var lower = new Lowercase().Normalize(AlignedText.Of("A\u0130\u00C9\u03A3"), goesOn: false);
        Assert.Equal("ai\u0307\u00E9\u03C3", lower.Text);
        Assert.Equal(
            [new Place(0, 1), new Place(1, 2), new Place(1, 2), new Place(2, 3), new Place(3, 4)],
            lower.Places
        );
    }

    [Fact]
    public void What_is_put_in_has_the_last_place_of_what_it_replaces()
    {
        var step = new Replace(new TextPattern(" +"), "__");
        var text = step.Normalize(AlignedText.Of("a  b"), goesOn: false);
        Assert.Equal("a__b", text.Text);
        Assert.Equal([new Place(0, 1), new Place(2, 3), new Place(2, 3), new Place(3, 4)], text.Places);
    }

    [Fact]
    public void A_prefix_has_the_place_of_the_first_character()
    {
        var text = new Prepend("\u2581").Normalize(AlignedText.Of("\U0001F600"), goesOn: false);
        Assert.Equal("\u2581\U0001F600", text.Text);
        Assert.Equal(new Place(0, 2), text.Places[0]);
        Assert.Equal("", new Prepend("\u2581").Normalize(AlignedText.Of(""), goesOn: false).Text);
        Assert.Equal("a", new Prepend("\u2581").Normalize(AlignedText.Of("a"), goesOn: true).Text);
    }

    [Fact]
    public void White_space_and_accents_are_dropped_with_their_places()
    {
        var text = new Strip(left: true, right: false).Normalize(AlignedText.Of("\u00A0\ta b "), goesOn: false);
        Assert.Equal("a b ", text.Text);
        Assert.Equal(new Place(2, 3), text.Places[0]);
        Assert.Equal("", new Strip(true, true).Normalize(AlignedText.Of(" \n"), false).Text);
        Assert.Equal("ea", new StripAccents().Normalize(AlignedText.Of("e\u0301\u20DDa"), false).Text);
    }

    [Fact]
    public void Half_a_character_is_read_as_unknown_in_its_place() =>
        Assert.Equal("a\uFFFDb\uFFFD", AlignedText.Of("a\uD800b\uDC00").Text);

    [Theory]
    [InlineData("<0xE2>|<0x82>|<0xAC>|a", "\u20ACa")]
    [InlineData("<0xE2>|<0x82>|a", "\uFFFD\uFFFDa")]
    [InlineData("<0xG0>|<0x41>", "<0xG0>A")]
    public void Byte_tokens_become_text_or_one_sign_each(string tokens, string expected) =>
        Assert.Equal(expected, Decoded(tokens, new ByteFallbackDecoder()));

    [Theory]
    [InlineData("\u0120a|\u00C3|\u00A9", " a\u00E9")]
    [InlineData("\u00C3|a", "\uFFFDa")]
    [InlineData("\u65E5|a", "\u65E5a")]
    public void Byte_letters_become_text(string tokens, string expected) =>
        Assert.Equal(expected, Decoded(tokens, new ByteLevelDecoder()));

    [Fact]
    public void The_other_decoders()
    {
        Assert.Equal("a b", Decoded("a|b", new SpaceBetween()));
        Assert.Equal(" a\u2581", Decoded("  a\u2581  ", new StripDecoder(" ", start: 1, stop: 2)));
        Assert.Equal("a b", Decoded("a|\u2581b", new ReplaceDecoder(TextPattern.Literal("\u2581"), " ")));
        Assert.Equal("a b", Decoded("\u2581a|\u2581b", new MetaspaceDecoder('\u2581', PrefixScheme.First)));
        Assert.Equal(" a b", Decoded("\u2581a|\u2581b", new MetaspaceDecoder('\u2581', PrefixScheme.Never)));
        Assert.Equal(
            "ab",
            Decoded("\u2581a|b", new DecoderSequence([new FuseDecoder(), new StripDecoder("\u2581", 1, 0)]))
        );
    }

    [Theory]
    [InlineData("\u0120\u0120ab\u0120", 3, 8, false, true, 5, 7)]
    [InlineData("\u0120ab", 0, 3, true, true, 0, 3)]
    [InlineData("\u0120ab", 0, 3, false, true, 1, 3)]
    [InlineData("\u0120\u0120", 0, 2, true, true, 2, 2)]
    [InlineData("\u0120", 0, 1, true, true, 0, 0)]
    [InlineData("\u0120\u0120", 4, 6, false, false, 6, 6)]
    [InlineData("ab", 4, 6, false, false, 4, 6)]
    public void White_space_has_no_place_where_the_file_says_so(
        string token,
        int start,
        int end,
        bool keepsFirst,
        bool isFirst,
        int from,
        int to
    )
    {
        var post = PostProcessing.None with { Trims = true, KeepsFirstSpace = keepsFirst };
        var (span, text) = (new TokenSpan(7, start, end), new string('x', 10));
        Assert.Equal(new TokenSpan(7, from, to), post.Trim(span, token, isFirst, text));
        Assert.Equal(span, PostProcessing.None.Trim(span, token, isFirst, text));
    }

    [Fact]
    public void A_character_of_two_units_is_cut_as_one()
    {
        var post = PostProcessing.None with { Trims = true, KeepsFirstSpace = true };
        Assert.Equal(new TokenSpan(7, 0, 0), post.Trim(new TokenSpan(7, 0, 2), "\u0120", isFirst: true, "\U0001D518"));
    }

    private static IEnumerable<string> Cut(string text, IPreTokenizer step)
    {
        var pieces = new Pieces(AlignedText.Of(text), goesOn: false);
        step.Apply(pieces);
        return pieces.Ranges.Select(r => pieces.Of(r).ToString());
    }

    private static string Show(Pieces pieces) => string.Join('|', pieces.Ranges.Select(r => pieces.Of(r).ToString()));

    private static string Decoded(string tokens, IDecoder decoder) =>
        string.Concat(decoder.Decode([.. tokens.Split('|').Select(t => new DecodedPart(t))]).Select(p => p.Text));
}
