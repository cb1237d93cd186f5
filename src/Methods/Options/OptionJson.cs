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

    // What follows from other options is not one.
    private static void OnlySettable(JsonTypeInfo type)
    {
        for (var i = type.Properties.Count - 1; i >= 0; i--)
            if (type.Properties[i].Set is null)
                type.Properties.RemoveAt(i);
    }
}
