using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A label of an axis in one cell, with the values that the axis carries for it.</summary>
/// <param name="Axis">Name of the axis.</param>
/// <param name="Label">The label.</param>
/// <param name="Carried">The entry of the axis's map; null where the axis is a mere list of labels.</param>
internal sealed record AxisLabel(string Axis, string Label, YamlMap? Carried);

/// <summary>
/// Puts values in the place of references. <c>$steps</c> is a setting, <c>$model</c> the label of an axis,
/// <c>$model.family</c> a value that the axis carries for this label, <c>$on[$data]</c> an entry whose name another
/// reference says, <c>$models.*.sets</c> the values of all entries, <c>$methods.**.label</c> the same by the names of
/// the entries. A question mark at the end makes it optional, and one behind the reference in brackets makes that
/// optional.
/// </summary>
internal sealed partial class Resolver(YamlMap settings, Problems problems)
{
    private const int MaxDepth = 8; // settings of a study refer to each other once or twice
    private readonly Dictionary<YamlMap, HashSet<string>> _asked = new(ReferenceEqualityComparer.Instance);
    private int _depth;

    /// <summary>
    /// A value with every reference replaced; keys whose optional reference finds nothing are left out, and so are
    /// abstract entries. Null after a problem, or where the value itself is such a reference.
    /// </summary>
    /// <param name="value">As written.</param>
    /// <param name="axes">The labels of the cell.</param>
    public YamlValue? Resolve(YamlValue value, IReadOnlyList<AxisLabel> axes)
    {
        switch (value)
        {
            case YamlMap map:
                var entries = new List<YamlEntry>(map.Entries.Count);
                foreach (var e in map.Entries.Where(e => e.Value is not YamlMap { IsAbstract: true }))
                    if (Resolve(e.Value, axes) is { } resolved)
                        entries.Add(e with { Value = resolved });
                return map with { Entries = entries };
            case YamlList list:
                return list with { Items = [.. list.Items.Select(i => Resolve(i, axes)).OfType<YamlValue>()] };
            case YamlScalar { Plain: true } s when Whole().IsMatch(s.Text):
                if (Find(s.Text.TrimStart('$').TrimEnd('?'), axes, s.Place, s.Text.EndsWith('?')) is not { } found)
                    return null;
                // A label or a single value is shown where it is used; a map keeps the places of its own lines.
                return Followed(
                    found is YamlScalar { Place.File: null } bare ? bare with { Place = s.Place } : found,
                    axes
                );
            case YamlScalar s when s.Text.Contains('$', StringComparison.Ordinal):
                return Text(s, axes) is { } text ? s with { Text = text } : null;
            default:
                return value;
        }
    }

    /// <summary>The text of a scalar with its references replaced; null after a problem or without a value.</summary>
    public string? ResolveText(YamlValue value, IReadOnlyList<AxisLabel> axes, string what)
    {
        switch (Resolve(value, axes))
        {
            case YamlScalar s:
                return s.Text;
            case { } other:
                problems.Add(value.Place, $"{what} must be a single value, not {other.Kind}");
                return null;
            default:
                return null;
        }
    }

    /// <summary>The value behind a path, without following what it refers to; null where there is none.</summary>
    /// <param name="path">Without the dollar sign.</param>
    /// <param name="axes">The labels of the cell.</param>
    /// <param name="place">For messages.</param>
    /// <param name="optional">Whether it may be absent.</param>
    public YamlValue? Find(string path, IReadOnlyList<AxisLabel> axes, SourcePlace place, bool optional)
    {
        var segments = SettingPath.Parse(path);
        YamlValue? at = First(segments, axes, place);
        if (at is null && axes.Any(a => a.Axis == segments[0].Name))
            return null;
        IEnumerable<string> known = settings.Entries.Select(e => e.Key).Concat(axes.Select(a => a.Axis));
        for (var i = 0; ; i++)
        {
            if (at is null)
            {
                if (!optional)
                    problems.Add(place, $"there is no setting '{Shown(segments, i)}'", Hint(segments[i], known));
                return null;
            }
            if (i == segments.Count - 1)
                return at;
            // A setting on the way may be another one's name.
            if (
                at is YamlScalar { Plain: true } link
                && Whole().IsMatch(link.Text)
                && (at = Followed(link, axes)) is null
            )
                return null;
            if (at is not YamlMap map)
            {
                problems.Add(place, $"'{Shown(segments, i)}' is {at.Kind} and has no '{segments[i + 1].Name}'");
                return null;
            }
            if (segments[i + 1].Name is "*" or "**")
            {
                var rest = string.Join('.', segments.Skip(i + 2).Select(s => s.ToString()));
                var each = Each(map, rest, place);
                return segments[i + 1].Name == "**" ? new YamlMap([.. each], place) : All(each, place);
            }
            if (KeyOf(segments[i + 1], axes, place) is not { } key)
                return null;
            if (segments[i + 1].IsReference)
                Asked(map).Add(key);
            segments[i + 1] = new SettingPath.Segment(key, false);
            known = map.Entries.Select(e => e.Key);
            at = map[key];
        }
    }

    /// <summary>
    /// Reports keys that look like one that a cell looked up in vain, as in <c>on: { contrcts: .. }</c>. To be called
    /// when all cells are complete.
    /// </summary>
    public void ReportMisspeltKeys()
    {
        foreach (var (map, asked) in _asked)
            foreach (var entry in map.Entries.Where(e => !asked.Contains(e.Key)))
                if (Spelling.Nearest(entry.Key, asked.Where(a => map[a] is null)) is { } near)
                    problems.Add(entry.Place, $"no cell reads '{entry.Key}'", $"did you mean '{near}'?");
    }

