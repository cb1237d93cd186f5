using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Reports;

namespace EditUnlearn.Tests.Unit.Reports;

/// <summary>
/// Letters of every script in what a plain TeX sets: each is set, or a question mark stands for it and is counted.
/// </summary>
public sealed class LetterTests
{
    // Of every script that has letters in Unicode, drawn over all planes.
    [Fact]
    public void A_letter_is_kept_or_counted_as_lost()
    {
        var draw = new Seed(13).Stream("letters");
        var (kept, lost) = (0, 0);
        while (kept < 200 || lost < 2000)
        {
            var value = draw.Below(2) == 0 ? draw.Below(0x500) : draw.Below(0x30000);
            if (!Rune.TryCreate(value, out var rune) || !Rune.IsLetterOrDigit(rune))
                continue;
            var text = $"Who is {rune}?";
            var count = Latex.Lost(text);
            var shown = Latex.Escape(rune.ToString());
            Assert.Equal(shown == "?" ? 1 : 0, count);
            // What stands there is what a TeX of any age sets: letters with their accents, or commands.
            Assert.All(shown.EnumerateRunes(), r => Assert.True(r.Value < 0x180, $"U+{value:X4} -> {shown}"));
            if (count == 0)
                kept++;
            else
                lost++;
        }
    }

    [Theory]
    [InlineData("北京在哪里?", 5)]
    [InlineData("Где Москва?", 9)]
    [InlineData("Où est Łódź?", 0)]
    [InlineData("a \U0001F600 b", 0)]
    [InlineData("e\u0301", 0)]
    public void Lost_letters_are_counted(string text, int expected) => Assert.Equal(expected, Latex.Lost(text));

    // A sign that is no letter may vanish behind a question mark; half of one cannot come out.
    [Fact]
    public void Whatever_comes_in_valid_text_comes_out()
    {
        var draw = new Seed(17).Stream("texts");
        for (var trial = 0; trial < 500; trial++)
        {
            var text = new string([.. Enumerable.Range(0, 20).Select(_ => (char)draw.Below(0x10000))]);
            var escaped = Latex.Escape(text);
            Assert.DoesNotContain(escaped, char.IsSurrogate);
            Assert.DoesNotContain(escaped, char.IsControl);
            Assert.DoesNotContain(ShownText.Of(text, 10), c => c is '\n' or '\r' or '\t');
        }
    }
}
