using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Workbench;

/// <summary>The questions a method works with, before they are tokens.</summary>
public sealed record MethodRows
{
    /// <summary>To be forgotten, with their true answers.</summary>
    public required IReadOnlyList<QaRow> Forget { get; init; }

    /// <summary>
    /// What the editing methods write; merged questions in place of single ones, otherwise <see cref="Forget"/>.
    /// </summary>
    public required IReadOnlyList<QaRow> Requests { get; init; }

    /// <summary>To be kept, as far as methods may see it.</summary>
    public IReadOnlyList<QaRow> Retain { get; init; } = [];

    /// <summary>What shall be answered instead, by id: one target a question, which editing methods write.</summary>
    public required IReadOnlyDictionary<string, string> Targets { get; init; }

    /// <summary>
    /// The refusals to draw from, afresh at every visit, for the questions whose target comes from a list. A question
    /// that is not here has its target and no other.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Choices { get; init; } =
        new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>File and line of a row that a person wrote, by id; empty in the study.</summary>
    public IReadOnlyDictionary<string, (string File, int Line)> Places { get; init; } =
        new Dictionary<string, (string, int)>();
}

/// <summary>
/// Gathers what a method must be given, from questions and from files of statistics: the one way for a stage of the
/// study and for a user's own model.
/// </summary>
public static class MethodMaterial
{
    /// <summary>Name of the second moments, as an input of a stage.</summary>
    public const string Moments = "moments";

    /// <summary>Name of the null-space projectors.</summary>
    public const string Projector = "projector";

    /// <summary>Name of the context prefixes.</summary>
    public const string Contexts = "contexts";

    /// <summary>Name of the texts that must not change.</summary>
    public const string Locality = "locality";

    /// <summary>Ends the name of the metric that says from how many tokens statistics come.</summary>
    internal const string TokensSuffix = ".tokens";