    private HashSet<string> Asked(YamlMap map) =>
        _asked.TryGetValue(map, out var keys) ? keys : _asked[map] = new HashSet<string>(StringComparer.Ordinal);

    // The label of an axis, what it carries, or a setting of the top level.
    private YamlValue? First(List<SettingPath.Segment> segments, IReadOnlyList<AxisLabel> axes, SourcePlace place)
    {
        if (axes.FirstOrDefault(a => a.Axis == segments[0].Name) is not { } axis)
            return settings[segments[0].Name];
        if (segments.Count == 1)
            return new YamlScalar(axis.Label, true, default);
        if (axis.Carried is null)
            problems.Add(
                place,
                $"the axis '{axis.Axis}' is a list of labels and has no '{segments[1].Name}'",
                "an axis over a map of the profile carries the values of its entries"
            );
        return axis.Carried;
    }

    private string? KeyOf(SettingPath.Segment segment, IReadOnlyList<AxisLabel> axes, SourcePlace place)
    {
        if (!segment.IsReference)
            return segment.Name;
        var found = Find(segment.Name, axes, place, segment.IsOptional);
        if (found is not null && Followed(found, axes) is YamlScalar key)
            return key.Text;
        if (found is not null)
            problems.Add(place, $"'${segment.Name}' must be a single value, to be a key");
        return null;
    }

    // What each entry says, by its name; abstract entries say nothing.
    private List<YamlEntry> Each(YamlMap map, string rest, SourcePlace place)
    {
        var said = new List<YamlEntry>();
        foreach (var entry in map.Entries)
            if (entry.Value is YamlMap { IsAbstract: false } inner)
            {
                AxisLabel[] itself = [new("it", entry.Key, inner)];
                if (
                    Find("it." + rest, itself, place, optional: true) is { } found
                    && Followed(found, itself) is { } value
                )
                    said.Add(entry with { Value = value });
            }
        return said;
    }

    // As one list without repeats.
    private static YamlList All(List<YamlEntry> said, SourcePlace place) =>
        new(
            [
                .. said.SelectMany(e => e.Value is YamlList list ? list.Items : [e.Value])
                    .DistinctBy(i => (i as YamlScalar)?.Text),
            ],
            place
        );

    private string? Text(YamlScalar s, IReadOnlyList<AxisLabel> axes)
    {
        var complete = true;
        var text = Reference()
            .Replace(
                s.Text,
                m =>
                {
                    if (m.Value == "$$")
                        return "$";
                    var found = Find(m.Groups[1].Value, axes, s.Place, m.Value.EndsWith('?'));
                    switch (found is null ? null : Followed(found, axes))
                    {
                        case YamlScalar inner:
                            return inner.Text;
                        case { } other:
                            problems.Add(s.Place, $"'{m.Value}' is {other.Kind}, which cannot stand inside text");
                            break;
                    }
                    complete = false;
                    return "";
                }
            );
        return complete ? text : null;
    }

    // A setting may refer to another one.
    private YamlValue? Followed(YamlValue found, IReadOnlyList<AxisLabel> axes)
    {
        if (_depth == MaxDepth)
        {
            problems.Add(found.Place, "the settings refer to each other in a circle");
            return null;
        }
        _depth++;
        try
        {
            return Resolve(found, axes);
        }
        finally
        {
            _depth--;
        }
    }

    private static string Shown(List<SettingPath.Segment> segments, int last) =>
        string.Join('.', segments.Take(last + 1).Select(s => s.Name));

    private static string Hint(SettingPath.Segment segment, IEnumerable<string> known) =>
        Problems.DidYouMean(segment.Name, known);

    [GeneratedRegex(@"^\$" + SettingPath.Pattern + @"\??$")]
    private static partial Regex Whole();

    [GeneratedRegex(@"\$\$|\$(" + SettingPath.Pattern + @")\??")]
    internal static partial Regex Reference();
}

/// <summary>The path of a reference, cut into its parts.</summary>
internal static class SettingPath
{
    /// <summary>A path, as a regular expression: names behind dots, stars, and references in brackets.</summary>
    public const string Pattern = @"[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*\*?)|\[\$[A-Za-z_][\w-]*(?:\.[\w-]+)*\??\])*";

    /// <summary>One part of a path.</summary>
    /// <param name="Name">A key; or the path of a reference whose value is the key.</param>
    /// <param name="IsReference">Which of the two.</param>
    /// <param name="IsOptional">Whether that value may be absent; there is no key then.</param>
    public readonly record struct Segment(string Name, bool IsReference, bool IsOptional = false)
    {
        /// <inheritdoc/>
        public override string ToString() => IsReference ? $"[${Name}{(IsOptional ? "?" : "")}]" : Name;
    }

    /// <summary>Cuts a path.</summary>
    public static List<Segment> Parse(string path)
    {
        var segments = new List<Segment>();
        for (var at = 0; at < path.Length;)
        {
            if (path[at] == '.')
            {
                at++;
                continue;
            }
            var reference = path[at] == '[';
            var end = reference ? path.IndexOf(']', at) : path.IndexOfAny(['.', '['], at);
            if (end < 0)
                end = path.Length;
            segments.Add(
                reference
                    ? new Segment(path[(at + 2)..end].TrimEnd('?'), true, path[end - 1] == '?')
                    : new Segment(path[at..end], false)
            );
            at = reference ? end + 1 : end;
        }
        return segments;
    }
}
