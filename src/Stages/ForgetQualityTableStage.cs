using EditUnlearn.Artifacts;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Stages;

/// <summary>Renders how far all methods are from the oracle: one table for each model.</summary>
internal sealed class ForgetQualityTableStage : Stage<ForgetQualityTableStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Kind">What the models are; the caption says so.</param>
    /// <param name="Sets">All forget sets of the profile, for the words that describe them.</param>
    /// <param name="Control">The split of what is kept that stands beside the forget set.</param>
    public sealed record Params(
        ModelKind Kind,
        IReadOnlyDictionary<string, System.Text.Json.Nodes.JsonObject> Sets,
        string Control = SplitNames.Retain
    );

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("forget-quality-table", 1, "all methods beside the oracle")
        {
            Inputs = [new("quality", InputCount.Many), new("floor", InputCount.Many)],
            Outputs = ["forget-quality.tex", "forget-quality.csv", "forget-quality.md", "forget-quality.parquet"],
        };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        List<ForgetQualityMean> means =
        [
            .. io.Inputs("quality")
                .Concat(io.Inputs("floor"))
                .SelectMany(i => ParquetTable.Read<ForgetQualityMean>(i.Path)),
        ];
        if (means.Count == 0)
            throw new StageFailedException("nothing was compared with an oracle");
        var ran = means.Select(m => m.Method).ToHashSet(StringComparer.Ordinal);
        var scope = new StudyScope
        {
            Kind = parameters.Kind,
            Sets = parameters.Sets.ToDictionary(
                s => s.Key,
                s => ReportInputs.Described(s.Key, s.Value),
                StringComparer.Ordinal
            ),
            Methods =
            [
                .. MethodCatalog
                    .All.Where(m => m.Kind != MethodKind.Untouched && ran.Contains(m.Name))
                    .Select(m => new ReportMethod(m.Name, m.Label, m.IsEditing, m.InPaper)),
            ],
            ModelLabels = FamilyCatalog.All.ToDictionary(f => f.Name, f => f.Label, StringComparer.Ordinal),
        };
        var table = ForgetQualityTable.Of(means, scope, parameters.Control);
        File.WriteAllText(io.Output("forget-quality.tex"), table.Latex());
        File.WriteAllText(io.Output("forget-quality.csv"), table.Csv());
        File.WriteAllText(io.Output("forget-quality.md"), table.Markdown());
        ParquetTable.Write(io.Output("forget-quality.parquet"), means);
    }
}
