namespace EditUnlearn.Pipeline;

/// <summary>
/// Finds keys that nothing reads. Where a reference is optional (<c>$forget-sets.$set.options?</c>) a misspelt key
/// would be as quiet as one that was never written, and be missed only in the results.
/// A whole setting may stand unused: a pipeline cut down to a few stages keeps the values of the others.
/// </summary>
internal static class SettingsUse
{
    /// <summary>
    /// Reports every key inside a setting that neither a stage nor another setting asks for, though they ask for its
    /// neighbours.
    /// </summary>
    /// <param name="settings">Those in force.</param>
    /// <param name="stages">As written, those left out of the profile too.</param>
    /// <param name="problems">Takes one entry for each, at the key.</param>
    public static void Check(YamlMap settings, YamlMap stages, Problems problems)
    {
        var read = new List<string[]>();
        foreach (var stage in stages.Entries)
            read.AddRange(Conditions(stage.Value));
        foreach (var text in Texts(stages).Concat(Texts(settings)))
            read.AddRange(SettingsTree.References(text));
        foreach (var setting in settings.Entries)
            if (Onwards(read, setting.Key) is { Count: > 0 } inside && setting.Value is YamlMap map)
                Check(map, setting.Key, inside, problems);
    }

    // `read` is what remains of the paths that lead here; where one ends the map is taken whole, and what may be in it
    // is its reader's business.
    private static void Check(YamlMap map, string path, IReadOnlyList<string[]> read, Problems problems)
    {
        if (read.Any(r => r.Length == 0))
            return;
        foreach (var entry in map.Entries)
            if (Onwards(read, entry.Key) is not { Count: > 0 } inside)
                problems.Add(
                    entry.Place,
                    $"no stage reads '{path}.{entry.Key}'",
                    Problems.DidYouMean(entry.Key, read.Select(r => r[0]).Distinct().Order(StringComparer.Ordinal))
                );
            else if (entry.Value is YamlMap below)
                Check(below, $"{path}.{entry.Key}", inside, problems);
    }

    private static IReadOnlyList<string[]> Onwards(IReadOnlyList<string[]> read, string key) =>
        [.. read.Where(r => r[0] == key || r[0].StartsWith('$')).Select(r => r[1..])];

    // A stage's own 'when' names settings without the dollar sign.
    private static IEnumerable<string[]> Conditions(YamlValue stage) =>
        stage is YamlMap body && body["when"] is YamlMap when ? when.Entries.Select(e => e.Key.Split('.')) : [];

    private static IEnumerable<string> Texts(YamlValue value) =>
        value switch
        {
            YamlMap map => map.Entries.SelectMany(e => Texts(e.Value)),
            YamlList list => list.Items.SelectMany(Texts),
            YamlScalar scalar => [scalar.Text],
            _ => [],
        };
}