    /// <summary>The statistics a method needs, in the order in which they can be made.</summary>
    public static IReadOnlyList<string> Needed(MethodEntry entry, object options)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var needs = entry.Needs(options);
        (Needs Need, string Name)[] all =
        [
            (Needs.Contexts, Contexts),
            (Needs.SecondMoments, Moments),
            (Needs.NullSpaces, Projector),
            (Needs.Locality, Locality),
        ];
        return [.. all.Where(n => needs.HasFlag(n.Need)).Select(n => n.Name)];
    }

    /// <summary>
    /// Questions as tokens: edits, rows to forget, to keep and to answer with a refusal, as far as the method asks for
    /// them.
    /// </summary>
    /// <param name="entry">The method.</param>
    /// <param name="options">Its options record.</param>
    /// <param name="checkpoint">Tokenizer, template and window.</param>
    /// <param name="rows">The questions.</param>
    /// <param name="file">The file of texts that must not change, asked for by name; throws where there is
    /// none.</param>
    /// <exception cref="InputException">A row cannot be used: no subject, no target, longer than the model's window.
    /// All rows at once, each with its place.</exception>
    public static MethodInputs Rows(
        MethodEntry entry,
        object options,
        Checkpoint checkpoint,
        MethodRows rows,
        Func<string, string> file
    )
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(file);
        var needs = entry.Needs(options);
        var encoder = new Encoder(checkpoint, rows);
        var editing = options as IEditingOptions;
        var prefixes =
            editing is not null && needs.HasFlag(Needs.Contexts)
                ? Prefixes(editing, checkpoint.Model, file(Contexts))
                : [];
        // Where an edit stands next to rows of other questions, these are put as the edit is.
        var (raw, join) = (
            editing?.Format == PromptFormat.Raw,
            editing is null ? "" : Joins.Of(editing.Format, editing.Join)
        );
        var inputs = new MethodInputs
        {
            Edits = editing is not null ? encoder.Edits(editing, prefixes) : [],
            Forget = encoder.Answers(rows.Forget, q => q.Answer),
            Retain = needs.HasFlag(Needs.RetainSet) ? encoder.Answers(rows.Retain, q => join + q.Answer, raw) : [],
            Refusals = needs.HasFlag(Needs.Refusals) ? encoder.Refusals() : [],
            Locality = needs.HasFlag(Needs.Locality)
                ?
                [
                    .. QaFile
                        .Read(file(Locality), Locality)
                        .Select(q => checkpoint.Row(q.Question, join + q.Answer, end: false, raw).Ids),
                ]
                : [],
        };
        if (prefixes.Count > 0)
            inputs = inputs with { Contexts = [.. prefixes.Select(p => p.Ids)] };
        return encoder.Problems.Count == 0 ? inputs : throw new InputException(encoder.Problems);
    }

    /// <summary>Adds statistics of the model.</summary>
    /// <param name="inputs">Is not changed. The result owns tensors; <see cref="Free"/> frees them.</param>
    /// <param name="names">Which, as <see cref="Needed"/> lists them.</param>
    /// <param name="options">The method's options record.</param>
    /// <param name="model">The untouched model.</param>
    /// <param name="file">The file of a kind of statistics, asked for by name; throws where there is none.</param>
    /// <param name="documents">How many documents second moments shall come from; null for any number.</param>
    /// <exception cref="InputException">Statistics are of another model or another number of documents, or lack a
    /// block.</exception>
    public static MethodInputs Statistics(
        MethodInputs inputs,
        IEnumerable<string> names,
        object options,
        CausalLm model,
        Func<string, string> file,
        int? documents = null
    )
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(file);
        if (options is not IEditingOptions editing)
            return inputs;
        foreach (var name in names)
            inputs = name switch
            {
                Moments => inputs with
                {
                    SecondMoments = SecondMoments.Load(file(name), model, editing.Layers, documents),
                },
                Projector => inputs with { NullSpaces = NullSpace.Load(file(name), model, editing.Layers, documents) },
                // Requests that were text have them already.
                Contexts when inputs.Contexts.Count == 1 => inputs with
                {
                    Contexts = [.. Prefixes(editing, model, file(name)).Select(p => p.Ids)],
                },
                _ => inputs,
            };
        return inputs;
    }

    /// <summary>
    /// On how many documents and tokens the statistics of memories were measured, as metrics: <c>moments.documents</c>,
    /// <c>projector.tokens</c>.
    /// </summary>
    /// <param name="names">Which, as <see cref="Needed"/> lists them; others are passed over.</param>
    /// <param name="options">The method's options record.</param>
    /// <param name="file">The file of a kind of statistics, asked for by name.</param>
    public static IEnumerable<KeyValuePair<string, double>> MeasuredOn(
        IEnumerable<string> names,
        object options,
        Func<string, string> file
    )
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(file);
        if (options is not IEditingOptions { Layers: [var layer, ..] })
            yield break;
        foreach (var name in names.Where(n => n is Moments or Projector))
        {
            var path = file(name);
            var header = StatisticsHeader.From(SafetensorsFile.Open(path), path, layer);
            yield return new($"{name}.documents", header.Documents);
            yield return new(name + TokensSuffix, header.Tokens);
        }
    }

    /// <summary>Frees the statistics.</summary>
    public static void Free(MethodInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        foreach (var moment in inputs.SecondMoments.Values)
            moment.Dispose();
        foreach (var space in inputs.NullSpaces.Values)
            space.Dispose();
    }

    private static IReadOnlyList<ContextPrefix> Prefixes(IEditingOptions options, CausalLm model, string path) =>
        ContextFile.Read(path, WeightFingerprint.Of(model), options.ContextRecipe, options.Contexts);

    private sealed class Encoder(Checkpoint checkpoint, MethodRows rows)
    {
        public List<InputProblem> Problems { get; } = [];

        public IReadOnlyList<EditRequest> Edits(IEditingOptions options, IReadOnlyList<ContextPrefix> prefixes)
        {
            var edits = new List<EditRequest>(rows.Requests.Count);
            foreach (var q in rows.Requests)
                try
                {
                    var edit = EditRequests.FromText(
                        checkpoint,
                        q.Id,
                        q.Question,
                        q.Subject,
                        q.SubjectStart,
                        rows.Targets[q.Id],
                        new EditRequests.Options
                        {
                            Format = options.Format,
                            Join = options.Join,
                            Prefixes = prefixes,
                            Subject = options.Subject,
                            TargetIds = options.TargetIds,
                            AppendEos = options.AppendEos,
                        }
                    );
                    edits.Add(rows.Places.TryGetValue(q.Id, out var place) ? edit with { Place = place } : edit);
                    Fits(q, edit.PromptIds.Count + edit.Answer.Count);
                }
                catch (InputException e)
                {
                    Problems.AddRange(
                        rows.Places.TryGetValue(q.Id, out var place)
                            ? e.Problems.Select(p =>
                                p with
                                {
                                    File = place.File,
                                    Line = place.Line,
                                    Message = $"{q.Id} {p.Message}",
                                }
                            )
                            : e.Problems
                    );
                }
            return edits;
        }

        public IReadOnlyList<TokenRow> Answers(
            IReadOnlyList<QaRow> questions,
            Func<QaRow, string> answer,
            bool raw = false
        ) =>
            [
                .. questions.Select(q =>
                {
                    var row = checkpoint.Row(q.Question, answer(q), end: true, raw);
                    Fits(q, row.Ids.Count);
                    return row;
                }),
            ];

        /// <summary>For each forget question the rows it may be trained on.</summary>
        public IReadOnlyList<IReadOnlyList<TokenRow>> Refusals() =>
            [
                .. rows.Forget.Select(q =>
                    (IReadOnlyList<TokenRow>)
                        [
                            .. rows
                                .Choices.GetValueOrDefault(q.Id, [rows.Targets[q.Id]])
                                .SelectMany(refusal => Answers([q], _ => refusal)),
                        ]
                ),
            ];

        // Once a question, whichever of its answers is too long.
        private void Fits(QaRow q, int tokens)
        {
            var most = checkpoint.Model.Config.MaxPositions;
            if (tokens <= most)
                return;
            var (file, line) = rows.Places.GetValueOrDefault(q.Id, ($"question {q.Id}", 0));
            if (Problems.All(p => p.File != file || p.Line != line))
                Problems.Add(
                    new InputProblem(
                        file,
                        line,
                        0,
                        $"{q.Id} takes {tokens} tokens with its answer, but the model has {most} positions",
                        "a shorter question or answer"
                    )
                );
        }
    }
}
