using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Data.Corpus;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Asks an untouched miniature whether it is worth editing: does it know its facts, also in other words, and does it
/// refuse by name what nobody told it.
/// </summary>
internal sealed class QualityStage : Stage<QualityStage.Params>
{
    /// <summary>Rouge1 on trained phrasings below which an edit would mean nothing.</summary>
    public const double TrainedBound = 0.95;

    /// <summary>Rouge1 on held-out phrasings below which a rephrased split would mean nothing.</summary>
    public const double HeldOutBound = 0.85;

    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the unknown names.</param>
    /// <param name="Unknown">How many unknown names are asked about.</param>
    /// <param name="MaxNewTokens">Limit of an answer.</param>
    public sealed record Params(ulong Seed, int Unknown = 100, int MaxNewTokens = 48);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("quality", 1, "whether a miniature is worth editing")
        {
            Inputs = [new("model"), new("facts"), new("taught", InputCount.Optional), new("refusals"), new("prompt")],
            Outputs = ["answers.parquet", "means.parquet"],
            Resource = Resource.Accelerator,
            OnOutOfMemory = AskedTogether.Fallback,
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        var facts = ParquetTable.Read<QaRow>(io.Input("facts"));
        var taught = io.HasInput("taught") ? ParquetTable.Read<QaRow>(io.Input("taught")) : [];
        var invented = new InventedContracts(new Seed(parameters.Seed));
        var corpus = new PretrainingCorpus(
            facts,
            invented,
            Data.TextLines.Read(io.Input("refusals")),
            File.ReadAllText(io.Input("prompt")),
            [1, 1, 1, 1]
        );
        var stream = new Seed(parameters.Seed).Stream("quality");
        var clauses = invented.Unseen("quality");
        var unseen = Enumerable.Range(0, parameters.Unknown).Select(_ => clauses.Next()).ToList();
        var unknown = Enumerable.Range(0, parameters.Unknown).Select(_ => corpus.Unknown(stream, test: true)).ToList();
        var asked = new Material(facts, taught, unseen, unknown);
        var questions = Questions(asked, corpus);
        var answers = AnswerCollector.Said(
            checkpoint,
            questions,
            ("", "quality", MethodNames.Untouched),
            parameters.MaxNewTokens,
            AskedTogether.Rows(io),
            done => io.Progress(done, questions.Count),
            io.Cancelled
        );
        var means = Scores.Means(Scores.Of(answers, new Scores.Run("quality")), new Seed(parameters.Seed));
        ParquetTable.Write(io.Output("answers.parquet"), [.. answers]);
        ParquetTable.Write(io.Output("means.parquet"), [.. means]);
        TellKnown(io, means);
        TellRefusals(io, answers, asked);
        WarnOfLittle(io, means);
    }

    // What is asked about: facts and clauses that were taught, clauses and names that were not.
    private sealed record Material(
        IReadOnlyList<QaRow> Facts,
        IReadOnlyList<QaRow> Taught,
        IReadOnlyList<(string Question, string Subject)> Unseen,
        IReadOnlyList<(string Question, string Subject)> Unknown
    );

