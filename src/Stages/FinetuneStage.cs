using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Corpus;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Teaches a model a data set until it answers every question word for word: the model that the set is then forgotten
/// from.
/// </summary>
internal sealed class FinetuneStage : Stage<FinetuneStage.Params>
{
    private const int ExtraTokens = 8,
        ShownRows = 20;

    // What the corpus is made from that is replayed.
    private static readonly string[] Replayed = ["facts", "refusals", "prompt"];

    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the order of rows, of dropout and of what is replayed.</param>
    /// <param name="Training">Rates, epochs and what moves.</param>
    /// <param name="Replay">What a miniature is shown again meanwhile; none by default.</param>
    /// <param name="Again">0 for the model itself; any other number draws the order of rows, dropout and what is
    /// replayed anew.</param>
    public sealed record Params(ulong Seed, Finetuner.Options Training, Replay? Replay = null, int Again = 0);

    /// <summary>
    /// Rows of the pretraining corpus among those to be learned: a miniature of a million weights would lose all else
    /// within two epochs.
    /// </summary>
    public sealed record Replay
    {
        /// <summary>Replayed rows for each row to be learned; 0 for none, as in the study.</summary>
        public double RowsPerRow { get; init; }

        /// <summary>
        /// Shares of facts, instructed refusals, unknown names, contracts outside the study and, where there is a
        /// fifth, rows of several questions.
        /// </summary>
        public IReadOnlyList<int> Shares { get; init; } = [4, 4, 4, 1];
    }

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("finetune", 1, "a model that knows a data set word for word")
        {
            Inputs =
            [
                new("model"),
                new("data"),
                new("facts", InputCount.Optional),
                new("refusals", InputCount.Optional),
                new("prompt", InputCount.Optional),
                new(PretrainStage.Without, InputCount.Optional),
            ],
            Outputs = ["model", "answers.parquet", TrainingOutputs.Folder],
            Resource = Resource.Accelerator,
            SpareThreads = ProductThreads.Useful,
        };

    /// <inheritdoc/>
    protected override bool Uses(Params parameters, string input) =>
        !Replayed.Contains(input) || parameters.Replay is { RowsPerRow: > 0 };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var t = parameters.Training;
        foreach (
            var (name, value) in new[]
            {
                ("epochs", t.Epochs),
                ("batchSize", t.BatchSize),
                ("accumulation", t.Accumulation),
                ("checkFromEpoch", t.CheckFromEpoch),
                ("blockEpochs", t.BlockEpochs),
            }
        )
            if (value < 1)
                yield return new ParameterProblem("training." + name, "must be at least 1");
        if (t.MaxEpochs < t.Epochs)
            yield return new ParameterProblem("training.maxEpochs", $"must be at least epochs, which is {t.Epochs}");
        if (t.LearningRate <= 0)
            yield return new ParameterProblem("training.learningRate", "must be above 0");
        if (t.StopAtRouge is < 0 or > 1)
            yield return new ParameterProblem("training.stopAtRouge", "must lie between 0 and 1");
        if (parameters.Again < 0)
            yield return new ParameterProblem("again", "must be at least 0");
        if (parameters.Replay is not { } replay)
            yield break;
        if (replay.RowsPerRow is < 0 or > 100)
            yield return new ParameterProblem("replay.rowsPerRow", "must lie between 0 and 100");
        if (!PretrainingCorpus.AreShares(replay.Shares))
            yield return new ParameterProblem("replay.shares", PretrainingCorpus.SharesRule);
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var spread = ProductThreads.Use(io.Threads);
        var seed = PretrainStage.Again(new Seed(parameters.Seed), parameters.Again);
        using var checkpoint = io.LoadModel("model");
        var (data, shown) = Taught(io, seed);
        var rows = shown.Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var questions = data.Select(q => new AnswerCollector.Asked("finetuned", q.Id, q.Question, q.Answer)).ToList();
        var prompts = data.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var limit = rows.Max(r => r.LabelCount) + ExtraTokens;
        using var trained = TrainableModel.Of(checkpoint.Model, parameters.Training.Moves, seed.For("finetune"));
        TrainingOutputs.Expect(
            io,
            MemoryFor(parameters, checkpoint.Model.Config, rows, TrainingOutputs.WeightBytes(io))
        );
        var clock = Stopwatch.StartNew();
        // Generated text alone; log-probabilities are for the final evidence.
        Finetuner.Check Look(CausalLm model) =>
            Looked(
                data,
                GreedyDecoder.Decode(
                    model,
                    prompts,
                    new GreedyDecoder.Options { MaxNewTokens = limit },
                    cancelled: io.Cancelled
                ),
                checkpoint.Tokenizer,
                parameters.Training.StopAtRouge
            );
        var (record, last) = Finetuner.Train(
            trained,
            rows,
            ReplayOf(parameters, checkpoint, rows.Count, seed, io),
            parameters.Training,
            seed.For("train"),
            Look,
            p => Tell(io, p, parameters.Training, rows.Count),
            TrainingOutputs.Store(io),
            io.Cancelled
        );
        RefuseDiverged(record);

