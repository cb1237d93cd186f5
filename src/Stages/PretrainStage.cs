using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Corpus;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Makes a miniature from nothing: draws its corpus, learns its tokenizer, trains its weights.</summary>
public sealed class PretrainStage : Stage<PretrainStage.Params>
{
    /// <summary>The input that says which facts are left out: splits, of which those to be forgotten.</summary>
    internal const string Without = "without";

    private const int TokenizerExamples = 20_000,
        StatisticsExamples = 2_000,
        MaxPositions = 512;

    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the corpus, which all families share, and of initial weights and batches, which each
    /// family draws for itself.</param>
    /// <param name="Family">Whose wiring and template the miniature has.</param>
    /// <param name="KvHeads">K; divides the heads. As many as heads are the attention of Llama-2-7B, fewer that of
    /// Mistral and Llama-3.1.</param>
    /// <param name="Size">Shape and training.</param>
    /// <param name="Again">0 for the model itself; any other number draws corpus, initial weights and batches anew and
    /// keeps the tokenizer, for how far two models are apart that saw the same.</param>
    public sealed record Params(ulong Seed, string Family, int KvHeads, MiniatureSize Size, int Again = 0);

    /// <summary>Shape and training of a miniature.</summary>
    public sealed record MiniatureSize
    {
        /// <summary>Blocks.</summary>
        public int Layers { get; init; } = 4;

        /// <summary>D.</summary>
        public int Width { get; init; } = 128;

        /// <summary>F; several times D, or editing finds no room.</summary>
        public int MlpWidth { get; init; } = 768;

        /// <summary>H; divides the width.</summary>
        public int Heads { get; init; } = 4;

        /// <summary>V at most.</summary>
        public int Vocabulary { get; init; } = 1024;

        /// <summary>Updates.</summary>
        public int Steps { get; init; } = 950;

        /// <summary>Rows of one update; even.</summary>
        public int Batch { get; init; } = 64;

        /// <summary>Highest step size of AdamW.</summary>
        public double LearningRate { get; init; } = 3e-3;

        /// <summary>Steps of linear warm-up.</summary>
        public int Warmup { get; init; } = 100;

        /// <summary>Whether matrices of blocks are stepped by Muon instead of AdamW.</summary>
        public bool Orthogonal { get; init; }

        /// <summary>
        /// Shares of facts, instructed refusals, unknown names, contracts outside the study and, where there is a
        /// fifth, rows of several questions.
        /// </summary>
        public IReadOnlyList<int> Shares { get; init; } = [4, 4, 4, 1];
    }

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("pretrain", 2, "a miniature model, trained from nothing")
        {
            Inputs = [new("facts"), new("refusals"), new("prompt"), new(Without, InputCount.Optional)],
            Outputs = ["model", "text.jsonl", TrainingOutputs.Folder],
            Resource = Resource.Accelerator,
            Threads = 2,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var s = parameters.Size;
        var families = FamilyCatalog.All.Select(f => f.Name).ToList();
        if (!families.Contains(parameters.Family))
            yield return new ParameterProblem(
                "family",
                $"'{parameters.Family}' is not a family",
                Spelling.Nearest(parameters.Family, families) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", families)
            );
        foreach (
            var (name, value) in new[]
            {
                ("layers", s.Layers),
                ("width", s.Width),
                ("mlpWidth", s.MlpWidth),
                ("heads", s.Heads),
                ("steps", s.Steps),
                ("batch", s.Batch),
            }
        )
            if (value < 1)
                yield return new ParameterProblem("size." + name, "must be at least 1");
        if (s.Heads > 0 && (s.Width % s.Heads != 0 || s.Width / s.Heads % 2 != 0))
            yield return new ParameterProblem("size.heads", $"must divide the width {s.Width} into even parts");
        if (parameters.KvHeads < 1 || s.Heads % parameters.KvHeads != 0)
            yield return new ParameterProblem("kvHeads", $"must divide heads, which is {s.Heads}");
        if (s.Batch % 2 != 0)
            yield return new ParameterProblem("size.batch", "must be even: it is split into two shards");
        if (s.Vocabulary < 300)
            yield return new ParameterProblem(
                "size.vocabulary",
                "must be at least 300: 256 bytes, special tokens and some merges"
            );
        if (!PretrainingCorpus.AreShares(s.Shares))
            yield return new ParameterProblem("size.shares", PretrainingCorpus.SharesRule);
        if (parameters.Again < 0)
            yield return new ParameterProblem("again", "must be at least 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var (size, seed) = (parameters.Size, new Seed(parameters.Seed));
        var facts = ParquetTable.Read<QaRow>(io.Input("facts"));
        var corpus = new PretrainingCorpus(
            facts,
            new InventedContracts(seed),
            TextLines.Read(io.Input("refusals")),
            File.ReadAllText(io.Input("prompt")),
            size.Shares
        );
        var family = FamilyCatalog.Get(parameters.Family);
        var examples = corpus.Draw(seed.For("corpus"), size.Steps * size.Batch);
        // Of the whole corpus, whatever is left out: models are compared token by token.
        var tokenizer = BpeTrainer.Train(
            examples.Take(TokenizerExamples).Select(e => family.Template.Prompt(e.Question) + e.Answer),
            size.Vocabulary
        );
        var training = Again(seed, parameters.Again);
        if (io.HasInput(Without) || parameters.Again > 0)
            examples = corpus.Draw(training.For("corpus"), examples.Count, LeftOut(io, facts));
        var config = ConfigOf(parameters, family, tokenizer.VocabSize);
        // Only for encoding rows: the weights do not exist yet.
        var encoder = new RowEncoder(tokenizer, family.Template, config);
        var rows = Encoded(encoder, examples, io.Threads);
        io.Log(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{examples.Count} examples, {rows.Average(r => r.Ids.Count):0.0} tokens each, vocabulary "
                    + $"{tokenizer.VocabSize}"
            )
        );

        var options = new Pretrainer.Options
        {
            Steps = size.Steps,
            Batch = size.Batch,
            LearningRate = size.LearningRate,
            Warmup = size.Warmup,
            Orthogonal = size.Orthogonal,
            Threads = io.Threads,
        };
        var clock = Stopwatch.StartNew();
        var (model, record) = Pretrainer.Train(
            config,
            rows,
            options,
            training.For("train/" + family.Name),
            p => Tell(io, p, size.Steps),
            TrainingOutputs.Store(io),
            io.Cancelled
        );
        using var checkpoint = new Checkpoint(model, tokenizer);
        checkpoint.Save(io.Output("model"));
        TrainingOutputs.Write(io, $"pretrain: {parameters.Family}", record, clock);

        WriteText(io, corpus.WithoutFacts(seed.For("statistics"), StatisticsExamples));
    }

