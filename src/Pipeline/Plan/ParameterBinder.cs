using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Turns YAML values into parameter records: scalars are read by the type that waits for them, never by guess.
/// </summary>
internal static class ParameterBinder
{
    /// <summary>How parameters look as JSON: in keys, manifests and messages to workers.</summary>
    public static JsonSerializerOptions Json { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        };

    private static readonly ConcurrentDictionary<Type, Schema> Schemas = new();

    /// <summary>Rebuilds parameters from their JSON, as a worker does.</summary>
    public static object FromJson(Type type, JsonObject json) =>
        json.Deserialize(type, Json) ?? throw new JsonException($"null is not a {type.Name}");

    /// <summary>Parameters as JSON with every default filled in.</summary>
    public static JsonObject ToJson(object parameters, Type type) =>
        (JsonObject)JsonSerializer.SerializeToNode(parameters, type, Json)!;

    /// <summary>
    /// Binds a map to a record. Problems are reported with their place; null comes back when there is any.
    /// </summary>
    /// <param name="type">Of the record.</param>
    /// <param name="map">The values.</param>
    /// <param name="problems">Takes what is wrong.</param>
    /// <param name="places">Takes where each value stands.</param>
    /// <param name="isComplete">Whether every value could be resolved; otherwise none is called missing.</param>
    internal static object? Bind(
        Type type,
        YamlMap map,
        Problems problems,
        Dictionary<string, ValueOrigin> places,
        bool isComplete = true
    )
    {
        var before = problems.Found;
        problems.Overlooks = !isComplete;
        var json = Record(type, map, "", problems, places);
        problems.Overlooks = false;

        if (problems.Found > before)
            return null;
        try
        {
            return FromJson(type, json!);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NotSupportedException)
        {
            problems.Add(map.Place, $"the parameters do not fit: {e.Message}");
            return null;
        }
    }

    /// <summary>Reports the keys of a map that are no parameters of the record, whatever their values are.</summary>
    internal static void CheckKeys(Type type, YamlMap map, Problems problems)
    {
        var schema = Schemas.GetOrAdd(type, t => new Schema(t));
        foreach (var entry in map.Entries.Where(e => schema.Find(e.Key) is null))
            Unknown(entry, schema, problems);
    }

    private static void Unknown(YamlEntry entry, Schema schema, Problems problems) =>
        problems.Add(
            entry.Place,
            $"'{entry.Key}' is not a parameter here",
            Problems.DidYouMean(entry.Key, schema.Names)
        );

    /// <summary>An untyped value as JSON: plain scalars that look like numbers or truth values become such.</summary>
    internal static JsonNode? Untyped(YamlValue value) =>
        value switch
        {
            YamlMap map => new JsonObject(map.Entries.Select(e => KeyValuePair.Create(e.Key, Untyped(e.Value)))),
            YamlList list => new JsonArray([.. list.Items.Select(Untyped)]),
            YamlScalar { IsNull: true } => null,
            YamlScalar { Plain: true } s when Truth(s.Text) is { } truth => truth,
            YamlScalar { Plain: true } s
                when long.TryParse(s.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) => n,
            YamlScalar { Plain: true } s
                when char.IsAsciiDigit(s.Text[^1])
                    && double.TryParse(s.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var d)
                    && double.IsFinite(d) => d,
            YamlScalar s => s.Text,
            _ => throw new InvalidOperationException(),
        };

    /// <summary>The same, with the keys of its maps as code has them.</summary>
    /// <param name="value">Untyped.</param>
    /// <param name="problems">Takes what is wrong.</param>
    /// <param name="eitherWay">Whether keys may be written as code has them too.</param>
    internal static JsonNode? InCode(YamlValue value, Problems problems, bool eitherWay = false)
    {
        switch (value)
        {
            case YamlMap map:
                var json = new JsonObject();
                foreach (var entry in map.Entries)
                {
                    var key = KeyNames.InCode(entry.Key);
                    if (!eitherWay && !KeyNames.IsWritten(entry.Key))
                        problems.Add(
                            entry.Place,
                            $"'{entry.Key}' is not a key",
                            $"keys are written with hyphens: {KeyNames.Written(entry.Key)}"
                        );
                    if (json.ContainsKey(key))
                        problems.Add(entry.Place, $"'{entry.Key}' stands twice in this map, in two spellings");
                    json[key] = InCode(entry.Value, problems, eitherWay);
                }
                return json;
            case YamlList list:
                return new JsonArray([.. list.Items.Select(i => InCode(i, problems, eitherWay))]);
            default:
                return Untyped(value);
        }
    }