    private static List<AnswerCollector.Asked> Questions(Material asked, PretrainingCorpus corpus) =>
        [
            .. asked.Facts.Select(f => new AnswerCollector.Asked("trained", f.Id, f.Question, f.Answer)),
            .. asked.Facts.Select(f => new AnswerCollector.Asked("held-out", f.Id, f.Rephrasings[0], f.Answer)),
            .. asked
                .Facts.Where(f => f.Rephrasings.Count > 3)
                .Select(f => new AnswerCollector.Asked("never-trained", f.Id, f.Rephrasings[3], f.Answer)),
            .. asked.Taught.Select(c => new AnswerCollector.Asked("taught", c.Id, c.Question, c.Answer)),
            .. asked
                .Taught.Where(c => c.Rephrasings.Count > 0)
                .Select(c => new AnswerCollector.Asked("taught-rephrased", c.Id, c.Rephrasings[0], c.Answer)),
            .. asked
                .Taught.Where(c => c.Subject.Length > 0)
                .Select(c => new AnswerCollector.Asked(
                    "taught-instructed",
                    c.Id,
                    corpus.Instructed(c.Question),
                    PretrainingCorpus.Tailored(c.Subject)
                )),
            .. asked.Unseen.Select(
                (u, i) =>
                    new AnswerCollector.Asked(
                        "unseen-contracts",
                        Name(i),
                        u.Question,
                        PretrainingCorpus.Tailored(u.Subject)
                    )
            ),
            .. asked.Unseen.Select(
                (u, i) =>
                    new AnswerCollector.Asked(
                        "unseen-contracts-instructed",
                        Name(i),
                        corpus.Instructed(u.Question),
                        PretrainingCorpus.Tailored(u.Subject)
                    )
            ),
            .. asked.Unknown.Select(
                (u, i) =>
                    new AnswerCollector.Asked(
                        "unknown-instructed",
                        Name(i),
                        corpus.Instructed(u.Question),
                        PretrainingCorpus.Tailored(u.Subject)
                    )
            ),
            .. asked.Unknown.Select(
                (u, i) =>
                    new AnswerCollector.Asked("unknown", Name(i), u.Question, PretrainingCorpus.Tailored(u.Subject))
            ),
        ];

    private static void TellKnown(StageIo io, IReadOnlyList<CellScore> means)
    {
        foreach (var split in means.Select(m => m.Split).Distinct())
            io.Metric($"rouge1.{split}", Rouge1Of(means, split));
    }

    private static void TellRefusals(StageIo io, IReadOnlyList<AnswerRow> answers, Material asked)
    {
        TellRefusals(io, answers, "unknown-instructed", asked.Unknown.Select(u => u.Subject));
        TellRefusals(io, answers, "unseen-contracts", asked.Unseen.Select(u => u.Subject));
        TellRefusals(io, answers, "unseen-contracts-instructed", asked.Unseen.Select(u => u.Subject));
        TellRefusals(
            io,
            answers,
            "taught-instructed",
            asked.Taught.Where(c => c.Subject.Length > 0).Select(c => c.Subject)
        );
        io.Metric(
            "refused.trained",
            answers.Where(a => a.Split == "trained").Average(a => Refusal.Metric.Of(a)!.Value)
        );
    }

    // A refusal counts as naming its subject when every word of the name is in it.
    private static void TellRefusals(
        StageIo io,
        IReadOnlyList<AnswerRow> answers,
        string split,
        IEnumerable<string> subjects
    )
    {
        var asked = answers.Where(a => a.Split == split).Zip(subjects).ToList();
        if (asked.Count == 0)
            return;
        io.Metric($"refused.{split}", asked.Average(p => RefusalPatterns.IsRefusal(p.First.Generated, "") ? 1.0 : 0));
        io.Metric(
            $"named.{split}",
            asked.Average(p => p.First.Generated.Contains(p.Second, StringComparison.OrdinalIgnoreCase) ? 1.0 : 0)
        );
    }

    private static void WarnOfLittle(StageIo io, IReadOnlyList<CellScore> means)
    {
        foreach (var (split, bound) in new[] { ("trained", TrainedBound), ("held-out", HeldOutBound) })
            if (Rouge1Of(means, split) < bound)
                io.Warn(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Rouge1 is {Rouge1Of(means, split):0.00} on {split} phrasings, below {bound:0.00}: editing "
                            + $"this miniature says little"
                    )
                );
    }

    private static double Rouge1Of(IReadOnlyList<CellScore> means, string split) =>
        means.Single(m => m.Split == split && m.Metric == MetricNames.Rouge1 && m.Profile == ProfileNames.Strict).Mean
        ?? 0;

    private static string Name(int index) => string.Create(CultureInfo.InvariantCulture, $"unknown/{index:0000}");
}
