using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// Turns questions into token-level edit requests (docs/methods.md, "Requests").
/// </summary>
public static class EditRequests
{
    /// <summary>How text becomes a request.</summary>
    public sealed record Options
    {
        /// <summary>Whose last token is the lookup position.</summary>
        public SubjectMode Subject { get; init; } = SubjectMode.Annotated;

        /// <summary>How the target's ids are found (defects S1 and S2).</summary>
        public TargetIdsMode TargetIds { get; init; } = TargetIdsMode.Offsets;

        /// <summary>Whether the question stands in the model's chat template, as it is evaluated, or alone.</summary>
        public PromptFormat Format { get; init; } = PromptFormat.Chat;

        /// <summary>Between prompt and target; null for the format's own (<see cref="Joins.Of"/>).</summary>
        public string? Join { get; init; }

        /// <summary>
        /// Texts that the prompt is also written behind, the empty one first; none where nothing is sought in context.
        /// </summary>
        public IReadOnlyList<ContextPrefix> Prefixes { get; init; } = [];

        /// <summary>Whether the end of the turn is part of the target (defect S10).</summary>
        public bool AppendEos { get; init; }
    }

    /// <summary>One request with the corrected reading of everything.</summary>
    /// <inheritdoc cref="FromText(Checkpoint, string, string, string, int, string, Options)"/>
    public static EditRequest FromText(
        Checkpoint checkpoint,
        string id,
        string question,
        string subject,
        int subjectStart,
        string target,
        bool appendEos
    ) => FromText(checkpoint, id, question, subject, subjectStart, target, new Options { AppendEos = appendEos });

    /// <summary>One request.</summary>
    /// <param name="checkpoint">Tokenizer and template.</param>
    /// <param name="id">Of the question.</param>
    /// <param name="question">Verbatim.</param>
    /// <param name="subject">Stands in the question at <paramref name="subjectStart"/>; empty where none was found, and
    /// then the question's last token stands in.</param>
    /// <param name="subjectStart">UTF-16 index.</param>
    /// <param name="target">What shall be answered; spaces in front are left to the join.</param>
    /// <param name="options">How it is read.</param>
    /// <exception cref="InputException">The subject does not stand there, or question or target is empty; all at
    /// once.</exception>
    public static EditRequest FromText(
        Checkpoint checkpoint,
        string id,
        string question,
        string subject,
        int subjectStart,
        string target,
        Options options
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(options);
        target = target.TrimStart(' ');
        CheckText(id, question, subject, subjectStart, target);
        var raw = options.Format == PromptFormat.Raw;
        var prompt = checkpoint.PromptWithOffsets(question, raw);
        var questionStart = raw ? 0 : checkpoint.Template.QuestionStart;
        if (options.Subject != SubjectMode.Annotated || subject.Length == 0)
            (subject, subjectStart) = (question, 0);
        int Lookup(IReadOnlyList<TokenSpan> spans, int shift) =>
            options.Subject == SubjectMode.LastToken
                ? spans.Count - 1
                : LastOver(spans, questionStart + shift + subjectStart + subject.Length - 1);
        PrefixedPrompt Behind(ContextPrefix prefix)
        {
            var spans = checkpoint.PromptWithOffsets(prefix.Before(question), raw);
            return new PrefixedPrompt([.. spans.Select(p => p.Id)], Lookup(spans, prefix.Length));
        }
        var essence = Essence(checkpoint, subject);
        var (targetIds, tail) =
            options.TargetIds == TargetIdsMode.Offsets
                ? (
                    InContext(
                        checkpoint,
                        question,
                        Joins.Of(options.Format, options.Join) + target,
                        options.AppendEos,
                        raw
                    ),
                    null
                )
                : RoundTrip(checkpoint, question, (options.Join ?? " ") + target, options.AppendEos, raw);
        return new EditRequest(
            id,
            [.. prompt.Select(p => p.Id)],
            Lookup(prompt, 0),
            targetIds,
            [.. essence.Select(e => e.Id)],
            LastOver(essence, subject.Length - 1)
        )
        {
            Continuation = tail,
            PrefixAt = PrefixAt(checkpoint, prompt, questionStart),
            Prefixed = options.Prefixes.Count == 0 ? null : [.. options.Prefixes.Select(Behind)],
        };
    }

