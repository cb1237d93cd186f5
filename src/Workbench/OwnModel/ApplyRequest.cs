using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>What somebody wants done to a model of their own. Paths are theirs; nothing is checked yet.</summary>
public sealed record ApplyRequest
{
    /// <summary>Name of the method in the catalogue.</summary>
    public required string Method { get; init; }

    /// <summary><c>reference</c>, <c>corrected</c> or one of the method's published presets.</summary>
    public string Preset { get; init; } = "corrected";

    /// <summary>Whose hyperparameters stand under the preset; null for the family of the checkpoint.</summary>
    public string? Family { get; init; }

    /// <summary>
    /// Reads the options that differ from both; null for none. What is wrong with them is reported with all the rest.
    /// </summary>
    public Func<GivenOptions>? ReadOptions { get; init; }

    /// <summary>The model folder, which is only read.</summary>
    public required string Model { get; init; }

    /// <summary>The folder to be made.</summary>
    public required string Out { get; init; }

    /// <summary>Whether the patch is written instead of a checkpoint.</summary>
    public bool PatchOnly { get; init; }

    /// <summary>Questions to be forgotten, with refusals where they have no target of their own.</summary>
    public string? Forget { get; init; }

    /// <summary>Questions to be answered anew, each with its own target.</summary>
    public string? Requests { get; init; }

    /// <summary>Requests as token ids.</summary>
    public string? TokenRequests { get; init; }

    /// <summary>Questions to be kept; needed by methods that train on them, asked before and after by all.</summary>
    public string? Retain { get; init; }

    /// <summary>More questions to be kept, which no method sees: asked before and after.</summary>
    public string? HoldOut { get; init; }

    /// <summary>A list of refusals, one a line.</summary>
    public string? Targets { get; init; }

    /// <summary>A file of second moments or the folder it is in; made there where it is not.</summary>
    public string? Moments { get; init; }

    /// <summary>
    /// Ordinary text to measure second moments on: one document a line (<c>.txt</c>), or a question file.
    /// </summary>
    public string? MomentsText { get; init; }

    /// <summary>
    /// How many documents second moments come from, drawn from the text or said by a file that is there; null for any.
    /// </summary>
    public int? Mom2Samples { get; init; }

    /// <summary>A file of projectors or the folder it is in; made there where it is not.</summary>
    public string? Projector { get; init; }

    /// <summary>A file of context prefixes or the folder it is in; made there where it is not.</summary>
    public string? Contexts { get; init; }

    /// <summary>Texts that must not change, for WISE.</summary>
    public string? Locality { get; init; }

    /// <summary>Another model to compare with, for options that ask for one.</summary>
    public string? Reference { get; init; }

    /// <summary>Of every draw.</summary>
    public ulong Seed { get; init; } = 17;

    /// <summary>Where the work is done and in which type.</summary>
    public required Compute Compute { get; init; }

    /// <summary>Most bytes of a weight file; null for the shards of the source.</summary>
    public long? ShardBytes { get; init; }

    /// <summary>Whether a model or patch folder at <see cref="Out"/> is replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Most new tokens of an answer.</summary>
    public int MaxNewTokens { get; init; } = 200;

    /// <summary>Where the report goes; null for nowhere.</summary>
    public string? Report { get; init; }

    /// <summary>The file the requests stand in, whichever it is.</summary>
    public string Asked => Forget ?? Requests ?? TokenRequests ?? "";
}

/// <summary>Options of a method that somebody wrote down.</summary>
/// <param name="Values">Untyped, by the documented names.</param>
/// <param name="Placed">A problem of an option (<c>value.steps</c>), its message and its hint, at the place where the
/// option was written.</param>
public sealed record GivenOptions(JsonObject Values, Func<string, string, string?, InputProblem> Placed);

/// <summary>Whom to tell how the work goes.</summary>
public sealed record ApplyListener
{
    /// <summary>What is being done, units done and in all.</summary>
    public Action<string, int, int>? Progress { get; init; }

    /// <summary>What the user should know although the result stands.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>A line on what was decided: statistics are made, a file is kept.</summary>
    public Action<string>? Note { get; init; }

    /// <summary>Looked at between steps.</summary>
    public CancellationToken Cancelled { get; init; }
}
