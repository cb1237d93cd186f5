using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using EditUnlearn.Foundation;

namespace EditUnlearn.Methods;

/// <summary>Options records as JSON: names in camel case, every option with its value.</summary>
internal static class OptionJson
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { OnlySettable } },
    };

    public static JsonObject Of(object options) =>
        (JsonObject)JsonSerializer.SerializeToNode(options, options.GetType(), Json)!;

    /// <exception cref="JsonException">A value has the wrong type.</exception>
    public static object Read(JsonObject values, Type options) => values.Deserialize(options, Json)!;

    /// <summary>
    /// Names that are no options of the record, and options without a value that must have one, at any depth.
    /// </summary>
    public static IEnumerable<OptionProblem> Misplaced(Type options, JsonObject values, string path = "options")
    {
        var nullability = new NullabilityInfoContext();
        var members = options
            .GetProperties()
            .Where(p => p.CanWrite)
            .ToDictionary(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name));
        foreach (var (key, value) in values)
            if (!members.TryGetValue(key, out var member))
                yield return new OptionProblem(
                    $"{path}.{key}",
                    "is not an option of this method",
                    Spelling.Nearest(key, members.Keys) is { } near
                        ? $"did you mean '{near}'?"
                        : "known: " + string.Join(", ", members.Keys)
                );
            else if (value is null && nullability.Create(member).WriteState == NullabilityState.NotNull)
                yield return new OptionProblem($"{path}.{key}", "has no value", "leave it out to keep the value below");
            else if (
                value is JsonObject inner
                && member.PropertyType is { IsClass: true } type
                && type != typeof(string)
            )
                foreach (var problem in Misplaced(type, inner, $"{path}.{key}"))
                    yield return problem;
    }

    /// <summary>Says of a value that has the wrong type what it is, and what it must be.</summary>
    /// <param name="options">The record.</param>
    /// <param name="values">All values.</param>
    /// <param name="path">Of the value, as the library writes it.</param>
    /// <param name="e">The library's complaint.</param>
    public static OptionProblem Misfit(Type options, JsonObject values, string path, JsonException e)
    {
        var (type, value) = (options, (JsonNode?)values);
        foreach (var part in path.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            var name = part.Split('[')[0];
            if (
                value is not JsonObject o
                || type.GetProperties().FirstOrDefault(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name) == name)
                    is not { } member
            )
                break;
            (type, value) = (member.PropertyType, o[name]);
        }
        var expected = Expected(Nullable.GetUnderlyingType(type) ?? type);
        return new OptionProblem(
            path.Length == 0 ? "options" : "options." + path,
            expected is null || value is null
                ? "has a value of the wrong type"
                : $"must be {expected}, not {Shown(value)}",
            expected is null ? e.Message.Split(". Path")[0] : null
        );
    }

    private static string Shown(JsonNode value) =>
        value is JsonValue v && v.TryGetValue<string>(out var text) ? $"'{text}'" : value.ToJsonString();

    private static string? Expected(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(string) ? "a text"
        : type == typeof(int) || type == typeof(long) ? "a whole number"
        : type == typeof(double) || type == typeof(float) ? "a number"
        : type.IsEnum
            ? "one of " + string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName))
        : type.IsAssignableTo(typeof(System.Collections.IEnumerable)) ? "a list, as in [a, b]"
        : type.IsClass ? "a map of options"
        : null;

    // What follows from other options is not one.
    private static void OnlySettable(JsonTypeInfo type)
    {
        for (var i = type.Properties.Count - 1; i >= 0; i--)
            if (type.Properties[i].Set is null)
                type.Properties.RemoveAt(i);
    }
}
