using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>One column of the metrics over one split.</summary>
/// <param name="Name">rouge1, prob, mrr, hit, refusal: the columns of the strict profile.</param>
/// <param name="Mean">Null where no row has a value.</param>
/// <param name="Low">Lower end of the 95 % bootstrap interval.</param>
/// <param name="High">Upper end.</param>
public sealed record ColumnMean(string Name, double? Mean, double? Low, double? High)
{
    /// <summary>As it stands in reports; five digits.</summary>
    public JsonObject ToJson() =>
        new()
        {
            ["mean"] = Number(Mean),
            ["ciLow"] = Number(Low),
            ["ciHigh"] = Number(High),
        };

    private static JsonNode? Number(double? value) =>
        value is { } v && double.IsFinite(v) ? JsonValue.Create(Math.Round(v, 5)) : null;
}

/// <summary>The metrics of one split.</summary>
/// <param name="Split">Its name.</param>
/// <param name="Questions">Rows.</param>
/// <param name="Columns">In the order of the tables.</param>
public sealed record SplitMeans(string Split, int Questions, IReadOnlyList<ColumnMean> Columns)
{
    /// <summary>As it stands in reports.</summary>
    public JsonObject ToJson() => new(Columns.Select(c => KeyValuePair.Create(c.Name, (JsonNode?)c.ToJson())));
}

/// <summary>Asks a user's questions of a user's model and takes the study's metrics of the answers.</summary>
public static class OwnQuestions
{
    private const int BatchRows = 64;

    /// <summary>Questions as they stand.</summary>
    /// <param name="split">What to call them.</param>
    /// <param name="rows">The questions.</param>
    public static IEnumerable<AnswerCollector.Asked> AsWritten(string split, IEnumerable<QaRow> rows) =>
        rows.Select(q => new AnswerCollector.Asked(split, q.Id, q.Question, q.Answer, q.Subject));

    /// <summary>The same questions in other words: every rephrasing of every question.</summary>
    public static IEnumerable<AnswerCollector.Asked> InOtherWords(IEnumerable<QaRow> rows) =>
        rows.SelectMany(q =>
            q.Rephrasings.Select(r => new AnswerCollector.Asked(SplitNames.Rephrased, q.Id, r, q.Answer, q.Subject))
        );

    /// <summary>What the numbers of some questions will not say: lines for people.</summary>
    /// <param name="checkpoint">Of the model.</param>
    /// <param name="questions">To be asked.</param>
    /// <param name="maxNewTokens">Limit of an answer.</param>
    /// <exception cref="InputException">A question does not fit into the model's positions.</exception>
    public static IReadOnlyList<string> Doubts(
        Checkpoint checkpoint,
        IReadOnlyList<AnswerCollector.Asked> questions,
        int maxNewTokens
    )
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(questions);
        var doubts = new List<string>();
        var unread = questions.Where(q => !Rouge1.CanRead(q.Answer)).Select(q => q.Id).Distinct().ToList();
        if (unread.Count > 0)
            doubts.Add(
                $"the answers of {Counted(unread)} are in a script that ROUGE does not read: Rouge1 has no value "
                    + "there, Probability has"
            );
        PromptLimits.Check(checkpoint, questions);
        var most = checkpoint.Model.Config.MaxPositions;
        var cut = questions
            .Where(q => checkpoint.Prompt(q.Question).Count + maxNewTokens > most)
            .Select(q => q.Id)
            .Distinct()
            .ToList();
        if (cut.Count > 0)
            doubts.Add(
                $"{Counted(cut)} and an answer of {maxNewTokens} tokens may go beyond the model's {most} positions, "
                    + "for which it was not trained"
            );
        return doubts;
    }

    private static string Counted(List<string> ids) =>
        $"{ids.Count} question{(ids.Count == 1 ? "" : "s")} ({string.Join(", ", ids.Take(3))}"
        + (ids.Count > 3 ? ", ..)" : ")");

    /// <summary>Asks.</summary>
    /// <param name="checkpoint">The model, with a change of weights applied.</param>
    /// <param name="questions">In the order of the rows.</param>
    /// <param name="method">For the rows: a method, or <c>none</c>.</param>
    /// <param name="maxNewTokens">Limit of an answer.</param>
    /// <param name="tap">Of a patch that is no change of weights; null for none.</param>
    /// <param name="progress">Told how many are done and how many there are.</param>
    /// <param name="cancelled">Looked at between batches.</param>
    public static IReadOnlyList<AnswerRow> Ask(
        Checkpoint checkpoint,
        IReadOnlyList<AnswerCollector.Asked> questions,
        string method,
        int maxNewTokens,
        ForwardTap? tap,
        Action<int, int>? progress,
        CancellationToken cancelled
    )
    {
        ArgumentNullException.ThrowIfNull(questions);
        return AnswerCollector.Collect(
            checkpoint,
            questions,
            ("own", "own", method),
            maxNewTokens,
            BatchRows,
            tap,
            done => progress?.Invoke(done, 2 * questions.Count),
            cancelled: cancelled
        );
    }

    /// <summary>Means of every split in the order in which they were asked, strict profile.</summary>
    /// <param name="answers">The evidence.</param>
    /// <param name="seed">Of the bootstrap.</param>
    public static IReadOnlyList<SplitMeans> Means(IReadOnlyList<AnswerRow> answers, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(answers);
        var strict = MetricProfile.Strict;
        var means = Scores
            .Means(Scores.Of(answers, new Scores.Run("own")), seed)
            .Where(m => m.Profile == strict.Name)
            .ToLookup(m => m.Split);
        return
        [
            .. answers
                .GroupBy(a => a.Split)
                .Select(split => new SplitMeans(
                    split.Key,
                    split.Count(),
                    [
                        .. strict.Columns.Select(column =>
                        {
                            var mean = means[split.Key].Single(m => m.Metric == column.Value);
                            return new ColumnMean(column.Key, mean.Mean, mean.CiLow, mean.CiHigh);
                        }),
                    ]
                )),
        ];
    }
}
