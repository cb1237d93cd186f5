using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// A YAML file with options of a method, as they stand under <c>methods.NAME.options</c> in a profile; keys may also be
/// written as reports and manifests show them (<c>learningRate</c>).
/// </summary>
/// <param name="Values">Untyped; the method's record types them.</param>
/// <param name="Places">Where each option stands, by its path: <c>value.steps</c>.</param>
public sealed record OptionsFile(JsonObject Values, IReadOnlyDictionary<string, SourcePlace> Places)
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is absent, not YAML, or no map.</exception>
    public static OptionsFile Read(string path)
    {
        if (YamlReader.Read(UserFile.Text(path), path) is not YamlMap map)
            throw new InputException(
                new InputProblem(path, 1, 1, "must be a map from option to value", "learning-rate: 0.1")
            );
        var places = new Dictionary<string, SourcePlace>(StringComparer.Ordinal);
        Note(map, "", places);
        var problems = new Problems();
        var values = (JsonObject)ParameterBinder.InCode(map, problems, eitherWay: true)!;
        problems.ThrowIfAny();
        return new OptionsFile(values, places);
    }

    /// <summary>A problem at the place of an option, or of the nearest map around it.</summary>
    /// <param name="path">Of the file, for a problem that no line of it caused.</param>
    /// <param name="option">As the method names it: <c>value.steps</c>.</param>
    /// <param name="message">Without a full stop.</param>
    /// <param name="hint">What to do, or null.</param>
    public InputProblem Problem(string path, string option, string message, string? hint)
    {
        ArgumentNullException.ThrowIfNull(option);
        var said = $"'{KeyNames.Written(option)}' {message}";
        for (var at = option; at.Length > 0; at = at[..Math.Max(0, at.LastIndexOf('.'))])
            if (Places.TryGetValue(at, out var place))
                return new InputProblem(place.File, place.Line, place.Column, said, hint);
        return new InputProblem(path, 0, 0, said, hint);
    }

    private static void Note(YamlMap map, string path, Dictionary<string, SourcePlace> places)
    {
        foreach (var entry in map.Entries)
        {
            var key = KeyNames.InCode(entry.Key);
            var inner = path.Length == 0 ? key : $"{path}.{key}";
            places[inner] = entry.Place;
            if (entry.Value is YamlMap below)
                Note(below, inner, places);
        }
    }
}
