using System.Text;
using EditUnlearn.Models.Tokenizers.Patterns;

namespace EditUnlearn.Models.Tokenizers.Steps;

/// <summary>The text of a token on its way back.</summary>
/// <param name="Text">As far as it is decoded.</param>
/// <param name="IsText">Whether it stands for itself: an added token, which no vocabulary spells.</param>
internal readonly record struct DecodedPart(string Text, bool IsText = false);

/// <summary>A step from tokens to text.</summary>
internal interface IDecoder
{
    /// <summary>Takes the step.</summary>
    List<DecodedPart> Decode(List<DecodedPart> parts);
}

/// <summary>One after the other.</summary>
internal sealed class DecoderSequence(IReadOnlyList<IDecoder> steps) : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) =>
        steps.Aggregate(parts, (decoded, step) => step.Decode(decoded));
}

/// <summary>No decoder: tokens with spaces between them.</summary>
internal sealed class SpaceBetween : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) =>
        [new DecodedPart(string.Join(' ', parts.Select(p => p.Text)))];
}

/// <summary><c>ByteLevel</c>: letters that stand for bytes become these bytes.</summary>
/// <remarks>
/// A token with other letters in it stands for itself. So does an added token here, while the reference reads its
/// letters as bytes too and breaks those that are no ASCII.
/// </remarks>
internal sealed class ByteLevelDecoder : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts)
    {
        var bytes = new List<byte>();
        foreach (var (text, isText) in parts)
            bytes.AddRange(
                isText || !ByteSymbols.Spells(text) ? Encoding.UTF8.GetBytes(text) : ByteSymbols.ToBytes(text)
            );
        return [new DecodedPart(Encoding.UTF8.GetString([.. bytes]))];
    }
}

/// <summary><c>ByteFallback</c>: tokens such as <c>&lt;0x0A&gt;</c> become bytes; of a run that is no UTF-8 each byte
/// becomes U+FFFD.</summary>
internal sealed class ByteFallbackDecoder : IDecoder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts)
    {
        var decoded = new List<DecodedPart>(parts.Count);
        var bytes = new List<byte>();
        foreach (var part in parts)
        {
            if (SentencePieceModel.ByteOf(part.Text) is { } value)
            {
                bytes.Add(value);
                continue;
            }
            Close(bytes, decoded);
            decoded.Add(part);
        }
        Close(bytes, decoded);
        return decoded;
    }

    private static void Close(List<byte> bytes, List<DecodedPart> decoded)
    {
        if (bytes.Count == 0)
            return;
        try
        {
            decoded.Add(new DecodedPart(Strict.GetString([.. bytes])));
        }
        catch (DecoderFallbackException)
        {
            decoded.AddRange(Enumerable.Repeat(new DecodedPart("\uFFFD"), bytes.Count));
        }
        bytes.Clear();
    }
}

/// <summary><c>Fuse</c>: all tokens become one.</summary>
internal sealed class FuseDecoder : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) =>
        [new DecodedPart(string.Concat(parts.Select(p => p.Text)))];
}

/// <summary><c>Strip</c>: drops a character at the ends of every token, up to so many times.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) => [.. parts.Select(p => p with { Text = Cut(p.Text) })];

    private string Cut(string text)
    {
        var from = 0;
        for (var i = 0; i < start && text.AsSpan(from).StartsWith(content, StringComparison.Ordinal); i++)
            from += content.Length;
        var to = text.Length;
        for (var i = 0; i < stop && text.AsSpan(from, to - from).EndsWith(content, StringComparison.Ordinal); i++)
            to -= content.Length;
        return text[from..to];
    }
}

/// <summary><c>Replace</c>: writes a text in place of what a pattern fits, token by token.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) => [.. parts.Select(p => p with { Text = Write(p.Text) })];

    private string Write(string text)
    {
        var written = new StringBuilder(text.Length);
        var open = 0;
        foreach (var (start, length) in pattern.Matches(text))
        {
            written.Append(text, open, start - open).Append(content);
            open = start + length;
        }
        return open == 0 && written.Length == 0 ? text : written.Append(text, open, text.Length - open).ToString();
    }
}

/// <summary><c>Metaspace</c>: the sign for the space becomes a space; the first token loses it where a text was given
/// one.</summary>
internal sealed class MetaspaceDecoder(char sign, PrefixScheme scheme) : IDecoder
{
    /// <inheritdoc/>
    public List<DecodedPart> Decode(List<DecodedPart> parts) =>
        [
            .. parts.Select(
                (p, i) =>
                    p with
                    {
                        Text =
                            i == 0 && scheme != PrefixScheme.Never
                                ? p.Text.Replace(sign.ToString(), "", StringComparison.Ordinal)
                                : p.Text.Replace(sign, ' '),
                    }
            ),
        ];
}
