using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The settings in force: those of the file, changed by a profile, changed by <c>--set</c>. References (<c>$a.b</c>)
/// are looked up here.
/// </summary>
internal sealed partial class SettingsTree(YamlMap root, Problems problems)
{
    private const int MaxDepth = 8; // a study's settings refer once or twice
    private int _depth;

    public YamlMap Root { get; private set; } = root;

    /// <summary>
    /// Puts a profile's values over the file's. Maps are merged unless they say <c>!replace</c>, everything else is
    /// replaced.
    /// </summary>
    public void Apply(YamlMap profile) => Root = Merge(Root, profile, "");

    /// <summary>Puts one <c>a.b=value</c> of the command line over everything.</summary>
    public void Set(string assignment)
    {
        var place = new SourcePlace($"--set {assignment}", 0, 0);
        var equals = assignment.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            problems.Add(place, "is not of the form path=value", "for example --set pretrain.steps=200");
            return;
        }
        YamlValue value;
        try
        {
            value = At(YamlReader.Read(assignment[(equals + 1)..], place.File), place);
        }
        catch (InputException e)
        {
            problems.Add(place, e.Problems[0].Message, e.Problems[0].Hint);
            return;
        }
        if (value is YamlMap { Entries.Count: 0 } && assignment[(equals + 1)..].Trim().Length == 0)
            value = new YamlScalar("", true, place);
        var path = assignment[..equals].Split('.');
        for (var i = path.Length - 1; i >= 0; i--)
            value = new YamlMap([new YamlEntry(path[i], place, value)], place);
        Root = Merge(Root, (YamlMap)value, "");
    }

    /// <summary>All leaves with their places.</summary>
    public IEnumerable<Setting> Leaves()
    {
        IEnumerable<Setting> Of(YamlValue value, string path) =>
            value is YamlMap map && map.Entries.Count > 0
                ? map.Entries.SelectMany(e => Of(e.Value, path.Length == 0 ? e.Key : $"{path}.{e.Key}"))
                : [new Setting(path, ParameterBinder.Untyped(value), value.Place)];
        return Root.Entries.SelectMany(e => Of(e.Value, e.Key));
    }

    /// <summary>
    /// The paths that a text refers to, cut at the dots: <c>$sets.$model</c> refers to <c>sets.$model</c> and to
    /// <c>model</c>. A segment that begins with a dollar sign stands for any name.
    /// </summary>
    public static IEnumerable<string[]> References(string text) =>
        Reference()
            .Matches(text)
            .Where(m => m.Value != "$$")
            .Select(m => m.Groups[1].Value.Split('.'))
            .SelectMany(path => path.Where(s => s.StartsWith('$')).Select(s => new[] { s[1..] }).Append(path));

    /// <summary>
    /// A value with every reference replaced. Keys whose optional reference finds nothing are left out.
    /// </summary>
    /// <param name="value">As written in a stage.</param>
    /// <param name="axes">Labels of the cell, looked up before settings.</param>
    public YamlValue? Resolve(YamlValue value, IReadOnlyList<KeyValuePair<string, string>> axes)
    {
        switch (value)
        {
            case YamlMap map:
                var entries = new List<YamlEntry>(map.Entries.Count);
                foreach (var e in map.Entries)
                    if (Resolve(e.Value, axes) is { } resolved)
                        entries.Add(e with { Value = resolved });
                return new YamlMap(entries, map.Place);
            case YamlList list:
                return new YamlList([.. list.Items.Select(i => Resolve(i, axes)).OfType<YamlValue>()], list.Place);
            case YamlScalar { Plain: true } s when WholeReference().IsMatch(s.Text):
                var optional = s.Text.EndsWith('?');
                if (Find(s.Text.TrimStart('$').TrimEnd('?'), axes, s.Place, optional) is not { } found)
                    return null;
                // A label or a single value is shown where it is used; a map keeps the places of its own lines.
                return Followed(
                    found is YamlScalar scalar
                        ? scalar with
                        {
                            Place = scalar.Place.File is null ? s.Place : scalar.Place,
                        }
                        : found,
                    axes
                );
            case YamlScalar s when s.Text.Contains('$', StringComparison.Ordinal):
                var text = Reference()
                    .Replace(
                        s.Text,
                        m =>
                            m.Value == "$$"
                                ? "$"
                                : Find(m.Groups[1].Value, axes, s.Place, false) switch
                                {
                                    YamlScalar inner => inner.Text,
                                    null => "",
                                    var other => Complain(
                                        s.Place,
                                        $"'{m.Value}' is {other.Kind}, which cannot stand inside text"
                                    ),
                                }
                    );
                return s with { Text = text };
            default:
                return value;
        }
    }

    // A setting may refer to another one: forget-sets.facts-40.methods: $methods.
    private YamlValue? Followed(YamlValue found, IReadOnlyList<KeyValuePair<string, string>> axes)
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

    /// <summary>The text of a scalar with its references replaced; null after a problem.</summary>
    public string? ResolveText(YamlValue value, IReadOnlyList<KeyValuePair<string, string>> axes, string what)
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

    private YamlValue? Find(
        string path,
        IReadOnlyList<KeyValuePair<string, string>> axes,
        SourcePlace place,
        bool optional
    )
    {
        var segments = path.Split('.');
        for (var i = 1; i < segments.Length; i++)
            if (segments[i].StartsWith('$'))
            {
                if (Find(segments[i][1..], axes, place, optional: false) is not YamlScalar inner)
                    return null;
                segments[i] = inner.Text;
            }
        YamlValue? at =
            axes.FirstOrDefault(a => a.Key == segments[0]) is { Value: { } label } && segments.Length == 1
                ? new YamlScalar(label, true, default)
                : Root[segments[0]];
        var known = Root.Entries.Select(e => e.Key).Concat(axes.Select(a => a.Key));
        for (var i = 0; ; i++)
        {
            if (at is null)
            {
                if (!optional)
                    problems.Add(
                        place,
                        $"there is no setting '{string.Join('.', segments[..(i + 1)])}'",
                        Problems.DidYouMean(segments[i], known)
                    );
                return null;
            }
            if (i == segments.Length - 1)
                return at;
            // A setting on the way may be another one's name: forget-sets.contracts-20.options: $contract-options.
            if (
                at is YamlScalar { Plain: true } link
                && WholeReference().IsMatch(link.Text)
                && (at = Followed(link, axes)) is null
            )
                return null;
            if (at is not YamlMap map)
            {
                problems.Add(
                    place,
                    $"'{string.Join('.', segments[..(i + 1)])}' is {at.Kind} and has no '{segments[i + 1]}'"
                );
                return null;
            }
            known = map.Entries.Select(e => e.Key);
            at = map[segments[i + 1]];
        }
    }

    private YamlMap Merge(YamlMap below, YamlMap above, string path)
    {
        var entries = below.Entries.ToList();
        foreach (var entry in above.Entries)
        {
            var inner = path.Length == 0 ? entry.Key : $"{path}.{entry.Key}";
            var i = entries.FindIndex(e => e.Key == entry.Key);
            if (i < 0)
            {
                // options and presets are open maps: which names they may hold is the method's business, not this
                // file's.
                if (below.Entries.Count > 0 && path.Length == 0)
                    problems.Add(
                        entry.Place,
                        $"there is no setting '{inner}' to change",
                        Problems.DidYouMean(entry.Key, below.Entries.Select(e => e.Key))
                    );
                else if (
                    below.Entries.Count > 0
                    && Spelling.Nearest(entry.Key, below.Entries.Select(e => e.Key)) is { } near
                )
                    problems.Add(entry.Place, $"there is no setting '{inner}' to change", $"did you mean '{near}'?");
                else
                    entries.Add(entry);
                continue;
            }
            entries[i] =
                entries[i].Value is YamlMap a && entry.Value is YamlMap { Replaces: false } b
                    ? entry with
                    {
                        Value = Merge(a, b, inner),
                    }
                    : entry;
        }
        return below with { Entries = entries };
    }

    private string Complain(SourcePlace place, string message)
    {
        problems.Add(place, message);
        return "";
    }

    // Values of the command line have no line; their place is the option itself.
    private static YamlValue At(YamlValue value, SourcePlace place) =>
        value switch
        {
            YamlMap m => new YamlMap(
                [.. m.Entries.Select(e => new YamlEntry(e.Key, place, At(e.Value, place)))],
                place
            ),
            YamlList l => new YamlList([.. l.Items.Select(i => At(i, place))], place),
            YamlScalar s => s with { Place = place },
            _ => value,
        };

    [GeneratedRegex(@"^\$[A-Za-z_][\w-]*(\.\$?[\w-]+)*\??$")]
    private static partial Regex WholeReference();

    [GeneratedRegex(@"\$\$|\$([A-Za-z_][\w-]*(?:\.\$?[\w-]+)*)")]
    private static partial Regex Reference();
}
