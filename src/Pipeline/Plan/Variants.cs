namespace EditUnlearn.Pipeline;

/// <summary>
/// Entries that a profile adds to a map which the program lists: each says which of the program's entries it is a
/// variant of, and has that one's values below its own. Methods are such a map (docs/pipeline.md).
/// </summary>
internal static class Variants
{
    // What an entry is called in print. Nothing could tell two of one label apart.
    private const string Label = "label";

    /// <summary>Whether an entry that the program does not list means to be a variant.</summary>
    public static bool IsOne(YamlMap map, YamlEntry entry) =>
        map.VariantOf is { } key
        && entry.Value is YamlMap own
        && (own[key] is not null || own[Inheritance.BasedOn] is not null || own[Inheritance.Abstract] is not null);

    /// <summary>What to do about a name that the program does not list.</summary>
    public static string HintFor(YamlMap map, YamlEntry entry)
    {
        var known = map.Entries.Select(e => e.Key).ToList();
        var hint = Problems.DidYouMean(entry.Key, known);
        return map.VariantOf is { } key && entry.Value is YamlMap && hint.StartsWith("known", StringComparison.Ordinal)
            ? $"{hint}; an entry of your own says with '{key}' or '{Inheritance.BasedOn}' what it is a variant of"
            : hint;
    }

    /// <summary>
    /// Gives entries that the program lists its values back where a profile replaced an entry as a whole.
    /// </summary>
    /// <param name="known">What the program lists.</param>
    /// <param name="settings">Those in force, before inheritance.</param>
    public static YamlMap Refill(YamlMap known, YamlMap settings) =>
        settings with
        {
            Entries =
            [
                .. settings.Entries.Select(e =>
                    e.Value is YamlMap { VariantOf: not null } map && known[e.Key] is YamlMap listed
                        ? e with
                        {
                            Value = map with { Entries = [.. map.Entries.Select(own => Refill(listed, own))] },
                        }
                        : e
                ),
            ],
        };

    private static YamlEntry Refill(YamlMap listed, YamlEntry entry) =>
        entry.Value is YamlMap own && listed[entry.Key] is YamlMap below
            ? entry with
            {
                Value = own with { Entries = [.. below.Entries.Where(e => own[e.Key] is null), .. own.Entries] },
            }
            : entry;

    /// <summary>Checks the variants of every such map and puts the program's values below theirs.</summary>
    /// <param name="known">What the program lists.</param>
    /// <param name="settings">Those in force, inheritance carried out.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static YamlMap Complete(YamlMap known, YamlMap settings, Problems problems) =>
        settings with
        {
            Entries =
            [
                .. settings.Entries.Select(e =>
                    e.Value is YamlMap { VariantOf: { } key } map && known[e.Key] is YamlMap listed
                        ? e with
                        {
                            Value = Complete(listed, map, key, problems),
                        }
                        : e
                ),
            ],
        };

    private static YamlMap Complete(YamlMap listed, YamlMap map, string key, Problems problems)
    {
        var entries = map.Entries.Select(e => Complete(listed, e, key, problems)).ToList();
        var labels = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var entry in entries.Where(e => e.Value is YamlMap { IsAbstract: false }))
            if (((YamlMap)entry.Value)[Label] is YamlScalar label && !labels.TryAdd(label.Text, entry.Key))
                problems.Add(
                    label.Place.File == KnownEntries.Place.File ? entry.Place : label.Place,
                    $"'{entry.Key}' has the label '{label.Text}', which '{labels[label.Text]}' has already",
                    $"give it a '{Label}' of its own"
                );
        return map with { Entries = entries };
    }

    private static YamlEntry Complete(YamlMap listed, YamlEntry entry, string key, Problems problems)
    {
        var names = listed.Entries.Select(e => e.Key).ToList();
        if (entry.Value is not YamlMap own)
            return entry;
        if (listed[entry.Key] is not null)
        {
            if (own[key] is { } other && other.Place != KnownEntries.Place)
                problems.Add(
                    other.Place,
                    $"'{entry.Key}' is no variant, so its '{key}' cannot be set",
                    "add an entry of another name"
                );
            return entry;
        }
        if (own.IsAbstract)
            return entry;
        switch (own[key])
        {
            case null:
                problems.Add(
                    entry.Place,
                    $"'{entry.Key}' does not say with '{key}' what it is a variant of",
                    "known: " + string.Join(", ", names)
                );
                return entry;
            case YamlScalar { IsNull: false } of when listed[of.Text] is YamlMap below:
                return entry with
                {
                    Value = own with { Entries = [.. below.Entries.Where(e => own[e.Key] is null), .. own.Entries] },
                };
            case var wrong:
                var written = wrong is YamlScalar s ? s.Text : "";
                problems.Add(
                    wrong.Place,
                    $"'{key}' of '{entry.Key}' must name one that the program lists"
                        + (written.Length > 0 ? $", not '{written}'" : ""),
                    Problems.DidYouMean(written, names)
                );
                return entry;
        }
    }
}
