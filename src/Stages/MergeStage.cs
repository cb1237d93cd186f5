using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Merges the queries to be forgotten into fewer edit requests. Evaluation stays on the single questions.
/// </summary>
/// <remarks>
/// <c>requests.parquet</c> has a row per edit (question, subject and its place), <c>targets.parquet</c> a target per
/// edit and, for methods that take single questions, per question.
/// </remarks>
internal sealed class MergeStage : Stage<MergeStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Size">Questions in a merged query, k; 1 leaves them as they are. Paper: 2, 4, 5, 8, 10.</param>
    /// <param name="Lookup">Where the edit looks its key up; the paper does not say, and docs/methods.md,
    /// "Query merging", says why this is the default.</param>
    public sealed record Params(int Size, MergeLookup Lookup = MergeLookup.LastToken);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("merge", 1, "several queries in one edit request")
        {
            Inputs = [new("data"), new("splits"), new("targets")],
            Outputs = ["requests.parquet", "targets.parquet", "members.parquet"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Size is < 1 or > 1000)
            yield return new ParameterProblem("size", "must lie between 1 and 1000");
    }

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
        var targets = ParquetTable.Read<TargetRow>(io.Input("targets"));
        var merged = QueryMerge.Of(
            forget,
            targets.ToDictionary(t => t.Id, StringComparer.Ordinal),
            parameters.Size,
            parameters.Lookup
        );
        ParquetTable.Write(io.Output("requests.parquet"), [.. merged.Select(m => m.Request)]);
        ParquetTable.Write(io.Output("targets.parquet"), [.. merged.Select(m => m.Target).UnionBy(targets, t => t.Id)]);
        ParquetTable.Write(
            io.Output("members.parquet"),
            [
                .. merged.SelectMany(m =>
                    m.Members.Select(
                        (id, place) =>
                            new MergeRow
                            {
                                Id = m.Request.Id,
                                Member = id,
                                Place = place,
                            }
                    )
                ),
            ]
        );
        io.Metric("edits", merged.Count);
        io.Metric("questions", forget.Count);
    }
}
