using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Finds keys that nothing reads. Where a reference is optional (<c>$set.lookup?</c>) a misspelt key would be as quiet
/// as one that was never written, and it would be missed only in the results. A whole setting may stand unused: a
/// pipeline cut down to a few stages keeps the values of the others.
/// </summary>
internal sealed class SettingsUse
{
    private const string Any = "*";

    // What the program itself reads of a profile.
    private static readonly string[] Program = ["device", "dtype", "numerics", "inputs"];

    private readonly YamlMap _settings;
    private readonly Problems _problems;
    private readonly ILookup<string, string> _maps;
    private readonly List<string[]> _read = [];

    private SettingsUse(YamlMap settings, YamlMap stages, Problems problems)
    {
        (_settings, _problems) = (settings, problems);
        _maps = stages
            .Entries.SelectMany(s => AxisReader.MapsOf(s.Value))
            .Distinct()
            .ToLookup(m => m.Axis, m => m.Map, StringComparer.Ordinal);
    }

    /// <summary>
    /// Reports every key inside a setting that neither a stage nor another setting asks for, though they ask for its
    /// neighbours.
    /// </summary>
    /// <param name="settings">Those in force.</param>
    /// <param name="stages">As written.</param>
    /// <param name="problems">Takes one entry for each, at the key.</param>
    public static void Check(YamlMap settings, YamlMap stages, Problems problems)
    {
        var use = new SettingsUse(settings, stages, problems);
        foreach (var stage in stages.Entries)
        {
            foreach (var (map, key) in AxisReader.KeysOf(stage.Value))
                use._read.Add([map, Any, key]);
            use.Read(stage.Value, AxisReader.MapsOf(stage.Value).ToLookup(m => m.Axis, m => m.Map));
        }
        use.Read(settings, use._maps);
        use._read.AddRange(Program.Select(p => (string[])[p]));
        use.Report();
    }

    private void Report()
    {
        var asked = _read.Select(r => r[0]).Distinct().ToList();
        foreach (var setting in _settings.Entries)
            if (Onwards(_read, setting.Key) is { Count: > 0 } inside)
            {
                if (setting.Value is YamlMap map)
                    Check(map, setting.Key, inside);
            }
            else if (
                !_maps.SelectMany(m => m).Contains(setting.Key)
                && Spelling.Nearest(setting.Key, asked.Where(a => _settings[a] is null)) is { } near
            )
                _problems.Add(setting.Place, $"no stage reads '{setting.Key}'", $"did you mean '{near}'?");
    }

    // `read` is what remains of the paths that lead here; where one ends the map is taken whole, and what may be in it
    // is its reader's business. The map of an axis is looked into all the same.
    private void Check(YamlMap map, string path, IReadOnlyList<string[]> read)
    {
        if (read.Any(r => r.Length == 0) && !read.Any(r => r.Length > 0 && r[0] == Any))
            return;
        read = [.. read.Where(r => r.Length > 0)];
        foreach (var entry in map.Entries)
            if (Onwards(read, entry.Key) is not { Count: > 0 } inside)
                _problems.Add(
                    entry.Place,
                    $"no stage reads '{path}.{entry.Key}'",
                    Problems.DidYouMean(
                        entry.Key,
                        read.Select(r => r[0]).Where(r => r != Any).Distinct().Order(StringComparer.Ordinal)
                    )
                );
            else if (entry.Value is YamlMap below)
                Check(below, $"{path}.{entry.Key}", inside);
    }

    private static IReadOnlyList<string[]> Onwards(IReadOnlyList<string[]> read, string key) =>
        [.. read.Where(r => r[0] == key || r[0] == Any).Select(r => r[1..])];

    // Every reference inside a value. One that begins with an axis reads the map that the axis carries.
    private void Read(YamlValue value, ILookup<string, string> axes)
    {
        switch (value)
        {
            case YamlMap map:
                foreach (var entry in map.Entries)
                    Read(entry.Value, axes);
                break;
            case YamlList list:
                foreach (var item in list.Items)
                    Read(item, axes);
                break;
            case YamlScalar scalar:
                foreach (var match in Resolver.Reference().Matches(scalar.Text).Where(m => m.Value != "$$"))
                    Read(match.Groups[1].Value, axes);
                break;
        }
    }

    private void Read(string path, ILookup<string, string> axes)
    {
        var segments = SettingPath.Parse(path);
        foreach (var inner in segments.Where(s => s.IsReference))
            Read(inner.Name, axes);
        string[] rest = [.. segments.Skip(1).Select(s => s.IsReference || s.Name == "**" ? Any : s.Name)];
        var maps = axes[segments[0].Name].ToList();
        if (maps.Count == 0)
            _read.Add([segments[0].Name, .. rest]);
        else if (rest.Length > 0)
            _read.AddRange(maps.Select(m => (string[])[m, Any, .. rest]));
    }
}