    private static void CheckText(string id, string question, string subject, int subjectStart, string target)
    {
        var problems = new List<InputProblem>();
        void Wrong(string message, string hint) => problems.Add(new InputProblem($"edit {id}", 0, 0, message, hint));
        if (question.Length == 0)
            Wrong("has an empty question", "give a question");
        else if (
            subject.Length > 0
            && (
                subjectStart < 0
                || subjectStart > question.Length - subject.Length
                || !question.AsSpan(subjectStart).StartsWith(subject, StringComparison.Ordinal)
            )
        )
            Wrong(
                $"names the subject '{subject}', which does not stand at {subjectStart} of '{question}'",
                "the subject must stand in the question, letter by letter"
            );
        if (target.Length == 0)
            Wrong("has an empty target", "give a sentence that the model shall answer");
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    // A context prefix stands in the user's turn, right before the question's first token; a lone space that
    // SentencePiece puts there belongs to the question.
    private static int PrefixAt(Checkpoint checkpoint, IReadOnlyList<TokenSpan> prompt, int questionStart) =>
        prompt
            .Index()
            .Skip(checkpoint.BosId is null ? 0 : 1)
            .First(p => p.Item.Start >= questionStart || p.Item.End > questionStart)
            .Index;

    // (C) The ids that follow the prompt where both are encoded together.
    private static IReadOnlyList<int> InContext(Checkpoint checkpoint, string question, string text, bool end, bool raw)
    {
        var row = checkpoint.Row(question, text, end, raw);
        return [.. row.Ids.Skip(row.LabelStart)];
    }

    // (R) t = enc(" " + y) is scored against a row that holds the text of t without its last token, encoded once more.
    private static (IReadOnlyList<int> Target, IReadOnlyList<int> Tail) RoundTrip(
        Checkpoint checkpoint,
        string question,
        string text,
        bool end,
        bool raw
    )
    {
        var t = checkpoint.Tokenizer.Encode(text).ToList();
        if (end)
        {
            // The reference never ends a target. Where one is wanted, all of t stands in the row and the end of the
            // turn is asked for last.
            var whole = InContext(checkpoint, question, checkpoint.Tokenizer.Decode(t), end: false, raw);
            return ([.. t, checkpoint.EndId], whole);
        }
        return (t, InContext(checkpoint, question, checkpoint.Tokenizer.Decode(t.Take(t.Count - 1)), end: false, raw));
    }

    private static IReadOnlyList<TokenSpan> Essence(Checkpoint checkpoint, string subject)
    {
        var spans = checkpoint.Tokenizer.EncodeWithOffsets(subject + " is a");
        return checkpoint.BosId is { } bos ? [new TokenSpan(bos, 0, 0), .. spans] : spans;
    }

    // Index of the last token whose characters include the given one: where tokens share a character, the one that
    // completes it (defect S5).
    private static int LastOver(IReadOnlyList<TokenSpan> spans, int character)
    {
        for (var i = spans.Count - 1; i >= 0; i--)
            if (spans[i].Start <= character && character < spans[i].End)
                return i;
        throw new ArgumentException($"No token holds character {character} of the prompt.", nameof(spans));
    }
}

/// <summary>Where in a prompt a fact is looked up.</summary>
public enum SubjectMode
{
    /// <summary>At the last token of the subject the data set names: the methods as designed.</summary>
    Annotated,

    /// <summary>At the last token of the question, whose whole text is the subject.</summary>
    WholePrompt,

    /// <summary>
    /// At the last token of the prompt, template included; the essence sentence is made from the question.
    /// </summary>
    LastToken,
}

/// <summary>How the ids of a target are found.</summary>
public enum TargetIdsMode
{
    /// <summary>Prompt and target are encoded together and cut at the border: what the model will see.</summary>
    Offsets,

    /// <summary>
    /// The target is encoded by itself with a space in front, and scored against its own text encoded again: the
    /// reference. In SentencePiece vocabularies a lone space comes first (defect S1).
    /// </summary>
    TextRoundTrip,
}

/// <summary>What stands between prompt and target.</summary>
public static class Joins
{
    /// <summary>
    /// The text in force: what is asked for, else the format's own, which is nothing after a chat template and one
    /// space after a bare question. The reference's reading of a target (<see cref="TargetIdsMode.TextRoundTrip"/>) has
    /// a space of its own in either.
    /// </summary>
    public static string Of(PromptFormat format, string? join) => join ?? (format == PromptFormat.Raw ? " " : "");
}

/// <summary>How a question is put while it is edited.</summary>
public enum PromptFormat
{
    /// <summary>In the model's chat template, as it is evaluated.</summary>
    Chat,

    /// <summary>By itself, as the reference edits.</summary>
    Raw,
}