    private static JsonObject? Record(
        Type type,
        YamlMap map,
        string path,
        Problems problems,
        Dictionary<string, ValueOrigin> places
    )
    {
        var schema = Schemas.GetOrAdd(type, t => new Schema(t));
        var json = new JsonObject();
        foreach (var entry in map.Entries)
        {
            if (schema.Find(entry.Key) is not { } member)
            {
                Unknown(entry, schema, problems);
                continue;
            }
            var inner = path.Length == 0 ? member.Name : $"{path}.{member.Name}";
            places[inner] = ValueOrigin.Of(entry.Value);
            json[member.Name] = Value(member.Type, member.Nullable, entry.Value, inner, problems, places);
        }
        foreach (var missing in schema.Required.Where(r => !json.ContainsKey(r)))
            problems.Lacks(
                map.Place,
                $"'{KeyNames.Written(path.Length == 0 ? missing : path + "." + missing)}' is missing"
            );
        return json;
    }

    private static JsonNode? Value(
        Type type,
        bool nullable,
        YamlValue value,
        string path,
        Problems problems,
        Dictionary<string, ValueOrigin> places
    )
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
            (type, nullable) = (underlying, true);
        if (value is YamlScalar { IsNull: true })
        {
            if (!nullable && type != typeof(JsonNode))
                problems.Add(value.Place, $"'{KeyNames.Written(path)}' has no value");
            return null;
        }
        if (typeof(JsonNode).IsAssignableFrom(type))
        {
            if (type == typeof(JsonObject) && value is not YamlMap)
                return Wrong(problems, value, path, "a map");
            Note(value, path, places);
            return InCode(value, problems);
        }
        if (type == typeof(string))
            return value is YamlScalar s ? s.Text : Wrong(problems, value, path, "a single value");
        if (ItemOf(type) is { } item)
            return value is YamlList list
                ? new JsonArray([
                    .. list.Items.Select((v, i) => Value(item, false, v, $"{path}[{i}]", problems, places)),
                ])
                : Wrong(problems, value, path, "a list, as in [a, b]");
        if (ValueOf(type) is { } entryType)
            return value is YamlMap entries
                ? new JsonObject(
                    entries.Entries.Select(e =>
                        KeyValuePair.Create(
                            e.Key,
                            Value(entryType, false, e.Value, $"{path}.{e.Key}", problems, places)
                        )
                    )
                )
                : Wrong(problems, value, path, "a map");
        if (type.IsEnum)
        {
            var names = Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName).ToList();
            if (value is YamlScalar e && names.Find(n => Same(n, e.Text)) is { } name)
                return name;
            return Wrong(
                problems,
                value,
                path,
                "one of " + string.Join(", ", names),
                value is YamlScalar w ? Spelling.Nearest(w.Text, names) : null
            );
        }
        // What stands in quotes is a text, in options too.
        if (value is YamlScalar { Plain: false } && IsSimple(type))
            return Wrong(problems, value, path, Name(type) + " without quotes");
        if (value is YamlScalar scalar && IsSimple(type))
            return Simple(type, scalar) ?? Wrong(problems, value, path, Name(type));
        if (IsSimple(type))
            return Wrong(problems, value, path, Name(type));
        return value is YamlMap map ? Record(type, map, path, problems, places) : Wrong(problems, value, path, "a map");
    }

    private static JsonNode? Simple(Type type, YamlScalar s)
    {
        const NumberStyles Whole = NumberStyles.AllowLeadingSign;
        var culture = CultureInfo.InvariantCulture;
        if (type == typeof(bool))
            return Truth(s.Text);
        if (type == typeof(int))
            return int.TryParse(s.Text, Whole, culture, out var i) ? i : null;
        if (type == typeof(long))
            return long.TryParse(s.Text, Whole, culture, out var l) ? l : null;
        if (type == typeof(ulong))
            return ulong.TryParse(s.Text, NumberStyles.None, culture, out var u) ? u : null;
        return double.TryParse(s.Text, NumberStyles.Float, culture, out var d) && double.IsFinite(d) ? d : null;
    }

    // YAML 1.2, core schema. The words of YAML 1.1 (yes, no, on, off) are texts.
    private static bool? Truth(string text) =>
        text switch
        {
            "true" or "True" or "TRUE" => true,
            "false" or "False" or "FALSE" => false,
            _ => null,
        };

    private static bool IsSimple(Type type) =>
        type == typeof(bool)
        || type == typeof(int)
        || type == typeof(long)
        || type == typeof(ulong)
        || type == typeof(double);

    private static string Name(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(double) ? "a number"
        : type == typeof(ulong) ? "a whole number from 0"
        : "a whole number";

    private static JsonNode? Wrong(
        Problems problems,
        YamlValue value,
        string path,
        string expected,
        string? near = null
    )
    {
        var found = value is YamlScalar s ? $"'{s.Text}'" : value.Kind;
        problems.Add(
            value.Place,
            $"'{KeyNames.Written(path)}' must be {expected}, not {found}",
            near is null ? null : $"did you mean '{near}'?"
        );
        return null;
    }

    // Untyped maps are passed on as they are; their leaves keep their places for messages of whoever reads them later.
    private static void Note(YamlValue value, string path, Dictionary<string, ValueOrigin> places)
    {
        places[path] = ValueOrigin.Of(value);
        if (value is YamlMap map)
            foreach (var e in map.Entries)
            {
                var inner = $"{path}.{KeyNames.InCode(e.Key)}";
                Note(e.Value, inner, places);
                places[inner] = ValueOrigin.Of(e.Value) with { Place = e.Place };
            }
    }

    private static Type? ItemOf(Type type) =>
        type.IsArray ? type.GetElementType()
        : type.IsGenericType
        && type.GetGenericTypeDefinition() is var g
        && (g == typeof(IReadOnlyList<>) || g == typeof(List<>))
            ? type.GetGenericArguments()[0]
        : null;

    private static Type? ValueOf(Type type) =>
        type.IsGenericType
        && type.GetGenericTypeDefinition() is var g
        && (g == typeof(IReadOnlyDictionary<,>) || g == typeof(Dictionary<,>))
            ? type.GetGenericArguments()[1]
            : null;

    // An enumeration's value may be written in the spelling of keys or of code.
    private static bool Same(string a, string b) =>
        string.Equals(
            a.Replace("-", "", StringComparison.Ordinal),
            b.Replace("-", "", StringComparison.Ordinal),
            StringComparison.OrdinalIgnoreCase
        );

    private sealed class Schema
    {
        private readonly List<(string Name, Type Type, bool Nullable)> _members = [];

        public Schema(Type type)
        {
            var nullability = new NullabilityInfoContext();
            var constructor = type.GetConstructors()
                .OrderByDescending(c => c.GetParameters().Length)
                .FirstOrDefault(c => c.GetParameters() is not [{ } only] || only.ParameterType != type);
            var arguments = constructor?.GetParameters() ?? [];
            foreach (
                var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                    .Where(p => p.GetIndexParameters().Length == 0 && p.CanRead)
            )
            {
                var argument = Array.Find(
                    arguments,
                    a => string.Equals(a.Name, property.Name, StringComparison.OrdinalIgnoreCase)
                );
                if (argument is null && !property.CanWrite)
                    continue;
                var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
                _members.Add(
                    (name, property.PropertyType, nullability.Create(property).ReadState == NullabilityState.Nullable)
                );
                if (
                    argument is { HasDefaultValue: false }
                    || property.IsDefined(typeof(System.Runtime.CompilerServices.RequiredMemberAttribute))
                )
                    Required.Add(name);
            }
        }

        public List<string> Required { get; } = [];

        // As files spell them.
        public IEnumerable<string> Names => _members.Select(m => KeyNames.Written(m.Name));

        public (string Name, Type Type, bool Nullable)? Find(string key)
        {
            var found = _members.FindIndex(m => KeyNames.Written(m.Name) == key);
            return found < 0 ? null : _members[found];
        }
    }
}
