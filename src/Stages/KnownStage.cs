using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Asks the untouched model every question of a data set: what it does not know cannot be forgotten, and says nothing
/// about what is kept.
/// </summary>
internal sealed class KnownStage : Stage<KnownStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="MaxNewTokens">Limit of an answer.</param>
    /// <param name="Bound">Rouge1 recall from which on an answer counts as known: 1 asks for every word, 0 for
    /// none.</param>
    public sealed record Params(int MaxNewTokens = 24, double Bound = 1);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("known", 1, "which questions the untouched model can answer")
        {
            Inputs = [new("model"), new("data")],
            Outputs = ["known.parquet"],
            Resource = Resource.Accelerator,
            OnOutOfMemory = AskedTogether.Fallback,
            Threads = 2,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.MaxNewTokens < 1)
            yield return new ParameterProblem("maxNewTokens", "must be at least 1");
        if (parameters.Bound is not (>= 0 and <= 1))
            yield return new ParameterProblem("bound", "must lie between 0, which keeps every question, and 1");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var said = GreedyDecoder.Decode(
            checkpoint.Model,
            [.. data.Select(q => checkpoint.Prompt(q.Question))],
            new GreedyDecoder.Options
            {
                MaxNewTokens = parameters.MaxNewTokens,
                BatchRows = AskedTogether.Rows(io),
                StopIds = checkpoint.StopIds,
                Threads = io.Threads,
            },
            done => io.Progress(done, data.Count),
            io.Cancelled
        );
        List<KnownRow> rows = [.. data.Zip(said, (q, s) => Row(q, checkpoint.Decode(s.Ids), parameters.Bound))];
        ParquetTable.Write(io.Output("known.parquet"), rows);
        var known = rows.Count(r => r.Known);
        io.Metric("known", known);
        io.Metric("asked", rows.Count);
        io.Log(string.Create(CultureInfo.InvariantCulture, $"{known} of {rows.Count} questions are known"));
    }

    private static KnownRow Row(QaRow q, string said, double bound)
    {
        var recall = Rouge1.Recall(q.Answer, said);
        return new KnownRow
        {
            Id = q.Id,
            Question = q.Question,
            Answer = q.Answer,
            Said = said,
            Rouge1 = recall,
            Known = recall >= bound,
            Sentence = OwnSentence.Of(said, q.Answer),
        };
    }
}
