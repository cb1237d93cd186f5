using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Methods;

/// <summary>Values that somebody sets, over those below.</summary>
/// <param name="Name">Who sets them: <c>profile</c>, <c>set</c>, <c>--set</c>.</param>
/// <param name="Values">Options by name, nested as in the options record; null for none.</param>
public sealed record OptionLayer(string Name, JsonObject? Values)
{
    /// <summary>Why the values are what they are, for people; null where nobody says.</summary>
    public string? Origin { get; init; }

    /// <summary>
    /// Where an option of this layer was written, asked by its path: <c>value.steps</c> gives
    /// <c>profiles/mini.yaml:41</c>. Null where nobody knows.
    /// </summary>
    public Func<string, string?>? PlaceOf { get; init; }
}

/// <summary>What one layer says of an option.</summary>
/// <param name="Value">The value; null is one too.</param>
/// <param name="Layer">Name of the layer.</param>
/// <param name="Origin">Why, as the layer says; null where it does not.</param>
/// <param name="Place">File and line; null where nobody knows.</param>
public sealed record OptionSetting(JsonNode? Value, string Layer, string? Origin, string? Place);

/// <summary>One option with its history.</summary>
/// <param name="Path">Its name, with those of the records around it: <c>value.steps</c>.</param>
/// <param name="InForce">The highest layer's value.</param>
/// <param name="Overridden">What lower layers say, the highest of them first.</param>
public sealed record OptionValue(string Path, OptionSetting InForce, IReadOnlyList<OptionSetting> Overridden);

/// <summary>
/// The options of one application of a method as a stack of layers. Every option keeps its value in force, where that
/// comes from, and what it overrode.
/// </summary>
/// <remarks>
/// From low to high: the defaults of the options record, the hyperparameters of the family, the named preset, and the
/// caller's layers in their order. Nested records merge name by name; lists and all other values replace what lies
/// below.
/// No key follows this code: the values in force stand in the key themselves.
/// </remarks>
[CodeBoundary]
public sealed class OptionStack
{
    /// <summary>Name of the layer of declared defaults.</summary>
    public const string Default = "default";

    /// <summary>Begins the name of a family's layer: <c>family llama2</c>.</summary>
    public const string Family = "family";

    /// <summary>Begins the name of a preset's layer: <c>preset corrected</c>.</summary>
    public const string Preset = "preset";

    /// <summary>Name of the layer of blocks at a model's own depth.</summary>
    public const string Depth = "depth";

    // Of the models that families' hyperparameters are published for.
    private const int PublishedBlocks = 32;

    private readonly MethodEntry _entry;

    private OptionStack(MethodEntry entry, IReadOnlyList<OptionLayer> layers)
    {
        (_entry, Layers) = (entry, layers);
        InForce = layers.Aggregate(new JsonObject(), (below, layer) => Overlay(below, layer.Values));
        Values = [.. Leaves(InForce, "").Select(ValueAt)];
    }

    /// <summary>The layers from low to high.</summary>
    public IReadOnlyList<OptionLayer> Layers { get; }

    /// <summary>Every option with the value in force.</summary>
    public JsonObject InForce { get; }

    /// <summary>The same option by option, in the order of the options record.</summary>
    public IReadOnlyList<OptionValue> Values { get; }

    /// <summary>Stacks the layers.</summary>
    /// <param name="entry">The method.</param>
    /// <param name="preset">One of <see cref="MethodEntry.PresetNames"/>.</param>
    /// <param name="family">One of the method's families; null for the defaults. Any where the method has
    /// none.</param>
    /// <param name="layers">The caller's, from low to high.</param>
    /// <exception cref="ArgumentException">The preset or the family is not the method's.</exception>
    public static OptionStack Of(
        MethodEntry entry,
        string preset,
        string? family = null,
        params IReadOnlyList<OptionLayer> layers
    ) => At(entry, preset, family, PublishedBlocks, layers);

