using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>One profile of a chain, without the words that speak about the profile itself.</summary>
/// <param name="Name">Of the profile.</param>
/// <param name="Values">What it sets.</param>
internal sealed record ProfileLayer(string Name, YamlMap Values);

/// <summary>
/// A profile is a file of values. With <c>based-on: other</c> it changes what the other one sets; with
/// <c>abstract: true</c> it is there for others and cannot be run.
/// </summary>
internal static class ProfileLayers
{
    /// <summary>Whether a profile says that it is there for others only. One that cannot be read is none.</summary>
    public static bool IsAbstract(ProfileSource source)
    {
        try
        {
            return Inheritance.SaysAbstract(YamlReader.Read(source.Text, source.File) as YamlMap);
        }
        catch (InputException)
        {
            return false;
        }
    }

    /// <summary>The profile in force and those below it, the lowest first.</summary>
    /// <param name="file">The study.</param>
    /// <param name="asked">The profile that the command line names; null for the default.</param>
    /// <param name="problems">Takes what is wrong.</param>
    /// <returns>Empty where there is no profile at all, or after a problem with the first one.</returns>
    public static IReadOnlyList<ProfileLayer> Of(PipelineFile file, string? asked, Problems problems)
    {
        var (name, place) = Chosen(file, asked, problems);
        var layers = new List<ProfileLayer>();
        while (name is not null)
        {
            if (layers.Any(l => l.Name == name))
            {
                problems.Add(place, $"the profile '{name}' is based on itself");
                break;
            }
            if (Read(file, name, place, problems) is not { } values)
                break;
            if (layers.Count == 0 && Inheritance.SaysAbstract(values))
                problems.Add(place, $"the profile '{name}' is abstract: other profiles are based on it", Hint(file));
            Inheritance.ReportMisspeltWords(values, problems);
            layers.Add(new ProfileLayer(name, Inheritance.WithoutWords(values)));
            (name, place) = Below(values, problems);
        }
        layers.Reverse();
        return layers;
    }

    private static (string? Name, SourcePlace Place) Chosen(PipelineFile file, string? asked, Problems problems)
    {
        if (asked is not null)
            return (asked, new SourcePlace("--profile", 0, 0));
        switch (file.Content[PipelineFile.DefaultProfile])
        {
            case YamlScalar { IsNull: false } named:
                return (named.Text, named.Place);
            case null or YamlScalar when file.Sources.Count == 0:
                return (null, default);
            case { } other:
                problems.Add(other.Place, $"'{PipelineFile.DefaultProfile}' must name one profile", Hint(file));
                return (null, default);
            default:
                problems.Add(file.Content.Place, $"'{PipelineFile.DefaultProfile}' is missing", Hint(file));
                return (null, default);
        }
    }

    private static YamlMap? Read(PipelineFile file, string name, SourcePlace place, Problems problems)
    {
        if (!file.Sources.TryGetValue(name, out var source))
        {
            problems.Add(place, $"there is no profile '{name}'", Problems.DidYouMean(name, file.Sources.Keys));
            return null;
        }
        try
        {
            switch (YamlReader.Read(source.Text, source.File))
            {
                case YamlMap values:
                    return values;
                case YamlScalar { IsNull: true } empty:
                    return new YamlMap([], empty.Place);
                case var other:
                    problems.Add(other.Place, $"a profile must be a map of settings, not {other.Kind}");
                    return null;
            }
        }
        catch (InputException e)
        {
            problems.Add(e);
            return null;
        }
    }

    private static (string? Name, SourcePlace Place) Below(YamlMap values, Problems problems)
    {
        switch (values[Inheritance.BasedOn])
        {
            case null:
                return (null, default);
            case YamlScalar { IsNull: false } text:
                return (text.Text, text.Place);
            case { } other:
                problems.Add(other.Place, $"'{Inheritance.BasedOn}' must name one profile, not {other.Kind}");
                return (null, default);
        }
    }

    private static string Hint(PipelineFile file) =>
        file.Profiles.Count == 0 ? "put one into profiles/" : "known: " + string.Join(", ", file.Profiles);
}
