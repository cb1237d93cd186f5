using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Methods;

/// <summary>All methods, in the order of the tables.</summary>
[CodeBoundary]
public static class MethodCatalog
{
    /// <summary>One line a method.</summary>
    public static IReadOnlyList<MethodEntry> All { get; } =
    [
        Untouched.Declaration.Entry,
        GradientAscent.Declaration.Entry,
        GradientDifference.Declaration.Entry,
        KlMinimisation.Declaration.Entry,
        PreferenceOptimisation.Declaration.Entry,
        RefusalTraining.Declaration.Entry,
        NegativePreference.Declaration.Entry,
        SimpleNegativePreference.Declaration.Entry,
        RepresentationMisdirection.Declaration.Entry,
        Rome.Declaration.Entry,
        Memit.Declaration.Entry,
        Grace.Declaration.Entry,
        Wise.Declaration.Entry,
        AlphaEdit.Declaration.Entry,
    ];

    /// <summary>The method of that name, or null.</summary>
    public static MethodEntry? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    /// <summary>Checks a method's name, preset and options, and binds them.</summary>
    /// <param name="name">Of the method.</param>
    /// <param name="preset">One of <see cref="MethodEntry.PresetNames"/>.</param>
    /// <param name="options">What differs from the preset; may be null.</param>
    /// <param name="problems">What is wrong; empty when the result is not null.</param>
    /// <param name="family">Whose hyperparameters stand under preset and options; null for the defaults.</param>
    /// <param name="blocks">Blocks of the model, so that those of the family's file stand at the same depth; null
    /// where they are taken as they stand.</param>
    /// <returns>The entry and its options record, or null.</returns>
    public static (MethodEntry Entry, object Options)? Bind(
        string name,
        string preset,
        JsonObject? options,
        out IReadOnlyList<OptionProblem> problems,
        string? family = null,
        int? blocks = null
    ) => Bind(All, name, preset, options, out problems, family, blocks);

    /// <summary>The same among other methods, for tests.</summary>
    internal static (MethodEntry Entry, object Options)? Bind(
        IReadOnlyList<MethodEntry> methods,
        string name,
        string preset,
        JsonObject? options,
        out IReadOnlyList<OptionProblem> problems,
        string? family = null,
        int? blocks = null
    )
    {
        if (methods.FirstOrDefault(m => m.Name == name) is { } entry)
            return BindTo(entry, preset, options, out problems, family, blocks);
        var names = methods.Select(m => m.Name).ToList();
        problems =
        [
            new OptionProblem(
                "method",
                $"'{name}' is not a method",
                Spelling.Nearest(name, names) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", names)
            ),
        ];
        return null;
    }

    internal static (MethodEntry Entry, object Options)? BindTo(
        MethodEntry entry,
        string preset,
        JsonObject? options,
        out IReadOnlyList<OptionProblem> problems,
        string? family,
        int? blocks = null
    )
    {
        problems = [.. OptionStack.Wrong(entry, preset, family), .. OptionJson.Misplaced(entry.Options, options ?? [])];
        if (problems.Count > 0)
            return null;
        var own = new OptionLayer("options", options);
        var stack = blocks is { } depth
            ? OptionStack.At(entry, preset, family, depth, [own])
            : OptionStack.Of(entry, preset, family, own);
        return stack.Bind(out problems) is { } bound ? (entry, bound) : null;
    }

    /// <summary>
    /// Every option with the value in force, as <c>Bind</c> reads it back to the same record under any preset.
    /// </summary>
    public static JsonObject ToJson(object options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return OptionJson.Of(options);
    }

    /// <inheritdoc cref="OptionStack.Overlay"/>
    public static JsonObject Overlay(JsonObject? below, JsonObject? above) => OptionStack.Overlay(below, above);
}
