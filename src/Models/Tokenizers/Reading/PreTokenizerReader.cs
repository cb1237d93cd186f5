using System.Text;
using EditUnlearn.Models.Tokenizers.Patterns;
using EditUnlearn.Models.Tokenizers.Steps;

namespace EditUnlearn.Models.Tokenizers.Reading;

/// <summary>Reads the part <c>pre_tokenizer</c>.</summary>
internal static class PreTokenizerReader
{
    /// <summary>The step, or null with the problem noted.</summary>
    /// <param name="part">The part.</param>
    /// <param name="isByteLevel">Whether one of the steps is <c>ByteLevel</c>.</param>
    public static IPreTokenizer? Read(JsonPart part, out bool isByteLevel)
    {
        isByteLevel = false;
        if (part.Type == "Sequence")
        {
            var steps = new List<IPreTokenizer>();
            foreach (var inner in part.List("pretokenizers"))
            {
                if (Read(inner, out var bytes) is { } step)
                    steps.Add(step);
                isByteLevel |= bytes;
            }
            return new PreTokenizerSequence(steps);
        }
        isByteLevel = part.Type == "ByteLevel";
        return Step(part);
    }

    private static IPreTokenizer? Step(JsonPart part)
    {
        switch (part.Type)
        {
            case "ByteLevel":
                return new ByteLevel(
                    part.Flag("add_prefix_space", whenAbsent: true),
                    part.Flag("use_regex", whenAbsent: true)
                );
            case "Split":
                return PatternReader.Read(part) is { } pattern
                    ? new PatternCut(pattern, Behavior(part, null), part.Flag("invert"))
                    : null;
            case "Digits":
                return new SetCut(
                    CharClasses.Number,
                    part.Flag("individual_digits") ? CutBehavior.Isolated : CutBehavior.Contiguous
                );
            case "Punctuation":
                return new SetCut(CharClasses.Punctuation, Behavior(part, CutBehavior.Isolated));
            case "WhitespaceSplit":
                return new SetCut(CharClasses.Space, CutBehavior.Removed);
            case "CharDelimiterSplit":
                return new SetCut(CharSet.Of(Letter(part, "delimiter").Value), CutBehavior.Removed);
            case "Metaspace":
                var sign = Letter(part, "replacement");
                if (!sign.IsBmp)
                    part.Refuse("has a 'replacement' beyond U+FFFF");
                return new Metaspace((char)sign.Value, Scheme(part), part.Flag("split", whenAbsent: true));
            default:
                part.RefuseType("a pre-tokenizer");
                return null;
        }
    }

    /// <summary>
    /// When a prefix is put in front: <c>prepend_scheme</c>, or <c>add_prefix_space</c> of older files.
    /// </summary>
    public static PrefixScheme Scheme(JsonPart part)
    {
        var prefix = part.Flag("add_prefix_space", whenAbsent: true);
        switch (part.Text("prepend_scheme"))
        {
            case null:
                return prefix ? PrefixScheme.Always : PrefixScheme.Never;
            case "never":
                return PrefixScheme.Never;
            case "always" when prefix:
                return PrefixScheme.Always;
            case "first" when prefix:
                return PrefixScheme.First;
            case "always" or "first":
                part.Refuse("has a 'prepend_scheme' that 'add_prefix_space' contradicts");
                return PrefixScheme.Never;
            case var other:
                part.Refuse($"has the 'prepend_scheme' '{JsonPart.Shortened(other)}', which is not known");
                return PrefixScheme.Never;
        }
    }

    /// <summary>The one character of that name; a problem where it is none.</summary>
    public static Rune Letter(JsonPart part, string name)
    {
        var text = part.Needed(name);
        if (Rune.TryGetRuneAt(text.Length > 0 ? text : "?", 0, out var rune) && rune.Utf16SequenceLength == text.Length)
            return rune;
        part.Refuse($"has no single character as '{name}'");
        return new Rune('?');
    }

    private static CutBehavior Behavior(JsonPart part, CutBehavior? whenAbsent)
    {
        var name = part.Text("behavior");
        if (name is null && whenAbsent is { } usual)
            return usual;
        if (Enum.GetNames<CutBehavior>().Contains(name, StringComparer.Ordinal))
            return Enum.Parse<CutBehavior>(name!);
        part.Refuse(name is null ? "has no 'behavior'" : $"has the 'behavior' '{JsonPart.Shortened(name)}'");
        return CutBehavior.Isolated;
    }
}
