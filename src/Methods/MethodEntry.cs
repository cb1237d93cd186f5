using System.Text.Json.Nodes;

namespace EditUnlearn.Methods;

/// <summary>To which family a method belongs: tables mark the best of each.</summary>
public enum MethodKind
{
    /// <summary>The model as it came, to compare with.</summary>
    Untouched,

    /// <summary>Training on the forget set.</summary>
    Unlearning,

    /// <summary>Rewriting single facts.</summary>
    Editing,
}

/// <summary>One method as the study knows it; declared in the method's own file.</summary>
/// <param name="Name">In <c>pipeline.yaml</c>: <c>ga</c>.</param>
/// <param name="Label">In tables: <c>GA</c>.</param>
/// <param name="Kind">Its family.</param>
/// <param name="Method">Its class; a stage that picks it takes this class's code into its key.</param>
/// <param name="Options">Its options record, whose properties declare meaning, unit, origin and default.</param>
/// <param name="Create">Makes it from such a record.</param>
public sealed record MethodEntry(
    string Name,
    string Label,
    MethodKind Kind,
    Type Method,
    Type Options,
    Func<object, IMethod> Create
)
{
    /// <summary>Whether it is one of the nine rows of the paper's tables.</summary>
    public bool InPaper { get; init; } = true;

    /// <summary>Whether it rewrites single facts.</summary>
    public bool IsEditing => Kind == MethodKind.Editing;

    /// <summary>
    /// Named presets. <c>reference</c> and <c>corrected</c> exist for every method; where they are not listed, nothing
    /// differs from the defaults.
    /// </summary>
    public IReadOnlyList<MethodPreset> Presets { get; init; } = [];

    /// <summary>Hyperparameters for families of models; empty where they do not depend on the family.</summary>
    public IReadOnlyList<FamilyPreset> Families { get; init; } = [];

    /// <summary>All names that <c>preset</c> may have.</summary>
    public IReadOnlyList<string> PresetNames =>
        [MethodPreset.Reference, MethodPreset.Corrected, .. Presets.Select(p => p.Name).Except(MethodPreset.Always)];

    /// <summary>What the method must be given under these options.</summary>
    /// <param name="options">Its options record.</param>
    public Needs Needs(object options) => Create(options).Needs;

    /// <summary>The options record with its declared defaults.</summary>
    public object Defaults() => Activator.CreateInstance(Options)!;

    /// <summary>Declares a method.</summary>
    /// <typeparam name="TMethod">Its class.</typeparam>
    /// <typeparam name="TOptions">Its options record.</typeparam>
    /// <param name="name">In <c>pipeline.yaml</c>.</param>
    /// <param name="label">In tables.</param>
    /// <param name="kind">Its family.</param>
    /// <param name="create">Makes it.</param>
    public static MethodEntry Of<TMethod, TOptions>(
        string name,
        string label,
        MethodKind kind,
        Func<TOptions, TMethod> create
    )
        where TMethod : IMethod
        where TOptions : notnull, new() =>
        new(name, label, kind, typeof(TMethod), typeof(TOptions), o => create((TOptions)o));
}

/// <summary>A named set of options.</summary>
/// <param name="Name">As <c>preset</c> names it.</param>
/// <param name="Origin">Where the values come from.</param>
/// <param name="Options">What differs from the declared defaults.</param>
public sealed record MethodPreset(string Name, string Origin, JsonObject Options)
{
    /// <summary>The declared defaults, which are the reference's.</summary>
    public const string Reference = "reference";

    /// <summary>The reference without its defects, or closer to the paper's equations.</summary>
    public const string Corrected = "corrected";

    internal static readonly string[] Always = [Reference, Corrected];
}

/// <summary>What a method's hyperparameters are for one family of models.</summary>
/// <param name="Family">As in <c>config.json</c> and the family catalogue; <c>llama3</c> besides
/// <c>llama31</c>.</param>
/// <param name="Origin">Where the numbers come from.</param>
/// <param name="Options">What differs from the declared defaults.</param>
public sealed record FamilyPreset(string Family, string Origin, JsonObject Options);
