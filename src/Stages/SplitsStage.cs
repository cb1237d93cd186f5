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
    /// <param name="First">Of <c>prefix</c> and <c>spread</c>: the first of them; 0 in the study, elsewhere for tuning
    /// on questions outside every forget set. A number below 0 counts from the end.</param>
    /// <param name="Mode">How they are chosen.</param>
    /// <param name="Seed">Of <c>random</c> and <c>spread</c>, and of the draw of unseen questions.</param>
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

        /// <summary>
        /// So many, drawn by the seed, of every category its share; larger sets hold the smaller ones.
        /// </summary>
        Spread,

        /// <summary>All of some groups.</summary>
        Group,

        /// <summary>Those whose ids the input <c>ids</c> lists, one a line.</summary>
        File,
    }

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("splits", 1, "which questions are forgotten")
        {
            Inputs = [new("data"), new("known", InputCount.Optional), new("ids", InputCount.Optional)],
            Outputs = ["splits.parquet"],
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var ordered = parameters.Mode is SplitMode.Prefix or SplitMode.Spread;
        var counted = ordered || parameters.Mode == SplitMode.Random;
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
        if (ordered && parameters.First < 0 && parameters.First + parameters.Size > 0)
            yield return new ParameterProblem(
                "first",
                $"is {parameters.First}, from where there are not {parameters.Size} questions to the end"
            );
        if (parameters.First != 0 && !ordered)
            yield return new ParameterProblem("first", "has a meaning in modes prefix and spread only");
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
        var rows = Known(io);
        var first = parameters.First < 0 ? rows.Count + parameters.First : parameters.First;
        if (parameters.Size >= rows.Count || first < 0 || first + parameters.Size > rows.Count)
            throw new StageFailedException(
                $"{parameters.Size} questions from {parameters.First} on cannot be forgotten out of {rows.Count}"
                    + (io.HasInput("known") ? " that the model knows" : "")
                    + ": they must exist, and at least one must be kept"
            );
        if (parameters.Mode == SplitMode.File && !io.HasInput("ids"))
            throw new StageFailedException(
                "mode file needs the input 'ids'\n  hint: in: { ids: { file: forget-ids.txt } }"
            );
        var seed = new Seed(parameters.Seed);
        var splits = parameters.Mode switch
        {
            SplitMode.Random => Splits.Random(rows, parameters.Size!.Value, seed),
            SplitMode.Spread => Splits.Spread(rows, first, parameters.Size!.Value, seed),
            SplitMode.Group => Splits.Groups(rows, parameters.Groups!),
            SplitMode.File => Splits.Listed(rows, TextLines.Read(io.Input("ids")), io.Input("ids")),
            _ => Splits.Range(rows, first, parameters.Size!.Value),
        };
        splits = Splits.SetApart(rows, splits, parameters.Unseen, seed);
        ParquetTable.Write(io.Output("splits.parquet"), [.. splits]);
        foreach (var split in splits.CountBy(s => s.Split))
            io.Metric("rows." + split.Key, split.Value);
    }

    // Questions that the model does not know are in no split: they can neither be forgotten nor kept.
    private static IReadOnlyList<QaRow> Known(StageIo io)
    {
        var rows = ParquetTable.Read<QaRow>(io.Input("data"));
        if (!io.HasInput("known"))
            return rows;
        var known = ParquetTable
            .Read<KnownRow>(io.Input("known"))
            .Where(k => k.Known)
            .Select(k => k.Id)
            .ToHashSet(StringComparer.Ordinal);
        io.Metric("rows.unknown", rows.Count - known.Count);
        return [.. rows.Where(r => known.Contains(r.Id))];
    }
}
