using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>
/// Says which questions are forgotten, which are kept, and which of these methods may train on; training and evaluation
/// read the same list.
/// </summary>
/// <remarks>docs/data.md, "Splits", says what the paper leaves open and how it is filled.</remarks>
internal sealed class SplitsStage : Stage<SplitsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Size">Questions to forget; for groups and files as many as they hold, and then left out.</param>
    /// <param name="First">Of <c>prefix</c>: the first of them; 0 in the study, elsewhere for tuning on questions
    /// outside every forget set.</param>
    /// <param name="Mode">How they are chosen.</param>
    /// <param name="Seed">Of <c>random</c>, and of the draw of unseen questions.</param>
    /// <param name="Groups">Of <c>group</c>: contracts (<c>A_B</c>) or categories.</param>
    /// <param name="Unseen">Share of the kept questions that no method may look at; these alone are the split
    /// <c>retain</c>, which tables and claims score. 0 is the paper's reading: methods train on what is scored.</param>
    public sealed record Params(
        int? Size = null,
        int First = 0,
        SplitMode Mode = SplitMode.Prefix,
        ulong Seed = 0,
        IReadOnlyList<string>? Groups = null,
        double Unseen = 0
    );

    /// <summary>How questions to forget are chosen.</summary>
    public enum SplitMode
    {
        /// <summary>So many in file order: larger sets hold the smaller ones. The study's.</summary>
        Prefix,

        /// <summary>So many, drawn by the seed; larger sets hold the smaller ones.</summary>
        Random,

        /// <summary>All of some groups.</summary>
        Group,

        /// <summary>Those whose ids the input <c>ids</c> lists, one a line.</summary>
        File,
    }

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("splits", 1, "which questions are forgotten")
        {
            Inputs = [new("data"), new("ids", InputCount.Optional)],
            Outputs = ["splits.parquet"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var counted = parameters.Mode is SplitMode.Prefix or SplitMode.Random;
        if (counted && parameters.Size is null)
            yield return new ParameterProblem("size", "is missing");
        if (!counted && parameters.Size is not null)
            yield return new ParameterProblem(
                "size",
                "has no meaning in this mode",
                "leave it out: the groups or the list decide"
            );
        if (parameters.Size < 1)
            yield return new ParameterProblem("size", "must be at least 1");
        if (parameters.First < 0)
            yield return new ParameterProblem("first", "must be at least 0");
        if (parameters.First > 0 && parameters.Mode != SplitMode.Prefix)
            yield return new ParameterProblem("first", "has a meaning in mode prefix only");
        if (parameters.Mode == SplitMode.Group && parameters.Groups is not { Count: > 0 })
            yield return new ParameterProblem("groups", "is missing or empty", "for example groups: [A_B, A_C]");
        if (parameters.Mode != SplitMode.Group && parameters.Groups is not null)
            yield return new ParameterProblem("groups", "has a meaning in mode group only");
        if (parameters.Unseen is not (>= 0 and < 1))
            yield return new ParameterProblem(
                "unseen",
                "must be at least 0 and below 1",
                "0.5 sets half of the kept questions apart from methods"
            );
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var rows = ParquetTable.Read<QaRow>(io.Input("data"));
        if (parameters.Size >= rows.Count || parameters.First + parameters.Size > rows.Count)
            throw new StageFailedException(
                $"{parameters.Size} questions from {parameters.First} on cannot be forgotten out of {rows.Count}: "
                    + "they must exist, and at least one must be kept"
            );
        if (parameters.Mode == SplitMode.File && !io.HasInput("ids"))
            throw new StageFailedException(
                "mode file needs the input 'ids'\n  hint: in: { ids: { file: forget-ids.txt } }"
            );
        var seed = new Seed(parameters.Seed);
        var splits = parameters.Mode switch
        {
            SplitMode.Random => Splits.Random(rows, parameters.Size!.Value, seed),
            SplitMode.Group => Splits.Groups(rows, parameters.Groups!),
            SplitMode.File => Splits.Listed(rows, TextLines.Read(io.Input("ids")), io.Input("ids")),
            _ => Splits.Range(rows, parameters.First, parameters.Size!.Value),
        };
        splits = Splits.SetApart(rows, splits, parameters.Unseen, seed);
        ParquetTable.Write(io.Output("splits.parquet"), [.. splits]);
        foreach (var split in splits.CountBy(s => s.Split))
            io.Metric("rows." + split.Key, split.Value);
    }
}
