using EditUnlearn.Foundation;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EditUnlearn.Pipeline;

/// <summary>
/// A value of a YAML file with the place where it stands. Nothing is typed yet: the reader of a scalar decides what it
/// means.
/// </summary>
/// <param name="Place">Where it begins.</param>
public abstract record YamlValue(SourcePlace Place)
{
    /// <summary>What kind of value it is, for messages.</summary>
    public abstract string Kind { get; }

    /// <summary>The value whose place this one takes, in a profile below; null for the first one.</summary>
    public YamlValue? Overrides { get; init; }
}

/// <summary>A scalar, as written.</summary>
/// <param name="Text">Its text without quotes.</param>
/// <param name="Plain">Whether it stood without quotes; only then can it be null, a number or a reference.</param>
/// <param name="Place">Where it begins.</param>
internal sealed record YamlScalar(string Text, bool Plain, SourcePlace Place) : YamlValue(Place)
{
    /// <inheritdoc/>
    public override string Kind => "a single value";

    /// <summary>Whether it says that there is no value.</summary>
    public bool IsNull => Plain && Text is "" or "~" or "null" or "Null" or "NULL";
}

/// <summary>A list.</summary>
/// <param name="Items">In order.</param>
/// <param name="Place">Where it begins.</param>
internal sealed record YamlList(IReadOnlyList<YamlValue> Items, SourcePlace Place) : YamlValue(Place)
{
    /// <inheritdoc/>
    public override string Kind => "a list";
}

/// <summary>A map.</summary>
/// <param name="Entries">In file order; keys are distinct.</param>
/// <param name="Place">Where it begins.</param>
/// <param name="Replaces">Whether it was written with the tag <c>!replace</c>: in a profile it takes the place of the
/// map below instead of being merged into it.</param>
public sealed record YamlMap(IReadOnlyList<YamlEntry> Entries, SourcePlace Place, bool Replaces = false)
    : YamlValue(Place)
{
    /// <summary>Whether it is an entry that is there for others to be based on; no axis shows it.</summary>
    public bool IsAbstract { get; init; }

    /// <summary>
    /// Whether the program lists its entries, so that nobody can add one, unless it is a variant
    /// (<see cref="VariantOf"/>).
    /// </summary>
    public bool IsClosed { get; init; }

    /// <summary>
    /// The key with which a further entry of a closed map says which of the program's entries it is a variant of; null
    /// where there are none.
    /// </summary>
    public string? VariantOf { get; init; }

    /// <inheritdoc/>
    public override string Kind => "a map";

    /// <summary>The value under a key, or null.</summary>
    public YamlValue? this[string key] => Entries.FirstOrDefault(e => e.Key == key)?.Value;
}

/// <summary>One key of a map.</summary>
/// <param name="Key">The key.</param>
/// <param name="Place">Where the key stands.</param>
/// <param name="Value">Its value.</param>
public sealed record YamlEntry(string Key, SourcePlace Place, YamlValue Value);

/// <summary>
/// Reads YAML into <see cref="YamlValue"/>s. Anchors, tags but <c>!replace</c> on a map, and deep nesting are refused:
/// a pipeline needs none, and they can hide bombs.
/// </summary>
internal static class YamlReader
{
    private const int MaxDepth = 32;
    private const int MaxBytes = 4 << 20;

    /// <summary>Reads one document.</summary>
    /// <param name="text">The text.</param>
    /// <param name="file">Its name for messages.</param>
    /// <exception cref="InputException">It is not YAML, or uses more of it than is allowed.</exception>
    public static YamlValue Read(string text, string file)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MaxBytes)
            throw new InputException(file, $"is larger than {MaxBytes} bytes");
        var parser = new Parser(new StringReader(text));
        try
        {
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
                return new YamlMap([], new SourcePlace(file, 1, 1));
            var value = Value(parser, file, 0);
            parser.Consume<DocumentEnd>();
            if (parser.Accept<DocumentStart>(out var second))
                throw Problem(file, second.Start, "a second document begins", "keep one document in the file");
            return value;
        }
        // Broken brackets make the parser fail in other ways too, without saying where.
        catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException)
        {
            var at = (e as YamlException)?.Start ?? parser.Current?.End ?? Mark.Empty;
            throw new InputException(
                new InputProblem(
                    file,
                    (int)at.Line,
                    (int)at.Column,
                    "not valid YAML" + (e is YamlException ? ": " + e.Message.Split(": ", 2)[^1].TrimEnd('.') : ""),
                    text.Contains("${", StringComparison.Ordinal)
                        ? "write $name, not ${name}"
                        : "check indentation, quotes and brackets just before this place"
                )
            );
        }
    }

    private static YamlValue Value(Parser parser, string file, int depth)
    {
        if (depth > MaxDepth)
            throw Problem(file, parser.Current!.Start, $"is nested deeper than {MaxDepth} levels", null);
        const string NoAnchors =
            "write the value out in each place; in a profile it can have a name of its own, and others say $name";
        if (parser.Accept<AnchorAlias>(out var alias))
            throw Problem(file, alias.Start, "anchors and aliases are not supported", NoAnchors);
        var node = parser.Consume<NodeEvent>();
        var place = new SourcePlace(file, (int)node.Start.Line, (int)node.Start.Column);
        if (!node.Anchor.IsEmpty)
            throw Problem(file, node.Start, "anchors and aliases are not supported", NoAnchors);
        var replaces = node is MappingStart && !node.Tag.IsEmpty && node.Tag.Value == "!replace";
        if (!replaces && !node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
            throw Problem(file, node.Start, $"the tag {node.Tag} is not supported", "write the value without a tag");
        switch (node)
        {
            case Scalar scalar:
                return new YamlScalar(scalar.Value, scalar.Style == ScalarStyle.Plain, place);
            case SequenceStart:
                var items = new List<YamlValue>();
                while (!parser.TryConsume<SequenceEnd>(out _))
                    items.Add(Value(parser, file, depth + 1));
                return new YamlList(items, place);
            default:
                var entries = new List<YamlEntry>();
                while (!parser.TryConsume<MappingEnd>(out _))
                {
                    if (!parser.TryConsume<Scalar>(out var key))
                        throw Problem(file, parser.Current!.Start, "a key must be plain text", null);
                    if (entries.Find(e => e.Key == key.Value) is { } first)
                        throw Problem(
                            file,
                            key.Start,
                            $"'{key.Value}' stands twice in this map",
                            $"the first one is in line {first.Place.Line}"
                        );
                    entries.Add(
                        new YamlEntry(
                            key.Value,
                            new SourcePlace(file, (int)key.Start.Line, (int)key.Start.Column),
                            Value(parser, file, depth + 1)
                        )
                    );
                }
                return new YamlMap(entries, place, replaces);
        }
    }

    private static InputException Problem(string file, Mark at, string message, string? hint) =>
        new(new InputProblem(file, (int)at.Line, (int)at.Column, message, hint));
}
