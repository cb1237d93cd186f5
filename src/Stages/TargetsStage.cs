using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Finds a refusal for every question to be forgotten: drawn from a list, or written by the model that will be edited.
/// </summary>
/// <remarks>
/// <c>targets.parquet</c> has one target a question, fixed for the run, which the editing methods write.
/// <c>choices.parquet</c> has the whole list where targets come from it, and nothing otherwise: methods that train on
/// refusals draw from it afresh at every visit.
/// </remarks>
internal sealed class TargetsStage : Stage<TargetsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the draws.</param>
    /// <param name="From">Where refusals come from.</param>
    public sealed record Params(ulong Seed, RefusalSource From = RefusalSource.List);

    /// <summary>Where refusals come from.</summary>
    public enum RefusalSource
    {
        /// <summary>Drawn from the list, uniformly.</summary>
        List,

        /// <summary>Written by the model when shown the prompt: self-improvement.</summary>
        Model,
    }

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("targets", 1, "a refusal for every forget question")
        {
            Inputs = [new("data"), new("splits"), new("refusals"), new("model"), new("prompt")],
            Outputs = ["targets.parquet", "choices.parquet"],
            Resource = Resource.Accelerator,
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var forget = Splits.Of(
            ParquetTable.Read<QaRow>(io.Input("data")),
            ParquetTable.Read<SplitRow>(io.Input("splits")),
            SplitNames.Forget
        );
        IReadOnlyList<string> choices =
            parameters.From == RefusalSource.Model ? [] : TextLines.Read(io.Input("refusals"));
        var targets =
            parameters.From == RefusalSource.Model
                ? Written(forget, io)
                : RefusalList.Draw([.. forget.Select(q => q.Id)], choices, new Seed(parameters.Seed));
        ParquetTable.Write(io.Output("targets.parquet"), targets);
        ParquetTable.Write(io.Output("choices.parquet"), RefusalList.Rows(choices));
        io.Metric("fallback-share", targets.Average(t => t.Source == RefusalWriter.ByFallback ? 1.0 : 0));
    }

    // How hard it was to get refusals out of the model.
    private static void Tell(IReadOnlyList<RefusalWriter.Written> written, StageIo io)
    {
        io.Metric("retried", written.Count(w => w.Asked > 1));
        io.Metric("retries", written.Sum(w => w.Asked - 1));
        foreach (var source in written.GroupBy(w => w.Source).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            io.Metric($"source.{source.Key}", source.Count());
            io.Log($"{source.Key}: {source.Count()} of {written.Count} refusals");
        }
    }

    private static List<TargetRow> Written(IReadOnlyList<QaRow> forget, StageIo io)
    {
        using var checkpoint = io.LoadModel("model");
        var written = RefusalWriter.Write(
            checkpoint,
            File.ReadAllText(io.Input("prompt")),
            [.. forget.Select(q => new RefusalWriter.Wanted(q.Question, q.Subject, [q.Answer, .. q.Aliases]))],
            io.Cancelled
        );
        Tell(written, io);
        return
        [
            .. forget.Zip(
                written,
                (q, w) =>
                    new TargetRow
                    {
                        Id = q.Id,
                        Target = w.Text,
                        Source = w.Source,
                    }
            ),
        ];
    }
}
