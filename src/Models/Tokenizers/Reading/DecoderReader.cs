using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the part <c>decoder</c>.</summary>
internal static class DecoderReader
{
    /// <summary>The step; one that does nothing where a problem is noted.</summary>
    public static IDecoder Read(JsonPart part)
    {
        switch (part.Type)
        {
            case "Sequence":
                return new DecoderSequence([.. part.List("decoders").Select(Read)]);
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Strip":
                return new StripDecoder(
                    PreTokenizerReader.Letter(part, "content").ToString(),
                    part.Count("start"),
                    part.Count("stop")
                );
            case "Replace":
                if (PatternReader.Read(part) is { } pattern)
                    return new ReplaceDecoder(pattern, part.Needed("content"));
                break;
            case "Metaspace":
                var sign = PreTokenizerReader.Letter(part, "replacement");
                if (sign.IsBmp)
                    return new MetaspaceDecoder((char)sign.Value, PreTokenizerReader.Scheme(part));
                part.Refuse("has a 'replacement' beyond U+FFFF");
                break;
            default:
                part.RefuseType("a decoder");
                break;
        }
        return new DecoderSequence([]);
    }
}
