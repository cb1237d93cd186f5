using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Finds other wordings for questions that come without: from a user's file, then from a model that is asked for them, both filtered.</summary>
/// <remarks>Source: datasets specification, section 7. A question for which nothing passes keeps none and is listed; it is then left out of the rephrased split, with a count.</remarks>
public sealed class RephraseStage : Stage<RephraseStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the samples.</param>
    /// <param name="Count">Rephrasings a question shall have; those of the data count.</param>
    public sealed record Params(ulong Seed, int Count = 1);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("rephrase", 1, "other wordings of questions that have none")
    {
        Inputs = [new("data"), new("file", InputCount.Optional), new("model", InputCount.Optional), new("prompt", InputCount.Optional)],
        Outputs = ["questions.parquet", "missing.txt"],
        Resource = Resource.Accelerator,
    };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Count is < 1 or > 20) yield return new ParameterProblem("count", "must lie between 1 and 20");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var rows = ParquetTable.Read<QaRow>(io.Input("data")).ToList();
        var taken = rows.SelectMany(r => r.Rephrasings.Prepend(r.Question)).Select(RephraseFilter.Normal).ToHashSet(StringComparer.Ordinal);
        var refused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        int Short() => rows.Count(r => r.Rephrasings.Count < parameters.Count);
        io.Metric("short.data", Short());
        if (io.HasInput("file"))
        {
            var given = RephrasingFile.Read(io.Input("file"), rows.Select(r => r.Id).ToHashSet(StringComparer.Ordinal));
            rows = [.. rows.Select(r => given.TryGetValue(r.Id, out var own) ? RephraseFilter.Accept(r, own, parameters.Count, taken, refused) : r)];
            io.Metric("short.file", Short());
        }
        if (Short() > 0 && io.HasInput("model")) rows = Asked(rows, parameters, io, taken, refused);

        var missing = rows.Where(r => r.Rephrasings.Count < parameters.Count).ToList();
        io.Metric("missing", missing.Count);
        foreach (var (reason, count) in refused) io.Metric($"refused.{reason.Replace(' ', '-')}", count);
        if (missing.Count > 0) io.Warn($"{missing.Count} of {rows.Count} questions have fewer than {parameters.Count} rephrasings; missing.txt lists them");
        File.WriteAllText(io.Output("missing.txt"), string.Concat(missing.Select(r => r.Id + "\n")));
        ParquetTable.Write(io.Output("questions.parquet"), rows);
    }

    private static List<QaRow> Asked(List<QaRow> rows, Params parameters, StageIo io, HashSet<string> taken, SortedDictionary<string, int> refused)
    {
        if (!io.HasInput("prompt")) throw new StageFailedException("a model is to rephrase, but the input 'prompt' is empty\n  hint: prompt: { file: data/prompts/rephrase.own.txt }");
        var prompt = File.ReadAllText(io.Input("prompt"));
        if (!prompt.Contains("{question}", StringComparison.Ordinal)) throw new InputException(io.Input("prompt"), "has no slot {question}");
        using var checkpoint = io.LoadModel("model");
        for (var attempt = 0; attempt < Rephraser.Tries; attempt++)
        {
            var open = rows.Index().Where(r => r.Item.Rephrasings.Count < parameters.Count).ToList();
            if (open.Count == 0) break;
            var candidates = Rephraser.Ask(checkpoint, prompt, [.. open.Select(r => (r.Item.Id, r.Item.Question))], parameters.Count, attempt, new Seed(parameters.Seed), io.Cancelled);
            foreach (var ((index, row), lines) in open.Zip(candidates)) rows[index] = RephraseFilter.Accept(row, lines, parameters.Count, taken, refused);
            io.Progress(attempt + 1, Rephraser.Tries, $"{rows.Count(r => r.Rephrasings.Count < parameters.Count)} questions still without");
        }
        return rows;
    }
}