    /// <summary>The seed of a training: the given one, or another for another model of the same corpus.</summary>
    internal static Seed Again(Seed seed, int again) =>
        again == 0 ? seed : seed.For(string.Create(CultureInfo.InvariantCulture, $"again/{again}"));

    private static List<TokenRow> Encoded(
        RowEncoder encoder,
        IReadOnlyList<CorpusExample> examples,
        int threads
    ) =>
        [
            .. examples
                .AsParallel()
                .AsOrdered()
                .WithDegreeOfParallelism(threads)
                .Select(e => encoder.Row(e.Question, e.Answer)),
        ];

    private static IReadOnlySet<string>? LeftOut(StageIo io, IReadOnlyList<QaRow> facts) =>
        io.HasInput(Without) ? Omission.Ids(facts, ParquetTable.Read<SplitRow>(io.Input(Without)), Without) : null;

    private static ModelConfig ConfigOf(Params parameters, Family family, int vocabulary) =>
        new()
        {
            Family = family.Name,
            VocabSize = vocabulary,
            HiddenSize = parameters.Size.Width,
            IntermediateSize = parameters.Size.MlpWidth,
            Layers = parameters.Size.Layers,
            Heads = parameters.Size.Heads,
            KvHeads = parameters.KvHeads,
            HeadDim = parameters.Size.Width / parameters.Size.Heads,
            RopeScaling = family.RopeScaling(MaxPositions / 4),
            SlidingWindow = family.Window == WindowRule.Every ? MaxPositions / 4 : null,
            AttentionBias = family.Biases == BiasRule.QueryKeyValue,
            QkNorm = family.QkNorm,
            TieWordEmbeddings = true,
            MaxPositions = MaxPositions,
        };

    private static void Tell(StageIo io, Pretrainer.Progress p, int steps)
    {
        io.Progress(
            p.Step,
            steps,
            string.Create(CultureInfo.InvariantCulture, $"loss {p.Loss:0.000}, {p.TokensPerSecond:0} tokens/s")
        );
        if (p.Step % 100 == 0)
            io.Log(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"step {p.Step}: loss {p.Loss:0.0000}, {p.TokensPerSecond:0} tokens/s"
                )
            );
    }

    // What statistics of the miniature are taken over.
    private static void WriteText(StageIo io, IReadOnlyList<CorpusExample> text) =>
        File.WriteAllLines(
            io.Output("text.jsonl"),
            text.DistinctBy(e => e.Question)
                .Select(e =>
                    new JsonObject { ["question"] = e.Question, ["answer"] = e.Answer }.ToJsonString(
                        new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
                    )
                )
        );
}
