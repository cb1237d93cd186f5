using System.Text;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>Places of byte-level tokens in the text their bytes come from.</summary>
internal static class ByteOffsets
{
    /// <summary>
    /// Adds a span for each token of a piece. A token that holds part of a character covers all of it.
    /// </summary>
    /// <param name="piece">The text; ill-formed UTF-16 counts as U+FFFD, three bytes.</param>
    /// <param name="start">Where it stands.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="length">Bytes of a token.</param>
    /// <param name="spans">Gets the spans.</param>
    public static void Add(
        ReadOnlySpan<char> piece,
        int start,
        IReadOnlyList<int> tokens,
        Func<int, int> length,
        List<TokenSpan> spans
    )
    {
        // Byte and character at the beginning of the character that is being covered.
        var (at, consumed, size) = (0, 0, 0);
        var bytes = 0; // before that character
        var end = 0; // bytes up to the end of the token
        foreach (var token in tokens)
        {
            var begin = end;
            end += length(token);
            while (bytes + size <= begin && at + consumed < piece.Length)
                Advance(piece, ref at, ref consumed, ref bytes, ref size);
            var first = at;
            while (bytes + size < end && at + consumed < piece.Length)
                Advance(piece, ref at, ref consumed, ref bytes, ref size);
            spans.Add(new TokenSpan(token, start + first, start + at + consumed));
        }
    }

    private static void Advance(ReadOnlySpan<char> piece, ref int at, ref int consumed, ref int bytes, ref int size)
    {
        at += consumed;
        bytes += size;
        Rune.DecodeFromUtf16(piece[at..], out var rune, out consumed); // U+FFFD for what is ill-formed
        size = rune.Utf8SequenceLength;
    }
}