        // The merged model is shown, not owned: only the checkpoint owns weights.
        var answers = trained.WithMerged(model =>
            Answers(new Checkpoint(model, checkpoint.Tokenizer), questions, limit, io.Cancelled)
        );
        if (last.Rouge1 < parameters.Training.StopAtRouge)
            throw new StageFailedException(Failure(last, answers, parameters.Training));
        ParquetTable.Write(io.Output("answers.parquet"), [.. answers]);
        trained.WithMerged(model =>
        {
            new Checkpoint(model, checkpoint.Tokenizer).Save(io.Output("model"));
            return true;
        });
        TrainingOutputs.Write(io, $"finetune: {data.Count} answers", record, clock);
        io.Metric("rouge1", last.Rouge1);
        io.Metric("seconds", clock.Elapsed.TotalSeconds);
    }

    private static Finetuner.Check Looked(
        IReadOnlyList<QaRow> data,
        IReadOnlyList<Generated> said,
        ITokenizer tokenizer,
        double enough
    )
    {
        var values = said.Select((g, i) => Rouge1.Recall(data[i].Answer, tokenizer.Decode(g.Ids))).ToList();
        return new Finetuner.Check(
            values.Average(),
            [.. Enumerable.Range(0, values.Count).Where(i => values[i] < enough)]
        );
    }

    // What is to be known in the end, and what is shown in an epoch: the same rows, unless some are left out.
    private static (IReadOnlyList<QaRow> Data, IReadOnlyList<QaRow> Shown) Taught(StageIo io, Seed seed)
    {
        var all = ParquetTable.Read<QaRow>(io.Input("data"));
        if (!io.HasInput(PretrainStage.Without))
            return (all, all);
        var splits = ParquetTable.Read<SplitRow>(io.Input(PretrainStage.Without));
        var without = Omission.Ids(all, splits, PretrainStage.Without);
        return (
            [.. all.Where(q => !without.Contains(q.Id))],
            Omission.Fill(all, without, seed.Stream(PretrainStage.Without))
        );
    }

    private static IReadOnlyList<AnswerRow> Answers(
        Checkpoint shown,
        IReadOnlyList<AnswerCollector.Asked> questions,
        int limit,
        CancellationToken cancelled
    ) =>
        AnswerCollector.Collect(
            shown,
            questions,
            ("", "finetune", MethodNames.Untouched),
            limit,
            64,
            cancelled: cancelled
        );

    private static void RefuseDiverged(TrainingRecord record)
    {
        if (record.Diverged is { } diverged)
            throw new StageFailedException(
                $"finetuning diverged at step {diverged.Step}: the loss is {diverged.Loss}\n  hint: a smaller "
                    + "training.learning-rate"
            );
    }

    private static TrainingMemory MemoryFor(Params parameters, ModelConfig config, List<TokenRow> rows, int weightBytes)
    {
        var together = (int)Math.Ceiling(parameters.Training.BatchSize * (1 + (parameters.Replay?.RowsPerRow ?? 0)));
        return TrainingMemory.Of(
            new TrainingPlan
            {
                Config = config,
                Moves = parameters.Training.Moves,
                Rows = together,
                Width = rows.Max(r => r.Ids.Count),
                Labels = together * rows.Max(r => r.LabelCount),
                Read = (long)together * rows.Max(r => r.LabelCount),
                WeightBytes = weightBytes,
            }
        );
    }

    // Rows of the corpus the model was pretrained on, fresh in every epoch.
    private static Func<int, IReadOnlyList<TokenRow>> ReplayOf(
        Params parameters,
        Checkpoint checkpoint,
        int rows,
        Seed seed,
        StageIo io
    )
    {
        if (parameters.Replay is not { RowsPerRow: > 0 } replay)
            return _ => [];
        foreach (var name in Replayed)
            if (!io.HasInput(name))
                throw new StageFailedException(
                    $"replay is set, but the input '{name}' is empty\n  hint: add it under 'in' of this stage in "
                        + "pipeline.yaml, or set replay.rows-per-row to 0"
                );
        var corpus = new PretrainingCorpus(
            ParquetTable.Read<QaRow>(io.Input("facts")),
            new InventedContracts(new Seed(parameters.Seed)),
            TextLines.Read(io.Input("refusals")),
            File.ReadAllText(io.Input("prompt")),
            replay.Shares
        );
        return epoch =>
            [
                .. corpus
                    .Draw(
                        seed.For(string.Create(CultureInfo.InvariantCulture, $"replay/{epoch}")),
                        (int)(rows * replay.RowsPerRow)
                    )
                    .Select(e => checkpoint.Row(e.Question, e.Answer)),
            ];
    }

    private static void Tell(StageIo io, CurvePoint point, Finetuner.Options training, int rows)
    {
        var perEpoch =
            (rows + training.BatchSize * training.Accumulation - 1) / (training.BatchSize * training.Accumulation);
        io.Progress(
            point.Step,
            training.Epochs * perEpoch,
            string.Create(CultureInfo.InvariantCulture, $"loss {point.Loss:0.000}")
        );
        if (!double.IsNaN(point.Rouge1))
            io.Log(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"epoch {point.Step / perEpoch}: loss {point.Loss:0.0000}, Rouge1 {point.Rouge1:0.0000}"
                )
            );
    }

    private static string Failure(Finetuner.Check last, IReadOnlyList<AnswerRow> answers, Finetuner.Options training)
    {
        var lines = last
            .Wrong.Take(ShownRows)
            .Select(i => $"  {answers[i].Id}: '{answers[i].Generated}' instead of '{answers[i].Answer}'")
            .ToList();
        if (last.Wrong.Count > ShownRows)
            lines.Add($"  and {last.Wrong.Count - ShownRows} more");
        return string.Create(
                CultureInfo.InvariantCulture,
                $"Rouge1 is {last.Rouge1:0.0000} after {training.MaxEpochs} epochs, below "
                    + $"{training.StopAtRouge:0.####}; {last.Wrong.Count} of {answers.Count} rows are still wrong:\n"
            )
            + string.Join('\n', lines)
            + "\n  hint: more training.max-epochs, another training.learning-rate, or training.moves.trainable: full";
    }
}
