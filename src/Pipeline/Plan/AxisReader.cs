namespace EditUnlearn.Pipeline;

/// <summary>One axis of a stage, with every label that any cell has on it.</summary>
/// <param name="Name">As under <c>for:</c>.</param>
/// <param name="Labels">In order, without repeats.</param>
internal sealed record Axis(string Name, IReadOnlyList<string> Labels);

/// <summary>
/// Reads the axes of a stage. An axis runs over the entries of a map of the profile and carries their values
/// (<c>model: models</c>), over some of them (<c>of</c> with <c>only</c>, <c>where</c> or <c>having</c>), or over a
/// list of labels.
/// </summary>
internal sealed class AxisReader(Resolver resolver, Problems problems)
{
    private const string Of = "of",
        Only = "only",
        Where = "where",
        Having = "having";

    private static readonly string[] Keys = [Of, Only, Where, Having];

    /// <summary>The axes of a stage that run over a map, with the name of the map.</summary>
    public static IEnumerable<(string Axis, string Map)> MapsOf(YamlValue stage) =>
        stage is YamlMap body && body["for"] is YamlMap axes
            ? axes
                .Entries.Select(a => (a.Key, Map: MapOf(a.Value)))
                .Where(a => a.Map is not null)
                .Select(a => (a.Key, a.Map!))
            : [];

    /// <summary>The keys of the map's entries that the axes of a stage look at to choose labels.</summary>
    public static IEnumerable<(string Map, string Key)> KeysOf(YamlValue stage)
    {
        foreach (var axis in (stage as YamlMap)?["for"] is YamlMap axes ? axes.Entries.Select(e => e.Value) : [])
            if (axis is YamlMap spec && MapOf(spec) is { } map)
            {
                if (spec[Having] is YamlScalar having)
                    yield return (map, having.Text);
                foreach (var rule in (spec[Where] as YamlMap)?.Entries ?? [])
                    yield return (map, rule.Key);
            }
    }

    /// <summary>
    /// Every combination of labels in the order of the axes; a later axis may depend on an earlier one.
    /// </summary>
    public (IReadOnlyList<Axis> Axes, IReadOnlyList<IReadOnlyList<AxisLabel>> Cells) Product(YamlMap axes)
    {
        var all = new List<Axis>();
        List<IReadOnlyList<AxisLabel>> cells =
        [
            [],
        ];
        foreach (var axis in axes.Entries)
        {
            var labels = cells.Select(c => Labels(axis, c)).ToList();
            all.Add(new Axis(axis.Key, [.. labels.SelectMany(l => l).Select(l => l.Label).Distinct()]));
            cells =
            [
                .. cells.Zip(labels).SelectMany(c => c.Second.Select(l => (IReadOnlyList<AxisLabel>)[.. c.First, l])),
            ];
        }
        return (all, cells);
    }

    private static string? MapOf(YamlValue axis) =>
        axis switch
        {
            YamlScalar { IsNull: false } name => name.Text.TrimStart('$'),
            YamlMap map when map[Of] is YamlScalar { IsNull: false } name => name.Text.TrimStart('$'),
            _ => null,
        };

    private IReadOnlyList<AxisLabel> Labels(YamlEntry axis, IReadOnlyList<AxisLabel> before)
    {
        switch (axis.Value)
        {
            case YamlList list:
                return Listed(axis, list);
            case YamlScalar { IsNull: false } name:
                return Chosen(axis, name, new YamlMap([], name.Place), before);
            case YamlMap map when map[Of] is YamlScalar { IsNull: false } name:
                foreach (var key in map.Entries.Where(e => !Keys.Contains(e.Key)))
                    problems.Add(
                        key.Place,
                        $"'{key.Key}' is not a part of an axis",
                        Problems.DidYouMean(key.Key, Keys)
                    );
                return Chosen(axis, name, map, before);
            default:
                problems.Add(
                    axis.Value.Place,
                    $"the axis '{axis.Key}' must name a map of the profile, or be a list of labels",
                    "for example model: models, or method: [rome, memit]"
                );
                return [];
        }
    }

    private IReadOnlyList<AxisLabel> Listed(YamlEntry axis, YamlList list)
    {
        var labels = new List<AxisLabel>();
        foreach (var item in (resolver.Resolve(list, []) as YamlList)!.Items)
            if (item is not YamlScalar s || !CellId.IsLabel(s.Text))
                problems.Add(
                    item.Place,
                    $"a label of the axis '{axis.Key}' may hold letters, digits, '.', '_' and '-' only"
                );
            else if (labels.Any(l => l.Label == s.Text))
                problems.Add(item.Place, $"the label '{s.Text}' stands twice on the axis '{axis.Key}'");
            else
                labels.Add(new AxisLabel(axis.Key, s.Text, null));
        return labels;
    }

