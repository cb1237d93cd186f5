namespace EditUnlearn.Artifacts;

/// <summary>Which way a number is read.</summary>
public enum Direction
{
    /// <summary>How much is known: low is better where the study forgets, high elsewhere.</summary>
    Knowledge,

    /// <summary>How often a question is refused: high is better where the study forgets, low elsewhere.</summary>
    Refusal,

    /// <summary>High is better on every split.</summary>
    HigherIsBetter,

    /// <summary>Low is better on every split.</summary>
    LowerIsBetter,

    /// <summary>It describes an answer; no value is better than another.</summary>
    Neither,
}

/// <summary>A column of the tables.</summary>
/// <param name="Name">As <see cref="ColumnNames"/> has it.</param>
/// <param name="Heading">In print.</param>
/// <param name="Direction">Which way it is read.</param>
public sealed record ScoreColumn(string Name, string Heading, Direction Direction)
{
    /// <summary>All columns, in print order.</summary>
    public static IReadOnlyList<ScoreColumn> All { get; } =
    [
        new(ColumnNames.Rouge1, "Rouge1", Direction.Knowledge),
        new(ColumnNames.Probability, "Prob.", Direction.Knowledge),
        new(ColumnNames.ReciprocalRank, "MRR", Direction.Knowledge),
        new(ColumnNames.HitRate, "Hit", Direction.Knowledge),
        new(ColumnNames.Refusals, "Ref.", Direction.Refusal),
    ];

    /// <summary>The column of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static ScoreColumn Get(string name) =>
        All.FirstOrDefault(c => c.Name == name)
        ?? throw new ArgumentException($"There is no column '{name}'.", nameof(name));

    /// <summary>Whether a higher number is the better one on a split; null where neither way is better.</summary>
    public static bool? HigherIsBetter(Direction direction, string split) =>
        direction switch
        {
            Direction.Knowledge => !SplitNames.IsToBeForgotten(split),
            Direction.Refusal => SplitNames.IsToBeForgotten(split),
            Direction.HigherIsBetter => true,
            Direction.LowerIsBetter => false,
            _ => null,
        };
}