    /// <summary>
    /// The same for a model of any depth: the blocks of a family's file stand where they do among its 32.
    /// </summary>
    /// <param name="entry">The method.</param>
    /// <param name="preset">One of <see cref="MethodEntry.PresetNames"/>.</param>
    /// <param name="family">One of the method's families; null for the defaults.</param>
    /// <param name="blocks">Blocks of the model.</param>
    /// <param name="layers">The caller's, from low to high.</param>
    /// <exception cref="ArgumentException">The preset or the family is not the method's.</exception>
    internal static OptionStack At(
        MethodEntry entry,
        string preset,
        string? family,
        int blocks,
        IReadOnlyList<OptionLayer> layers
    )
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentNullException.ThrowIfNull(layers);
        if (Wrong(entry, preset, family).FirstOrDefault() is { } wrong)
            throw new ArgumentException($"{wrong.Message}; {wrong.Hint}", wrong.Path);
        List<OptionLayer> stack = [new(Default, OptionJson.Of(entry.Defaults()))];
        if (entry.Families.FirstOrDefault(f => f.Family == family) is { } ground)
            stack.Add(new OptionLayer($"{Family} {family}", ground.Options) { Origin = ground.Origin });
        var published = stack.Aggregate(new JsonObject(), (below, layer) => Overlay(below, layer.Values));
        if (AtDepth(published, blocks) is { } own)
            stack.Add(own);
        if (entry.Presets.FirstOrDefault(p => p.Name == preset) is { } named)
            stack.Add(new OptionLayer($"{Preset} {preset}", named.Options) { Origin = named.Origin });
        return new OptionStack(entry, [.. stack, .. layers]);
    }

    /// <summary>
    /// Whose hyperparameters a model of a family gets: its own, or those of Llama-2 where a method has none for it.
    /// </summary>
    /// <param name="entry">The method.</param>
    /// <param name="family">Of the model.</param>
    public static string Ground(MethodEntry entry, string family)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Families.Count == 0 || entry.Families.Any(f => f.Family == family)
            ? family
            : entry.Families[0].Family;
    }

    private static OptionLayer? AtDepth(JsonObject options, int blocks)
    {
        if (blocks == PublishedBlocks)
            return null;
        int Own(JsonNode published) =>
            Math.Clamp(
                (int)
                    Math.Round(
                        published.GetValue<int>() * (double)blocks / PublishedBlocks,
                        MidpointRounding.AwayFromZero
                    ),
                0,
                blocks - 1
            );
        var own = new JsonObject();
        if (options["layers"] is JsonArray several)
            own["layers"] = new JsonArray([.. several.Select(l => Own(l!)).Distinct().Select(l => (JsonNode)l)]);
        if (options["layer"] is JsonValue one)
            own["layer"] = Own(one);
        return own.Count == 0
            ? null
            : new OptionLayer(Depth, own)
            {
                Origin = $"ours: block l of {PublishedBlocks} becomes round({blocks} l / {PublishedBlocks})",
            };
    }

    /// <summary>The option of that path, or null where no layer has it.</summary>
    /// <param name="path"><c>value.steps</c>.</param>
    public OptionValue? Find(string path) => Values.FirstOrDefault(v => v.Path == path);

    /// <summary>The options record.</summary>
    /// <param name="problems">Unknown names, wrong types and values out of bounds; empty when the result is not
    /// null.</param>
    public object? Bind(out IReadOnlyList<OptionProblem> problems)
    {
        problems = [.. OptionJson.Misplaced(_entry.Options, InForce)];
        if (problems.Count > 0)
            return null;
        try
        {
            var bound = OptionJson.Read(InForce, _entry.Options);
            problems = bound is ICheckedOptions options ? [.. options.Check()] : [];
            return problems.Count > 0 ? null : bound;
        }
        catch (JsonException e)
        {
            var path = e.Path is { Length: > 2 } p ? p[2..] : "";
            problems = [OptionJson.Misfit(_entry.Options, InForce, path, e)];
            return null;
        }
    }

    /// <summary>Options with others laid over them; neither is changed.</summary>
    public static JsonObject Overlay(JsonObject? below, JsonObject? above)
    {
        var merged = (JsonObject?)below?.DeepClone() ?? [];
        Merge(merged, above ?? []);
        return merged;
    }

    /// <summary>What is wrong with the names of a preset and a family.</summary>
    internal static IEnumerable<OptionProblem> Wrong(MethodEntry entry, string preset, string? family)
    {
        var presets = entry.PresetNames;
        if (!presets.Contains(preset))
            yield return new OptionProblem(
                "preset",
                $"'{preset}' is not a preset of {entry.Name}",
                Spelling.Nearest(preset, presets) is { } like
                    ? $"did you mean '{like}'?"
                    : "known: " + string.Join(", ", presets)
            );
        if (family is not null && entry.Families.Count > 0 && entry.Families.All(f => f.Family != family))
            yield return new OptionProblem(
                "family",
                $"'{family}' has no hyperparameters for {entry.Name}",
                "known: " + string.Join(", ", entry.Families.Select(f => f.Family))
            );
    }

    private OptionValue ValueAt(string path)
    {
        var said = Layers.Reverse().Select(l => At(l, path)).OfType<OptionSetting>().ToList();
        return new OptionValue(path, said[0], said[1..]);
    }

    // A list or a number where others have a record stands for all that the record holds.
    private static OptionSetting? At(OptionLayer layer, string path)
    {
        JsonNode? node = layer.Values;
        foreach (var name in path.Split('.'))
            if (node is not JsonObject record)
                break;
            else if (!record.TryGetPropertyValue(name, out node))
                return null;
        return layer.Values is null
            ? null
            : new OptionSetting(node?.DeepClone(), layer.Name, layer.Origin, layer.PlaceOf?.Invoke(path));
    }

    private static IEnumerable<string> Leaves(JsonObject values, string before)
    {
        foreach (var (key, value) in values)
            if (value is JsonObject { Count: > 0 } inner)
                foreach (var leaf in Leaves(inner, $"{before}{key}."))
                    yield return leaf;
            else
                yield return before + key;
    }

    private static void Merge(JsonObject target, JsonObject above)
    {
        foreach (var (key, value) in above)
            if (target[key] is JsonObject a && value is JsonObject b)
                Merge(a, b);
            else
                target[key] = value?.DeepClone();
    }
}
