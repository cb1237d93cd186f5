using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The settings in force: what the program knows, then the profiles from the lowest to the one that is asked for, then
/// the command line. Inheritance between entries has been carried out.
/// </summary>
internal sealed class SettingsTree
{
    private readonly Problems _problems;

    private SettingsTree(YamlMap root, Problems problems)
    {
        Root = root;
        _problems = problems;
    }

    public YamlMap Root { get; private set; }

    /// <summary>Puts the layers over each other.</summary>
    /// <param name="known">What the program itself lists, such as the methods; profiles give it values.</param>
    /// <param name="layers">Profiles, the lowest first.</param>
    /// <param name="sets"><c>a.b=value</c> of the command line.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static SettingsTree Of(
        YamlMap known,
        IReadOnlyList<ProfileLayer> layers,
        IReadOnlyList<string> sets,
        Problems problems
    )
    {
        var tree = new SettingsTree(known, problems);
        foreach (var layer in layers)
            tree.Root = tree.Merge(tree.Root, layer.Values, "", mayAdd: true);
        foreach (var set in sets)
            tree.Set(set);
        tree.Root = Variants.Complete(
            known,
            Inheritance.Resolve(Variants.Refill(known, tree.Root), problems),
            problems
        );
        return tree;
    }

    /// <summary>A map with another over it; a map tagged <c>!replace</c> takes the place of the one below.</summary>
    public static YamlMap Overlay(YamlMap below, YamlMap above)
    {
        var entries = below.Entries.ToList();
        foreach (var entry in above.Entries)
        {
            var i = entries.FindIndex(e => e.Key == entry.Key);
            if (i < 0)
                entries.Add(entry);
            else
                entries[i] = Over(entries[i], entry, Overlay);
        }
        return above with { Entries = entries };
    }

    /// <summary>All leaves with their places.</summary>
    public IEnumerable<Setting> Leaves()
    {
        IEnumerable<Setting> Of(YamlValue value, string path) =>
            value is YamlMap map && map.Entries.Count > 0
                ? map.Entries.SelectMany(e => Of(e.Value, $"{path}.{e.Key}"))
                : [new Setting(path, ParameterBinder.Untyped(value), value.Place)];
        return Root.Entries.SelectMany(e => Of(e.Value, e.Key));
    }

    // Puts one `a.b=value` of the command line over everything.
    private void Set(string assignment)
    {
        var place = new SourcePlace($"--set {assignment}", 0, 0);
        var equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            _problems.Add(place, "is not of the form path=value", "for example --set pretrain.steps=200");
            return;
        }
        var written = assignment[(equals + 1)..];
        YamlValue value;
        try
        {
            value = At(YamlReader.Read(written, place.File), place);
        }
        catch (InputException e)
        {
            _problems.Add(place, e.Problems[0].Message, e.Problems[0].Hint);
            return;
        }
        if (written.Trim().Length == 0)
            value = new YamlScalar("", true, place);
        foreach (var key in assignment[..equals].Split('.').Reverse())
            value = new YamlMap([new YamlEntry(key, place, value)], place);
        Root = Merge(Root, (YamlMap)value, "", mayAdd: false);
    }

    // A setting that no lower layer has is a mistake where it looks like a misspelling, and on the command line also at
    // the top level. Otherwise a profile may add it: which names a map may hold is for its reader to say.
    private YamlMap Merge(YamlMap below, YamlMap above, string path, bool mayAdd)
    {
        var entries = below.Entries.ToList();
        foreach (var entry in above.Entries)
        {
            var inner = path.Length == 0 ? entry.Key : $"{path}.{entry.Key}";
            var i = entries.FindIndex(e => e.Key == entry.Key);
            if (i >= 0 && Misfit(entries[i].Value, entry.Value, path) is { } expected)
                _problems.Add(entry.Place, $"'{inner}' must be {expected}, not {Shown(entry.Value)}");
            else if (i >= 0)
                entries[i] = Over(entries[i], entry, (b, a) => Merge(b, a, inner, mayAdd));
            else if (Unknown(below, entry, path, mayAdd) is { } hint)
                _problems.Add(entry.Place, $"there is no setting '{inner}' to change", hint);
            else
                entries.Add(entry);
        }
        return below with { Entries = entries };
    }

    // A single value where lower layers have a map or a list is a mistake, not a change. Below the top level, no value
    // may mean that there is no such map.
    private static string? Misfit(YamlValue below, YamlValue above, string path)
    {
        if (above is not YamlScalar single || (single.IsNull && (path.Length > 0 || below is YamlList)))
            return null;
        return below switch
        {
            YamlMap { Entries: [var first, ..] } => $"a map, as in {{{first.Key}: ..}}",
            YamlList => $"a list, as in [{(single.IsNull ? "a" : single.Text)}]",
            _ => null,
        };
    }

    private static string Shown(YamlValue value) =>
        value is YamlScalar { IsNull: false } s ? $"'{s.Text}'" : "nothing";

    private static string? Unknown(YamlMap below, YamlEntry entry, string path, bool mayAdd)
    {
        var known = below.Entries.Select(e => e.Key).ToList();
        if (below.IsClosed)
            return Variants.IsOne(below, entry) ? null : Variants.HintFor(below, entry);
        if (known.Count == 0 || entry.Key is Inheritance.BasedOn or Inheritance.Abstract)
            return null;
        return path.Length == 0 && !mayAdd ? Problems.DidYouMean(entry.Key, known)
            : Spelling.Nearest(entry.Key, known) is { } near && !known.Any(k => AreNeighbours(k, entry.Key))
                ? $"did you mean '{near}'?"
            : null;
    }

    // facts-40 and facts-60 are two names, not one misspelt.
    private static bool AreNeighbours(string a, string b) =>
        a != b && string.Concat(a.Where(char.IsLetter)) == string.Concat(b.Where(char.IsLetter));

    private static YamlEntry Over(YamlEntry below, YamlEntry above, Func<YamlMap, YamlMap, YamlMap> merge) =>
        below.Value is YamlMap b && above.Value is YamlMap { Replaces: false } a
            ? above with
            {
                Value = merge(b, a),
            }
            : above with
            {
                Value = above.Value with { Overrides = below.Value },
            };

    // Values of the command line have no line; their place is the option itself.
    private static YamlValue At(YamlValue value, SourcePlace place) =>
        value switch
        {
            YamlMap m => m with
            {
                Entries = [.. m.Entries.Select(e => new YamlEntry(e.Key, place, At(e.Value, place)))],
                Place = place,
            },
            YamlList l => new YamlList([.. l.Items.Select(i => At(i, place))], place),
            _ => value with { Place = place },
        };
}
