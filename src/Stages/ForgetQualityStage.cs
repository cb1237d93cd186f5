using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Oracle;
using EditUnlearn.Models.Patches;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Holds a model that was made to forget, or another oracle, against the oracle of its forget set.</summary>
internal sealed class ForgetQualityStage : Stage<ForgetQualityStage.Params>
{
    /// <summary>There are none: what is compared stands in the answers.</summary>
    public sealed record Params;

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("forget-quality", 1, "how far a model is from one that never knew")
        {
            Inputs =
            [
                new("model"),
                new("patch", InputCount.Optional),
                new("answers"),
                new("oracle"),
                new("oracle-answers"),
                new("data"),
            ],
            Outputs = ["means.parquet", "rows.parquet"],
            Resource = Resource.Accelerator,
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        using var oracle = io.LoadModel("oracle");
        var pairs = ForgetQuality.Pairs(
            ParquetTable.Read<AnswerRow>(io.Input("answers")),
            ParquetTable.Read<AnswerRow>(io.Input("oracle-answers"))
        );
        var wrong = ParquetTable
            .Read<QaRow>(io.Input("data"))
            .ToDictionary(q => q.Id, q => (IReadOnlyList<string>)q.Distractors, StringComparer.Ordinal);
        using var patch = io.HasInput("patch") ? ModelPatch.Load(io.Input("patch")) : null;
        using var applied = patch?.ApplyTo(checkpoint.Model);
        var read = OracleReader.Read(
            new OracleReader.Reader(checkpoint, patch?.Tap),
            new OracleReader.Reader(oracle),
            pairs,
            wrong,
            share => io.Progress(share, 1),
            io.Cancelled
        );
        List<ForgetQualityRow> rows = [.. pairs.Zip(read, ForgetQuality.Row)];
        var means = ForgetQuality.Means(rows);
        ParquetTable.Write(io.Output("rows.parquet"), rows);
        ParquetTable.Write(io.Output("means.parquet"), [.. means]);
        foreach (var mean in means)
            Tell(io, mean);
    }

    private static void Tell(StageIo io, ForgetQualityMean mean)
    {
        void Metric(string name, double? value)
        {
            if (value is { } number)
                io.Metric($"{name}.{mean.Split}", number);
        }
        Metric("same", mean.Same);
        Metric("f1", mean.F1);
        Metric("kl", mean.KlTruth);
        Metric("js", mean.JsTruth);
        Metric("kl.said", mean.KlOracle);
        Metric("p.probability", mean.ProbabilityP);
        Metric("p.truth-ratio", mean.TruthRatioP);
        Metric("rouge1", mean.Rouge1);
        Metric("rouge1.oracle", mean.OracleRouge1);
        if (mean.Finite < mean.Count)
            io.Warn($"{mean.Count - mean.Finite} of {mean.Count} questions of '{mean.Split}' have no probabilities");
    }
}
