using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods;

/// <summary>A way to make a model forget.</summary>
/// <remarks>
/// The contract of all: the model comes back exactly as it came, bit for bit; the same seed gives the same patch.
/// </remarks>
public interface IMethod
{
    /// <summary>
    /// What it must be given under its options: the one place that says so. Whoever gathers inputs asks here.
    /// </summary>
    Needs Needs { get; }

    /// <summary>Finds the change.</summary>
    /// <param name="model">Comes back bit for bit as it was.</param>
    /// <param name="inputs">What the method's <see cref="Needs"/> ask for.</param>
    /// <param name="seed">Of every draw.</param>
    /// <exception cref="MethodFailedException">The arithmetic broke down: a loss that is not finite, a key that
    /// vanishes.</exception>
    ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed);
}

/// <summary>What a method must be given besides the questions to forget.</summary>
[Flags]
public enum Needs
{
    /// <summary>The questions alone.</summary>
    None = 0,

    /// <summary>Rows to hold on to.</summary>
    RetainSet = 1,

    /// <summary>Refusals to train towards.</summary>
    Refusals = 2,

    /// <summary>Second moments of the MLP keys.</summary>
    SecondMoments = 4,

    /// <summary>Context prefixes written by the model.</summary>
    Contexts = 8,

    /// <summary>Projectors onto the keys that ordinary text hardly uses.</summary>
    NullSpaces = 16,

    /// <summary>Texts that must not change.</summary>
    Locality = 32,

    /// <summary>A second model to be compared with, other than the one it starts from.</summary>
    Reference = 64,

    /// <summary>The true answers to the forget questions, to train on.</summary>
    ForgetAnswers = 128,
}

/// <summary>Everything methods read, as tokens.</summary>
public sealed record MethodInputs
{
    /// <summary>What the locate-and-edit methods write, in order.</summary>
    public IReadOnlyList<EditRequest> Edits { get; init; } = [];

    /// <summary>Questions with the answers to be forgotten.</summary>
    public IReadOnlyList<TokenRow> Forget { get; init; } = [];

    /// <summary>Questions with the answers to be kept.</summary>
    public IReadOnlyList<TokenRow> Retain { get; init; } = [];

    /// <summary>For each forget question, the rows with refusals to choose from.</summary>
    public IReadOnlyList<IReadOnlyList<TokenRow>> Refusals { get; init; } = [];

    /// <summary>C [F, F] of each layer, float32 or float64.</summary>
    public IReadOnlyDictionary<int, Tensor> SecondMoments { get; init; } = new Dictionary<int, Tensor>();

    /// <summary>The projector of each layer.</summary>
    public IReadOnlyDictionary<int, NullSpace> NullSpaces { get; init; } = new Dictionary<int, NullSpace>();

    /// <summary>Prefixes put before the question; the first is empty.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Contexts { get; init; } =
    [
        [],
    ];

    /// <summary>Texts that must not change, BOS first; edits take them in turn.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Locality { get; init; } = [];

    /// <summary>
    /// Draws whose outcome is given, by the purpose they are drawn for, to repeat a run elsewhere; the purposes stand
    /// in the methods' files. A purpose that is not here is drawn.
    /// </summary>
    public IReadOnlyDictionary<string, Tensor> Draws { get; init; } = new Dictionary<string, Tensor>();

    /// <summary>
    /// Opens the model that <see cref="Needs.Reference"/> asks for; the method owns what it gets. Null where there is
    /// none.
    /// </summary>
    public Func<CausalLm>? OpenReference { get; init; }

    /// <summary>
    /// Where the method keeps its state, between updates or between edits, so that a killed attempt goes on; null to
    /// start anew.
    /// </summary>
    public TrainingStore? Store { get; init; }

    /// <summary>Told how a training run went, diverged or not.</summary>
    public Action<TrainingRecord>? Trained { get; init; }

    /// <summary>Told how far the method is.</summary>
    public Action<MethodProgress>? Progress { get; init; }

    /// <summary>Told what the user should know although the result stands.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Told numbers about the whole of the edits: <c>phi.mean</c>.</summary>
    public Action<string, double>? Metric { get; init; }

    /// <summary>Looked at between steps.</summary>
    public CancellationToken Cancelled { get; init; }
}

/// <summary>One fact to rewrite.</summary>
/// <param name="Id">Of the question.</param>
/// <param name="PromptIds">BOS and the prompt.</param>
/// <param name="SubjectLast">Index in <paramref name="PromptIds"/> of the subject's last token, the lookup
/// position.</param>
/// <param name="TargetIds">What shall follow the prompt.</param>
/// <param name="EssenceIds">BOS, the subject and "is a": a neutral sentence whose continuation should stay.</param>
/// <param name="EssenceLast">Index in <paramref name="EssenceIds"/> of the subject's last token.</param>
public sealed record EditRequest(
    string Id,
    IReadOnlyList<int> PromptIds,
    int SubjectLast,
    IReadOnlyList<int> TargetIds,
    IReadOnlyList<int> EssenceIds,
    int EssenceLast
)
{
    /// <summary>
    /// Index in <see cref="PromptIds"/> before which a context prefix goes; after BOS unless a chat template opens the
    /// user's turn first.
    /// </summary>
    public int PrefixAt { get; init; } = 1;

    /// <summary>
    /// The prompt behind each of <see cref="MethodInputs.Contexts"/>, in their order and the bare one first, as the
    /// tokenizer writes prefix and question together; null where prefixes are ids that are put in at
    /// <see cref="PrefixAt"/>.
    /// </summary>
    public IReadOnlyList<PrefixedPrompt>? Prefixed { get; init; }

    /// <summary>
    /// What follows the prompt in the rows that are scored; all target tokens but the last unless the reference's
    /// reading of a text target asks for others. The n target tokens are scored at the last n positions of a row,
    /// wherever those lie (docs/methods.md, "Requests").
    /// </summary>
    public IReadOnlyList<int>? Continuation { get; init; }

    /// <summary>
    /// What follows the prompt in text: the continuation and the last target token. All target tokens, unless those are
    /// scored against other ids.
    /// </summary>
    public IReadOnlyList<int> Answer => Continuation is null ? TargetIds : [.. Continuation, .. TargetIds.TakeLast(1)];

    /// <summary>File and line that a person wrote it in, for messages; null where nobody did.</summary>
    public (string File, int Line)? Place { get; init; }

    /// <summary>Something that is wrong with it, at its place.</summary>
    /// <param name="message">Without a full stop, beginning with a verb.</param>
    /// <param name="hint">What to do, or null.</param>
    public InputProblem Problem(string message, string? hint = null) =>
        Place is var (file, line)
            ? new InputProblem(file, line, 0, $"{Id} {message}", hint)
            : new InputProblem($"edit {Id}", 0, 0, message, hint);
}

/// <summary>A prompt behind a context prefix.</summary>
/// <param name="Ids">BOS and the prompt.</param>
/// <param name="SubjectLast">Index in <paramref name="Ids"/> of the subject's last token.</param>
public sealed record PrefixedPrompt(IReadOnlyList<int> Ids, int SubjectLast);

/// <summary>How far a method is.</summary>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
/// <param name="What">For people: <c>loss 1.2</c>.</param>
public readonly record struct MethodProgress(int Done, int Total, string What);

/// <summary>A method's arithmetic broke down.</summary>
public sealed class MethodFailedException(string method, string step, string problem, string hint)
    : Exception($"{method}, {step}: {problem}\n  hint: {hint}");
