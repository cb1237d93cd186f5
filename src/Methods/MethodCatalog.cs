using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;

namespace EditUnlearn.Methods;

/// <summary>One method as the study knows it.</summary>
/// <param name="Name">In <c>pipeline.yaml</c>: <c>ga</c>.</param>
/// <param name="Label">In tables: <c>GA</c>.</param>
/// <param name="IsEditing">Editing or unlearning.</param>
/// <param name="Method">Its class; a stage that picks it takes this class's code into its key.</param>
/// <param name="Options">Its options record.</param>
/// <param name="Needs">What it must be given, as its options ask.</param>
/// <param name="Create">Makes it.</param>
/// <param name="Corrected">How the preset <c>corrected</c> differs from the defaults, which are the
/// reference's.</param>
public sealed record MethodEntry(
    string Name,
    string Label,
    bool IsEditing,
    Type Method,
    Type Options,
    Func<object, Needs> Needs,
    Func<object, IMethod> Create,
    JsonObject Corrected
)
{
    /// <summary>Hyperparameters of the reference for each model family.</summary>
    public IReadOnlyList<FamilyPreset> Families { get; init; } = [];

    /// <summary>Further presets by name: how each differs from the defaults.</summary>
    public IReadOnlyDictionary<string, JsonObject> Published { get; init; } = new Dictionary<string, JsonObject>();
}

/// <summary>What a method's hyperparameters are for one family of models.</summary>
/// <param name="Family">As in <c>config.json</c> and the family catalogue; <c>llama3</c> besides
/// <c>llama31</c>.</param>
/// <param name="Origin">Where the numbers come from.</param>
/// <param name="Options">What differs from the options' defaults.</param>
public sealed record FamilyPreset(string Family, string Origin, JsonObject Options)
{
    /// <summary>
    /// What the reference's file says of things that are not options here: the precision of the model, the documents
    /// behind the moments.
    /// </summary>
    public JsonObject Besides { get; init; } = [];
}

/// <summary>A mistake in a method's options.</summary>
/// <param name="Path"><c>options.learningRate</c>.</param>
/// <param name="Message">Without a full stop.</param>
/// <param name="Hint">What to do, or null.</param>
public sealed record OptionProblem(string Path, string Message, string? Hint);

