using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// The study, checked and expanded: every cell with its parameters and where its inputs come from. Immutable.
/// </summary>
public sealed record Plan
{
    /// <summary>Folder of <c>pipeline.yaml</c>; files under <c>in:</c> are relative to it.</summary>
    public required string Root { get; init; }

    /// <summary>The profile it was made for.</summary>
    public required string Profile { get; init; }

    /// <summary>All cells; a cell stands after everything it reads, otherwise in file order.</summary>
    public required IReadOnlyList<Cell> Cells { get; init; }

    /// <summary>The stages as written, in file order, for a collapsed drawing.</summary>
    public required IReadOnlyList<PlannedStage> Stages { get; init; }

    /// <summary>Every setting that is in force, with where it was set.</summary>
    public required IReadOnlyList<Setting> Settings { get; init; }

    /// <summary>Device of the accelerator stages, for example <c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Element type of weights in the accelerator stages, for example <c>float32</c>.</summary>
    public required string DType { get; init; }

    /// <summary>
    /// How accelerator stages compute on a processor: <c>portable</c>, or <c>native/own</c> and <c>native/library</c>
    /// once a probe has chosen the products.
    /// </summary>
    public string Numerics { get; init; } = NumericsNames.Portable;
}

/// <summary>One stage as written: its name, its kind, its axes, the stages it reads.</summary>
/// <param name="Name">The name under <c>stages:</c>.</param>
/// <param name="Run">The kind of work.</param>
/// <param name="Axes">Axis names and all labels.</param>
/// <param name="Reads">Names of the stages it reads, without repeats.</param>
/// <param name="Place">Where it stands.</param>
public sealed record PlannedStage(
    string Name,
    IStage Run,
    IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> Axes,
    IReadOnlyList<string> Reads,
    SourcePlace Place
);

/// <summary>One run of one stage: what the engine keys, runs and stores.</summary>
public sealed record Cell
{
    /// <summary>Its name.</summary>
    public required CellId Id { get; init; }

    /// <summary>The kind of work.</summary>
    public required IStage Stage { get; init; }

    /// <summary>Parameters as the file gives them, of <see cref="IStage.ParametersType"/>.</summary>
    public required object Written { get; init; }

    /// <summary>The same with what the stage itself fills in (<see cref="IStage.Complete"/>).</summary>
    public required object Parameters { get; init; }

    /// <summary>The same as JSON with every default filled in: what the key hashes and the manifest shows.</summary>
    public required JsonObject ParametersJson { get; init; }

    /// <summary>Inputs in the order of <see cref="StageInfo.Inputs"/>; a fan-in has several of one name.</summary>
    public required IReadOnlyList<CellInput> Inputs { get; init; }

    /// <summary>Where the stage stands in the file.</summary>
    public required SourcePlace Place { get; init; }

    /// <summary>Whether it, and all that it reads, goes before other cells; no result depends on it.</summary>
    public bool IsSoon { get; init; }

    /// <summary>
    /// Where each parameter (path such as <c>options.learningRate</c>) got its value; none for defaults.
    /// </summary>
    public required IReadOnlyDictionary<string, ValueOrigin> Origins { get; init; }
}

/// <summary>Where a value was set, and what it took the place of.</summary>
/// <param name="Place">Where it was set.</param>
/// <param name="Overridden">Values of lower layers, the nearest first, as text.</param>
public sealed record ValueOrigin(SourcePlace Place, IReadOnlyList<(string Value, SourcePlace Place)> Overridden)
{
    internal static ValueOrigin Of(YamlValue value)
    {
        var below = new List<(string, SourcePlace)>();
        for (var at = value.Overrides; at is not null; at = at.Overrides)
            below.Add((ParameterBinder.Untyped(at)?.ToJsonString() ?? "null", at.Place));
        return new ValueOrigin(value.Place, below);
    }
}

/// <summary>Where one input of a cell comes from.</summary>
/// <param name="Name">The name under <c>in:</c>.</param>
public abstract record CellInput(string Name);

/// <summary>An output of another cell.</summary>
/// <param name="Name">The name under <c>in:</c>.</param>
/// <param name="Cell">Who makes it.</param>
/// <param name="Output">Which of that stage's outputs.</param>
public sealed record CellOutputInput(string Name, CellId Cell, string Output) : CellInput(Name);

/// <summary>A file or folder of the project or of the user, hashed by content.</summary>
/// <param name="Name">The name under <c>in:</c>.</param>
/// <param name="Path">As written: relative to the root, or absolute.</param>
/// <param name="Obtain">For a file that does not come with the project and may be absent: the command that fetches it.
/// Null for files that must be there.</param>
public sealed record FileInput(string Name, string Path, string? Obtain = null) : CellInput(Name);

/// <summary>A place in a file (1-based), or an origin such as <c>--set</c> with line 0.</summary>
/// <param name="File">The file, or the name of the origin.</param>
/// <param name="Line">1-based; 0 for none.</param>
/// <param name="Column">1-based; 0 for none.</param>
public readonly record struct SourcePlace(string File, int Line, int Column)
{
    /// <summary><c>pipeline.yaml:41</c>, or the origin alone.</summary>
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}";
}

/// <summary>One setting in force.</summary>
/// <param name="Path"><c>pretrain.steps</c>.</param>
/// <param name="Value">Its value.</param>
/// <param name="Place">Where it was set.</param>
public sealed record Setting(string Path, JsonNode? Value, SourcePlace Place);
