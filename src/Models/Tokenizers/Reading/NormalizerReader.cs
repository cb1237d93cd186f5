using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the part <c>normalizer</c>.</summary>
internal static class NormalizerReader
{
    /// <summary>The step, or null with the problem noted.</summary>
    public static INormalizer? Read(JsonPart part)
    {
        switch (part.Type)
        {
            case "Sequence":
                return new NormalizerSequence([.. part.List("normalizers").Select(Read).OfType<INormalizer>()]);
            case "NFC":
                return new UnicodeForm(compatible: false, composed: true);
            case "NFD":
                return new UnicodeForm(compatible: false, composed: false);
            case "NFKC":
                return new UnicodeForm(compatible: true, composed: true);
            case "NFKD":
                return new UnicodeForm(compatible: true, composed: false);
            case "Lowercase":
                return new Lowercase();
            case "Replace":
                return PatternReader.Read(part) is { } pattern ? new Replace(pattern, part.Needed("content")) : null;
            case "Prepend":
                return new Prepend(part.Needed("prepend"));
            case "Strip":
                return new Strip(part.Flag("strip_left", whenAbsent: true), part.Flag("strip_right", whenAbsent: true));
            case "StripAccents":
                return new StripAccents();
            default:
                part.RefuseType("a normalizer");
                return null;
        }
    }
}
