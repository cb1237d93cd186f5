using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports;

/// <summary>Where a number stands: one run, one split, one column.</summary>
/// <param name="Model">Of the study.</param>
/// <param name="Set">Name of the forget set.</param>
/// <param name="Method">Of the study; <see cref="ScoreBook.Untouched"/> for the model before.</param>
/// <param name="Split">The split.</param>
/// <param name="Metric">The column: <c>rouge1</c>, <c>prob</c>, <c>mrr</c>, <c>hit</c>, <c>refusal</c>.</param>
public sealed record ScoreKey(string Model, string Set, string Method, string Split, string Metric);

/// <summary>Every number that tables, figures and claims can ask for, from whatever source.</summary>
public interface IScoreBook
{
    /// <summary>The number of one place as a table has it; null where there is none.</summary>
    /// <param name="table">The table that asks: the paper prints some numbers twice, with other decimals.</param>
    /// <param name="key">The place.</param>
    CellScore? Find(string table, ScoreKey key);
}

/// <summary>The study's own scores, in one profile of metrics.</summary>
/// <remarks>
/// Built from rows in any order. The untouched model is a method like any other: its rows belong to the set whose
/// questions it answered. Runs that differ in their seed only share a place: it holds their mean.
/// </remarks>
public sealed class ScoreBook : IScoreBook
{
    /// <summary>Method name of the model before any edit.</summary>
    public const string Untouched = MethodNames.Untouched;

    private readonly Dictionary<ScoreKey, CellScore> _scores = [];
    private readonly Dictionary<string, string> _variants;

    /// <summary>Takes the scores of one profile.</summary>
    /// <param name="scores">Of all runs; other profiles are passed over.</param>
    /// <param name="profile"><c>strict</c> or <c>paper</c>.</param>
    /// <param name="columns">Column of the tables and the metric behind it.</param>
    /// <exception cref="ArgumentException">Two scores of one seed claim the same place.</exception>
    public ScoreBook(IEnumerable<CellScore> scores, string profile, IEnumerable<KeyValuePair<string, string>> columns)
    {
        ArgumentNullException.ThrowIfNull(scores);
        _variants = new Dictionary<string, string>(columns, StringComparer.Ordinal);
        Profile = profile;
        var byVariant = _variants.ToDictionary(p => p.Value, p => p.Key, StringComparer.Ordinal);
        var places = scores
            .Where(s => s.Profile == profile && byVariant.ContainsKey(s.Metric))
            .GroupBy(s => new ScoreKey(s.Model, s.Set, s.Method, s.Split, byVariant[s.Metric]));
        foreach (var place in places)
            _scores[place.Key] = SeedMean.Of([.. place.OrderBy(s => s.Seed)], place.Key);
    }

    /// <summary>The profile of all numbers here.</summary>
    public string Profile { get; }

    /// <summary>The metric behind a column.</summary>
    public string Variant(string column) => _variants.GetValueOrDefault(column, column);

    /// <inheritdoc/>
    public CellScore? Find(string table, ScoreKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _scores.GetValueOrDefault(key);
    }
}