/// <summary>All methods, in the order of the tables.</summary>
[CodeBoundary]
public static class MethodCatalog
{
    private const string Reference = "reference",
        CorrectedPreset = "corrected";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { OnlySettable } },
    };

    /// <summary>One line a method.</summary>
    public static IReadOnlyList<MethodEntry> All { get; } =
    [
        Gradient<GradientAscent, GradientAscent.Options>("ga", "GA", _ => Needs.None, o => new GradientAscent(o)),
        Gradient<GradientDifference, GradientDifference.Options>(
            "gd",
            "GD",
            _ => Needs.RetainSet,
            o => new GradientDifference(o)
        ),
        Gradient<KlMinimisation, KlMinimisation.Options>("kl", "KL", _ => Needs.RetainSet, o => new KlMinimisation(o)),
        Gradient<PreferenceOptimisation, PreferenceOptimisation.Options>(
            "dpo",
            "DPO",
            o => Needs.Refusals | (o.RetainWeight != 0 ? Needs.RetainSet : 0),
            o => new PreferenceOptimisation(o)
        ),
        Gradient<RefusalTraining, RefusalTraining.Options>(
            "idk",
            "IDK",
            _ => Needs.RetainSet | Needs.Refusals,
            o => new RefusalTraining(o)
        ),
        Entry<Rome, Rome.Options>(
            "rome",
            "ROME",
            true,
            o => (o.SecondMoments ? Needs.SecondMoments : 0) | (o.Contexts > 0 ? Needs.Contexts : 0),
            o => new Rome(o),
            new JsonObject
            {
                ["key"] = "averaged",
                ["targetIds"] = "offsets",
                ["appendEos"] = true,
            },
            RomePresets.Families
        ),
        Entry<Memit, Memit.Options>(
            "memit",
            "MEMIT",
            true,
            o => Needs.SecondMoments | (o.Contexts > 0 ? Needs.Contexts : 0),
            o => new Memit(o),
            new JsonObject { ["targetIds"] = "offsets", ["appendEos"] = true },
            MemitPresets.Families
        ),
        Entry<Grace, Grace.Options>(
            "grace",
            "GRACE",
            true,
            _ => Needs.None,
            o => new Grace(o),
            new JsonObject
            {
                ["labels"] = "sequence",
                ["labelOrder"] = "aligned",
                ["duplicates"] = "replace",
                ["query"] = "promptEnd",
                ["appendEos"] = true,
            },
            GracePresets.Families
        ),
        Entry<Wise, Wise.Options>(
            "wise",
            "WISE",
            true,
            o =>
                (o.Locality == LocalitySource.Retain ? Needs.RetainSet : Needs.Locality)
                | (o.Contexts > 0 ? Needs.Contexts : 0),
            o => new Wise(o),
            new JsonObject
            {
                ["maskDecay"] = true,
                ["window"] = "exact",
                ["pooling"] = "promptTokens",
                ["scope"] = "stickyPerRow",
                ["maxBeyond"] = null,
                ["mergeRemainder"] = true,
                ["appendEos"] = true,
            },
            WisePresets.Families
        ),
        Entry<AlphaEdit, AlphaEdit.Options>(
            "alphaedit",
            "AlphaEdit",
            true,
            o => Needs.NullSpaces | (o.Contexts > 0 ? Needs.Contexts : 0),
            o => new AlphaEdit(o),
            new JsonObject { ["targetIds"] = "offsets", ["appendEos"] = true },
            AlphaEditPresets.Families
        ),
    ];

    /// <summary>The method of that name, or null.</summary>
    public static MethodEntry? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    /// <summary>Checks a method's name, preset and options, and binds them.</summary>
    /// <param name="name">Of the method.</param>
    /// <param name="preset"><c>reference</c>, <c>corrected</c> or one of the method's published ones.</param>
    /// <param name="options">What differs from the preset; may be null.</param>
    /// <param name="problems">What is wrong; empty when the result is not null.</param>
    /// <param name="family">Whose hyperparameters stand under preset and options; null for the defaults.</param>
    /// <returns>The entry and its options record, or null.</returns>
    public static (MethodEntry Entry, object Options)? Bind(
        string name,
        string preset,
        JsonObject? options,
        out IReadOnlyList<OptionProblem> problems,
        string? family = null
    )
    {
        var found = new List<OptionProblem>();
        problems = found;
        if (Find(name) is not { } entry)
        {
            found.Add(
                new OptionProblem(
                    "method",
                    $"'{name}' is not a method",
                    Spelling.Nearest(name, All.Select(m => m.Name)) is { } near
                        ? $"did you mean '{near}'?"
                        : "known: " + string.Join(", ", All.Select(m => m.Name))
                )
            );
            return null;
        }
        return BindTo(entry, preset, options, found, family);
    }

    internal static (MethodEntry Entry, object Options)? BindTo(
        MethodEntry entry,
        string preset,
        JsonObject? options,
        List<OptionProblem> found,
        string? family
    )
    {
        var name = entry.Name;
        string[] presets = [Reference, CorrectedPreset, .. entry.Published.Keys];
        if (!presets.Contains(preset))
            found.Add(
                new OptionProblem(
                    "preset",
                    $"'{preset}' is not a preset of {name}",
                    Spelling.Nearest(preset, presets) is { } like
                        ? $"did you mean '{like}'?"
                        : "known: " + string.Join(", ", presets)
                )
            );
        var ground = entry.Families.FirstOrDefault(f => f.Family == family);
        if (family is not null && entry.Families.Count > 0 && ground is null)
            found.Add(
                new OptionProblem(
                    "family",
                    $"'{family}' has no hyperparameters for {name}",
                    "known: " + string.Join(", ", entry.Families.Select(f => f.Family))
                )
            );
        Unknown(entry.Options, options ?? [], "options", found);
        if (found.Count > 0)
            return null;
        var named =
            preset == Reference ? null
            : preset == CorrectedPreset ? entry.Corrected
            : entry.Published[preset];
        var merged = Overlay(Overlay(ground?.Options, named), options);
        try
        {
            var bound = merged.Deserialize(entry.Options, Json)!;
            if (bound is IEditingOptions editing)
                found.AddRange(editing.Check());
            return found.Count > 0 ? null : (entry, bound);
        }
        catch (JsonException e)
        {
            var path = e.Path is { Length: > 2 } p ? "options." + p[2..] : "options";
            found.Add(
                new OptionProblem(path, $"has a value of the wrong type for {name}", e.Message.Split(". Path")[0])
            );
            return null;
        }
    }

    /// <summary>
    /// Every option with the value in force, as <see cref="Bind"/> reads it back to the same record under any preset.
    /// </summary>
    public static JsonObject ToJson(object options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return (JsonObject)JsonSerializer.SerializeToNode(options, options.GetType(), Json)!;
    }

    /// <summary>Options with others laid over them; neither is changed.</summary>
    public static JsonObject Overlay(JsonObject? below, JsonObject? above)
    {
        var merged = (JsonObject?)below?.DeepClone() ?? [];
        Merge(merged, above ?? []);
        return merged;
    }

    // What follows from other options is not one.
    private static void OnlySettable(JsonTypeInfo type)
    {
        for (var i = type.Properties.Count - 1; i >= 0; i--)
            if (type.Properties[i].Set is null)
                type.Properties.RemoveAt(i);
    }

    private static MethodEntry Entry<TMethod, TOptions>(
        string name,
        string label,
        bool isEditing,
        Func<TOptions, Needs> needs,
        Func<TOptions, IMethod> create,
        JsonObject corrected,
        IReadOnlyList<FamilyPreset>? families = null
    )
        where TOptions : notnull =>
        new(
            name,
            label,
            isEditing,
            typeof(TMethod),
            typeof(TOptions),
            o => needs((TOptions)o),
            o => create((TOptions)o),
            corrected
        )
        {
            Families = families ?? [],
        };

    private static MethodEntry Gradient<TMethod, TOptions>(
        string name,
        string label,
        Func<TOptions, Needs> needs,
        Func<TOptions, IMethod> create
    )
        where TOptions : TrainingOptions =>
        Entry<TMethod, TOptions>(name, label, false, needs, create, GradientPresets.Equations) with
        {
            Published = GradientPresets.Of(name),
        };

    private static void Unknown(Type type, JsonObject options, string path, List<OptionProblem> problems)
    {
        var members = type.GetProperties()
            .Where(p => p.CanWrite)
            .ToDictionary(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name), p => p.PropertyType);
        foreach (var (key, value) in options)
            if (!members.TryGetValue(key, out var member))
                problems.Add(
                    new OptionProblem(
                        $"{path}.{key}",
                        "is not an option of this method",
                        Spelling.Nearest(key, members.Keys) is { } near
                            ? $"did you mean '{near}'?"
                            : "known: " + string.Join(", ", members.Keys)
                    )
                );
            else if (value is JsonObject inner && member.IsClass && member != typeof(string))
                Unknown(member, inner, $"{path}.{key}", problems);
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
