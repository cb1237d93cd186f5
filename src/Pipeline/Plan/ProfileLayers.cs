namespace EditUnlearn.Pipeline;

/// <summary>A profile is a map of settings; with <c>based-on: other</c> it changes what that profile changed.</summary>
internal static class ProfileLayers
{
    private const string BasedOn = "based-on";

    /// <summary>What a profile changes and what those below it change, the lowest first.</summary>
    /// <param name="profiles">All of them.</param>
    /// <param name="name">The one in force.</param>
    /// <param name="asked">Where it was named.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static IReadOnlyList<YamlMap> Of(YamlMap profiles, string name, SourcePlace asked, Problems problems)
    {
        var layers = new List<YamlMap>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var (next, place) = (name, asked); ;)
        {
            if (profiles[next] is not { } chosen)
            {
                problems.Add(
                    place,
                    $"there is no profile '{next}'",
                    Problems.DidYouMean(next, profiles.Entries.Select(e => e.Key))
                );
                break;
            }
            if (!seen.Add(next))
            {
                problems.Add(place, $"the profile '{next}' is based on itself");
                break;
            }
            if (chosen is not YamlMap values)
            {
                if (chosen is not YamlScalar { IsNull: true })
                    problems.Add(chosen.Place, $"the profile '{next}' must be a map of settings, not {chosen.Kind}");
                break;
            }
            layers.Add(new YamlMap([.. values.Entries.Where(e => e.Key != BasedOn)], values.Place));
            if (values[BasedOn] is not { } below)
                break;
            if (below is not YamlScalar { IsNull: false } text)
            {
                problems.Add(below.Place, $"'{BasedOn}' must name one profile, not {below.Kind}");
                break;
            }
            (next, place) = (text.Text, text.Place);
        }
        layers.Reverse();
        return layers;
    }
}
