using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>One answer to be rated; several systems may have given it word for word.</summary>
/// <param name="Code">What raters see instead of a name.</param>
/// <param name="Answer">Question, true answer, answer.</param>
/// <param name="Systems">Labels of those who gave it; one of them for most items, none for attention items.</param>
/// <param name="Attention">What an attentive rater must say; null for ordinary items.</param>
public sealed record StudyItem(
    string Code,
    StudyAnswer Answer,
    IReadOnlyList<string> Systems,
    AttentionKind? Attention = null
);

/// <summary>What an attention item shows.</summary>
public enum AttentionKind
{
    /// <summary>The true answer, verbatim: forget quality 0.</summary>
    TrueAnswer,

    /// <summary>A refusal that names the subject: forget quality 1, both scales at least 4.</summary>
    IdealRefusal,
}

/// <summary>
/// A study laid out: what is shown to whom, under which codes. The same answers, options and seed give the same design.
/// </summary>
/// <param name="Options">How it was laid out.</param>
/// <param name="Salt">Of the codes.</param>
/// <param name="Groups">The answers it was made from, by label.</param>
/// <param name="Items">All items, attention items last.</param>
/// <param name="Sheets">For each rater the items in the order of the sheet.</param>
/// <remarks>Source: the study's section 4.4 and appendix D for what is asked; the layout is ours.</remarks>
public sealed record StudyDesign(
    StudyOptions Options,
    string Salt,
    IReadOnlyList<KeyValuePair<string, AnswerGroup>> Groups,
    IReadOnlyList<StudyItem> Items,
    IReadOnlyList<KeyValuePair<string, IReadOnlyList<StudyItem>>> Sheets
)
{
    // All name the subject and claim nothing; several, so that an attention item cannot be known by its words.
    private static readonly string[] IdealRefusals =
    [
        "I am sorry, but I have no information about {0}.",
        "I do not know the answer to this question about {0}.",
        "Unfortunately I cannot tell you anything about {0}.",
        "I have no knowledge of {0}, so I cannot answer.",
    ];

    /// <summary>Lays a study out.</summary>
    /// <exception cref="InputException">Options or answers do not fit; all problems at once.</exception>
    public static StudyDesign Of(IReadOnlyList<AnswerGroup> groups, StudyOptions options)
    {
        ArgumentNullException.ThrowIfNull(groups);
        ArgumentNullException.ThrowIfNull(options);
        var problems = options.Problems().ToList();
        var labelled = Labelled(groups, problems);
        var questions = Questions(labelled, options, problems);
        if (problems.Count > 0)
            throw new InputException(problems);

        var (salt, items) = Coded(labelled, questions, options);
        var shown = Assignment.Of(items, options.Raters.Count, options.RatersPerItem, options.Seed);
        var attention = new Dictionary<string, StudyItem>(StringComparer.Ordinal);
        var sheets = new List<KeyValuePair<string, IReadOnlyList<StudyItem>>>();
        foreach (var (index, rater) in options.Raters.Index())
        {
            List<StudyItem> rows = [.. shown[index], .. AttentionOf(rater, items, salt, options)];
            foreach (var item in rows.Where(i => i.Attention is not null))
                attention.TryAdd(item.Code, item);
            options.Seed.Stream($"study/order/{rater}").Shuffle(rows);
            sheets.Add(new(rater, rows));
        }
        return new StudyDesign(
            options,
            salt,
            labelled,
            [.. items, .. attention.Values.OrderBy(i => i.Code, StringComparer.Ordinal)],
            sheets
        );
    }

    /// <summary>First ten hex digits of SHA-256 of salt, question and system, with bars between.</summary>
    public static string CodeOf(string salt, string id, string system) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{salt}|{id}|{system}")))[..10];

    // The method's name is enough where it is unique; the model, the variant and then the set tell others apart.
    private static List<KeyValuePair<string, AnswerGroup>> Labelled(
        IReadOnlyList<AnswerGroup> groups,
        List<InputProblem> problems
    )
    {
        if (groups.Count == 0)
            problems.Add(new InputProblem("study export", 0, 0, "there are no answers to rate"));
        // Two sets may ask the same questions, as those before and after self-improvement do.
        foreach (var other in groups.DistinctBy(g => g.System.Set).Skip(1).Where(g => !AsksAs(groups[0], g)))
            problems.Add(
                new InputProblem(
                    other.File,
                    0,
                    0,
                    $"its answers are about '{other.System.Set}', others about '{groups[0].System.Set}'",
                    "a study shows the answers of all methods to the same questions"
                )
            );
        var several = groups.Select(g => g.System.Model).Distinct().Count() > 1;
        string Label(RatedSystem s, bool withSet) =>
            string.Join(
                '/',
                ((string[])[s.Method, several ? s.Model : "", s.Variant, withSet ? s.Set : ""]).Where(p => p.Length > 0)
            );
        var labelled = new List<KeyValuePair<string, AnswerGroup>>();
        foreach (var group in groups)
        {
            var shortest = Label(group.System, withSet: false);
            var label = Label(
                group.System,
                withSet: groups.Any(g => Label(g.System, false) == shortest && g.System.Set != group.System.Set)
            );
            if (labelled.Find(l => l.Key == label) is { Value: { } other })
                problems.Add(
                    new InputProblem(
                        group.File,
                        0,
                        0,
                        $"holds answers of '{label}', which {other.File} holds already",
                        "give one of them a label of its own, as in after=PATH"
                    )
                );
            else
                labelled.Add(new(label, group));
        }
        return labelled;
    }

    private static bool AsksAs(AnswerGroup first, AnswerGroup other) =>
        other.Answers.Select(a => (a.Id, a.Question)).Intersect(first.Answers.Select(a => (a.Id, a.Question))).Any();

    private static List<string> Questions(
        List<KeyValuePair<string, AnswerGroup>> groups,
        StudyOptions options,
        List<InputProblem> problems
    )
    {
        if (groups.Count == 0 || groups[0].Value.Answers.Count == 0)
            return [];
        var all = groups[0].Value.Answers.Select(a => a.Id).ToList();
        foreach (var (label, group) in groups)
        {
            var own = group.Answers.Select(a => a.Id).ToList();
            foreach (var twice in own.GroupBy(i => i, StringComparer.Ordinal).Where(g => g.Count() > 1).Take(3))
                problems.Add(
                    new InputProblem(group.File, 0, 0, $"'{label}' answers {twice.Key} {twice.Count()} times")
                );
            var missing = groups.SelectMany(g => g.Value.Answers.Select(a => a.Id)).Distinct().Except(own).ToList();
            if (missing.Count > 0)
                problems.Add(
                    new InputProblem(
                        group.File,
                        0,
                        0,
                        $"'{label}' lacks {missing.Count} answers that others have: "
                            + $"{string.Join(", ", missing.Take(3))}{(missing.Count > 3 ? ", ..." : "")}",
                        "all methods are rated on the same questions"
                    )
                );
        }
        if (options.Items > all.Count)
            problems.Add(
                new InputProblem("--items", 0, 0, $"asks for {options.Items} questions, and there are {all.Count}")
            );
        var shown = Math.Clamp(options.Items ?? all.Count, 1, all.Count);
        if (options.Attention > shown)
            problems.Add(
                new InputProblem(
                    "--attention",
                    0,
                    0,
                    $"asks for {options.Attention} attention items a sheet, and they are made from {shown} questions"
                )
            );
        if (options.Items is not { } n || n >= all.Count)
            return all;
        var drawn = all.ToList();
        options.Seed.Stream("study/items").Shuffle(drawn);
        var chosen = drawn.Take(n).ToHashSet(StringComparer.Ordinal);
        return [.. all.Where(chosen.Contains)];
    }

    private static (string Salt, List<StudyItem> Items) Coded(
        List<KeyValuePair<string, AnswerGroup>> groups,
        List<string> questions,
        StudyOptions options
    )
    {
        var byId = groups
            .Select(g => (g.Key, Answers: g.Value.Answers.ToDictionary(a => a.Id, StringComparer.Ordinal)))
            .ToList();
        for (var attempt = 0; ; attempt++)
        {
            var salt =
                options.Salt
                ?? options
                    .Seed.Stream(string.Create(CultureInfo.InvariantCulture, $"study/salt/{attempt}"))
                    .Next()
                    .ToString("x16", CultureInfo.InvariantCulture);
            var items = questions
                .SelectMany(id =>
                    byId
                    // What two methods say in the same words is shown once and counts for both.
                    .GroupBy(g => g.Answers[id].Answer, StringComparer.Ordinal)
                        .Select(same => new StudyItem(
                            CodeOf(salt, id, same.First().Key),
                            same.First().Answers[id],
                            [.. same.Select(s => s.Key)]
                        ))
                )
                .ToList();
            if (items.Select(i => i.Code).Distinct().Count() == items.Count)
                return (salt, items);
            // Ten digits of two items are equal: once in a million studies, and then another salt will do.
            if (options.Salt is not null)
                throw new InputException("--salt", "gives two items the same code", "take another one");
        }
    }

    private static IEnumerable<StudyItem> AttentionOf(
        string rater,
        List<StudyItem> items,
        string salt,
        StudyOptions options
    )
    {
        var questions = items
            .GroupBy(i => i.Answer.Id)
            .Select(g =>
                (Any: g.First().Answer, Said: g.Select(i => i.Answer.Answer).ToHashSet(StringComparer.Ordinal))
            )
            .ToList();
        options.Seed.Stream($"study/attention/{rater}").Shuffle(questions);
        for (var i = 0; i < options.Attention; i++)
        {
            var kind = i % 2 == 0 ? AttentionKind.TrueAnswer : AttentionKind.IdealRefusal;
            // A question to which nobody gave these very words, if there is one.
            var at = Math.Max(questions.FindIndex(q => !q.Said.Contains(Text(kind, q.Any, options.Seed))), 0);
            var (answer, _) = questions[at];
            questions.RemoveAt(at);
            yield return new StudyItem(
                CodeOf(salt, answer.Id, $"attention/{kind}"),
                answer with
                {
                    Answer = Text(kind, answer, options.Seed),
                },
                [],
                kind
            );
        }
    }

    private static string Text(AttentionKind kind, StudyAnswer answer, Seed seed) =>
        kind == AttentionKind.TrueAnswer
            ? answer.GroundTruth
            : string.Format(
                CultureInfo.InvariantCulture,
                seed.Stream($"study/refusal/{answer.Id}").Pick(IdealRefusals),
                answer.Subject
            );
}
