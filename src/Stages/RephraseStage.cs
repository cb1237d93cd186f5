using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Stages;

/// <summary>
/// Finds other wordings for questions that come without: from a user's file, then from a model that is asked for them,
/// both filtered.
/// </summary>
/// <remarks>
/// The rules stand in docs/data.md, "Rephrasings". A question for which nothing passes keeps none and is listed; it is
/// then left out of the rephrased split, with a count.
/// </remarks>
internal sealed class RephraseStage : Stage<RephraseStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the samples.</param>
    /// <param name="Count">Rephrasings a question shall have; those of the data count.</param>
    public sealed record Params(ulong Seed, int Count = 1);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("rephrase", 1, "other wordings of questions that have none")
        {
            Inputs =
            [
                new("data"),
                new("file", InputCount.Optional),
                new("model", InputCount.Optional),
                new("prompt", InputCount.Optional),
            ],
            Outputs = ["questions.parquet", "missing.txt"],
            Resource = Resource.Accelerator,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Count is < 1 or > 20)
            yield return new ParameterProblem("count", "must lie between 1 and 20");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var rows = ParquetTable.Read<QaRow>(io.Input("data")).ToList();
        var taken = RephraseFilter.Taken(rows);
        var refused = new SortedDictionary<string, int>(StringComparer.Ordinal);
        int Short() => rows.Count(r => r.Rephrasings.Count < parameters.Count);
        io.Metric("short.data", Short());
        if (io.HasInput("file"))
        {
            var given = RephrasingFile.Read(io.Input("file"), rows.Select(r => r.Id).ToHashSet(StringComparer.Ordinal));
            rows =
            [
                .. rows.Select(r =>
                    given.TryGetValue(r.Id, out var own)
                        ? RephraseFilter.Accept(r, own, parameters.Count, taken, refused)
                        : r
                ),
            ];
            io.Metric("short.file", Short());
        }
        if (Short() > 0 && io.HasInput("model"))
        {
            if (!io.HasInput("prompt"))
                throw new StageFailedException(
                    "a model is to rephrase, but the input 'prompt' is empty\n  hint: prompt: { file: "
                        + "data/prompts/rephrase.own.txt }"
                );
            var prompt = Rephraser.ReadPrompt(io.Input("prompt"));
            using var checkpoint = io.LoadModel("model");
            rows = OwnWording.Ask(
                checkpoint,
                prompt,
                rows,
                parameters.Count,
                new Seed(parameters.Seed),
                taken,
                refused,
                (done, all) => io.Progress(done, all, "tries"),
                io.Cancelled
            );
        }

        var missing = rows.Where(r => r.Rephrasings.Count < parameters.Count).ToList();
        io.Metric("missing", missing.Count);
        foreach (var (reason, count) in refused)
            io.Metric($"refused.{reason.Replace(' ', '-')}", count);
        if (missing.Count > 0)
            io.Warn(
                $"{missing.Count} of {rows.Count} questions have fewer than {parameters.Count} rephrasings; "
                    + "missing.txt lists them"
            );
        File.WriteAllText(io.Output("missing.txt"), string.Concat(missing.Select(r => r.Id + "\n")));
        ParquetTable.Write(io.Output("questions.parquet"), rows);
    }
}