    // Entries of a map: all that are not abstract, or those that the axis asks for.
    private IReadOnlyList<AxisLabel> Chosen(
        YamlEntry axis,
        YamlScalar name,
        YamlMap choice,
        IReadOnlyList<AxisLabel> before
    )
    {
        switch (resolver.Find(name.Text.TrimStart('$'), before, name.Place, optional: false))
        {
            case YamlMap map:
                var entries = Entries(axis, map);
                if (
                    choice[Only] is { } only
                    && resolver.Resolve(only, before) is { } wanted and not YamlScalar { IsNull: true }
                )
                    entries = Wanted(name.Text, wanted, entries, map);
                if (choice[Having] is { } having && resolver.ResolveText(having, before, "'having'") is { } key)
                    entries = [.. entries.Where(e => e.Carried![key] is not null)];
                if (choice[Where] is { } where)
                {
                    var all = entries;
                    entries = [.. entries.Where(e => Holds(where, e, all, before))];
                }
                return entries;
            case YamlList list:
                return Listed(axis, list);
            case { } other:
                problems.Add(other.Place, $"'{name.Text}' is {other.Kind}, so the axis '{axis.Key}' has no labels");
                return [];
            default:
                return [];
        }
    }

    private List<AxisLabel> Entries(YamlEntry axis, YamlMap map)
    {
        var labels = new List<AxisLabel>();
        foreach (var entry in map.Entries)
            if (!CellId.IsLabel(entry.Key))
                problems.Add(
                    entry.Place,
                    $"'{entry.Key}' is a label of the axis '{axis.Key}', which may hold letters, digits, '.', '_' and "
                        + "'-' only"
                );
            else if (entry.Value is YamlMap { IsAbstract: false } values)
                labels.Add(new AxisLabel(axis.Key, entry.Key, values));
            else if (entry.Value is YamlScalar { IsNull: true })
                labels.Add(new AxisLabel(axis.Key, entry.Key, new YamlMap([], entry.Place)));
            else if (entry.Value is not YamlMap)
                problems.Add(entry.Value.Place, $"'{entry.Key}' must be a map of values, not {entry.Value.Kind}");
        return labels;
    }

    // Those that a list names, in the order of the list.
    private List<AxisLabel> Wanted(string map, YamlValue wanted, List<AxisLabel> entries, YamlMap all)
    {
        var labels = new List<AxisLabel>();
        foreach (var item in wanted is YamlList list ? list.Items : [wanted])
            if (item is not YamlScalar s)
                problems.Add(item.Place, $"a name of '{map}' must stand here, not {item.Kind}");
            else if (labels.Any(l => l.Label == s.Text))
                problems.Add(item.Place, $"'{s.Text}' stands here twice");
            else if (entries.Find(e => e.Label == s.Text) is { } entry)
                labels.Add(entry);
            else if (all[s.Text] is YamlMap { IsAbstract: true })
                problems.Add(s.Place, $"'{s.Text}' is abstract: others of '{map}' are based on it");
            else
                problems.Add(
                    s.Place,
                    $"there is no '{s.Text}' in '{map}'",
                    Problems.DidYouMean(s.Text, entries.Select(e => e.Label))
                );
        return labels;
    }

    private bool Holds(YamlValue where, AxisLabel entry, IReadOnlyList<AxisLabel> all, IReadOnlyList<AxisLabel> before)
    {
        if (where is not YamlMap rules)
        {
            problems.Add(where.Place, "'where' must be a map from a key of the entries to its value");
            return false;
        }
        var holds = true;
        foreach (var rule in rules.Entries.Where(r => all.All(e => e.Carried![r.Key] is null)))
            problems.Add(
                rule.Place,
                $"no entry has '{rule.Key}'",
                Problems.DidYouMean(rule.Key, all.SelectMany(e => e.Carried!.Entries).Select(e => e.Key).Distinct())
            );
        foreach (var rule in rules.Entries)
            if (resolver.Resolve(rule.Value, before) is { } allowed and not YamlScalar { IsNull: true })
                holds &=
                    entry.Carried![rule.Key] is { } written
                    && resolver.Resolve(written, [.. before, entry]) is YamlScalar found
                    && (allowed is YamlList list ? list.Items : [allowed]).Any(a =>
                        a is YamlScalar s && s.Text == found.Text
                    );
        return holds;
    }
}
