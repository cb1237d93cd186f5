using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Entries of a map that are alike say so: <c>based-on: other</c> takes over what the other entry says, and
/// <c>abstract: true</c> marks an entry that is there for others only.
/// </summary>
internal static class Inheritance
{
    /// <summary>Names the entry whose values stand below.</summary>
    public const string BasedOn = "based-on";

    /// <summary>Marks an entry that no axis shows.</summary>
    public const string Abstract = "abstract";

    /// <summary>Whether a map marks itself as abstract.</summary>
    public static bool SaysAbstract(YamlMap? map) => map?[Abstract] is YamlScalar { Text: "true" };

    /// <summary>A map without the two words.</summary>
    public static YamlMap WithoutWords(YamlMap map) =>
        map with
        {
            Entries = [.. map.Entries.Where(e => e.Key is not (BasedOn or Abstract))],
        };

    /// <summary>Reports keys that look like one of the two words.</summary>
    public static void ReportMisspeltWords(YamlMap map, Problems problems)
    {
        string[] words = [BasedOn, Abstract];
        foreach (var entry in map.Entries.Where(e => !words.Contains(e.Key)))
            if (Spelling.Nearest(entry.Key, words) is { } near)
                problems.Add(entry.Place, $"'{entry.Key}' is no word of inheritance", $"did you mean '{near}'?");
    }

    /// <summary>Every map of the top level with the inheritance of its entries carried out.</summary>
    public static YamlMap Resolve(YamlMap settings, Problems problems) =>
        settings with
        {
            Entries =
            [
                .. settings.Entries.Select(e => e.Value is YamlMap map ? e with { Value = Entries(map, problems) } : e),
            ],
        };

    private static YamlMap Entries(YamlMap map, Problems problems)
    {
        if (!map.Entries.Any(e => e.Value is YamlMap m && (m[BasedOn] is not null || m[Abstract] is not null)))
            return map;
        var done = new Dictionary<string, YamlMap>(StringComparer.Ordinal);
        return map with
        {
            Entries =
            [
                .. map.Entries.Select(e =>
                    e.Value is YamlMap entry ? e with { Value = Entry(map, e.Key, entry, [], done, problems) } : e
                ),
            ],
        };
    }

    private static YamlMap Entry(
        YamlMap all,
        string name,
        YamlMap entry,
        IReadOnlyList<string> above,
        Dictionary<string, YamlMap> done,
        Problems problems
    )
    {
        if (done.TryGetValue(name, out var known))
            return known;
        ReportMisspeltWords(entry, problems);
        var own = WithoutWords(entry) with { IsAbstract = SaysAbstract(entry) };
        if (entry[Abstract] is { } word and not YamlScalar { Text: "true" or "false" })
            problems.Add(word.Place, $"'{Abstract}' must be true or false");
        return done[name] = Base(all, name, entry, above, problems) is { } below
            ? SettingsTree.Overlay(Entry(all, below.Name, below.Map, [.. above, name], done, problems), own)
            : own;
    }

    private static (string Name, YamlMap Map)? Base(
        YamlMap all,
        string name,
        YamlMap entry,
        IReadOnlyList<string> above,
        Problems problems
    )
    {
        if (entry[BasedOn] is not { } on)
            return null;
        if (on is not YamlScalar { IsNull: false } text)
            problems.Add(on.Place, $"'{BasedOn}' must name one entry beside this one, not {on.Kind}");
        else if (text.Text == name || above.Contains(text.Text))
            problems.Add(on.Place, $"'{name}' is based on itself");
        else if (all[text.Text] is not YamlMap below)
            problems.Add(
                on.Place,
                $"there is no '{text.Text}' beside '{name}' to be based on",
                Problems.DidYouMean(text.Text, all.Entries.Where(e => e.Key != name).Select(e => e.Key))
            );
        else
            return (text.Text, below);
        return null;
    }
}
