using System.Globalization;
using System.Numerics;
using EditUnlearn.Foundation;

namespace EditUnlearn.Reports.Claims;

/// <summary>One question of one run, as resamples need it.</summary>
/// <param name="Place">Run, split and column.</param>
/// <param name="Seed">Of the run; runs that differ in it only repeat one another.</param>
/// <param name="Id">Of the question.</param>
/// <param name="Value">Null where the metric is not defined.</param>
/// <param name="Weight">How often the row counts.</param>
public sealed record ResampledRow(ScoreKey Place, ulong Seed, string Id, double? Value, double Weight);

/// <summary>
/// Bootstrap means of every place, drawn so that places can be compared: whatever was asked the same questions gets the
/// same draws, so the difference of two means is paired question by question.
/// </summary>
/// <remarks>
/// Two levels: where a place has several seeds, each resample draws as many seeds again, and the questions once for all
/// of them. Runs of one model share the draws of seeds, lists of the same questions share the draws of questions; lists
/// that differ are drawn apart.
/// </remarks>
public sealed class PairedResamples
{
    /// <summary>Resamples of every place.</summary>
    public const int Count = 2000;

    private sealed record Run(ulong Seed, string Questions, double[] Values, double[] Weights);

    private readonly Seed _seed;
    private readonly Dictionary<ScoreKey, List<Run>> _runs;
    private readonly Dictionary<ScoreKey, double[]> _means = [];
    private readonly Dictionary<string, float[]> _questions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[][]> _seeds = new(StringComparer.Ordinal);

    /// <summary>Takes the rows of all runs, each place in the order of its questions.</summary>
    public PairedResamples(IEnumerable<ResampledRow> rows, Seed seed)
    {
        _seed = seed;
        _runs = rows.GroupBy(r => r.Place)
            .ToDictionary(
                place => place.Key,
                place => place.GroupBy(r => r.Seed).OrderBy(g => g.Key).Select(g => Of(g.Key, [.. g])).ToList()
            );
    }

    private static Run Of(ulong seed, IReadOnlyList<ResampledRow> rows) =>
        new(
            seed,
            string.Join('\n', rows.Select(r => r.Id)),
            [.. rows.Select(r => r.Value is { } x ? x * r.Weight : 0)],
            [.. rows.Select(r => r.Value is null ? 0 : r.Weight)]
        );

    /// <summary>The mean of a place in each resample; null where no row stands there.</summary>
    public IReadOnlyList<double>? Means(ScoreKey place)
    {
        ArgumentNullException.ThrowIfNull(place);
        if (_means.TryGetValue(place, out var known))
            return known;
        if (
            !_runs.TryGetValue(place, out var all)
            || all.Where(r => r.Weights.Sum() > 0).ToList() is not { Count: > 0 } runs
        )
            return null;
        var ofRuns = runs.Select(Means).ToList();
        var drawn = Seeds(place.Model, runs);
        return _means[place] = [.. Enumerable.Range(0, Count).Select(b => drawn[b].Average(s => ofRuns[s][b]))];
    }

    // All resamples at once, each adding its questions in their order.
    private double[] Means(Run run)
    {
        var plain = run.Values.Sum() / run.Weights.Sum();
        var draws = Questions(run);
        var (sums, weights) = (new double[Count], new double[Count]);
        var width = Vector<double>.Count;
        for (var i = 0; i < run.Values.Length; i++)
        {
            var (value, weight) = (new Vector<double>(run.Values[i]), new Vector<double>(run.Weights[i]));
            for (var b = 0; b < Count; b += 2 * width)
            {
                Vector.Widen(new Vector<float>(draws, (i * Count) + b), out var early, out var late);
                Add(sums, b, early * value);
                Add(sums, b + width, late * value);
                Add(weights, b, early * weight);
                Add(weights, b + width, late * weight);
            }
        }
        return [.. sums.Zip(weights, (sum, weight) => weight > 0 ? sum / weight : plain)];

        static void Add(double[] to, int at, Vector<double> what) => (new Vector<double>(to, at) + what).CopyTo(to, at);
    }

    // How often each question of a list is drawn, in each resample [questions, Count].
    private float[] Questions(Run run)
    {
        if (_questions.TryGetValue(run.Questions, out var known))
            return known;
        var stream = _seed.Stream("questions/" + run.Questions);
        var n = run.Values.Length;
        var draws = new float[n * Count];
        for (var b = 0; b < Count; b++)
            for (var i = 0; i < n; i++)
                draws[(stream.Below(n) * Count) + b]++;
        return _questions[run.Questions] = draws;
    }

    // Which of the runs are drawn, in each resample.
    private int[][] Seeds(string model, IReadOnlyList<Run> runs)
    {
        var name = string.Create(
            CultureInfo.InvariantCulture,
            $"{model}/{string.Join(',', runs.Select(r => r.Seed.ToString(CultureInfo.InvariantCulture)))}"
        );
        if (_seeds.TryGetValue(name, out var known))
            return known;
        var stream = _seed.Stream("seeds/" + name);
        return _seeds[name] = [
            .. Enumerable
                .Range(0, Count)
                .Select(_ => runs.Select(_ => runs.Count == 1 ? 0 : (int)stream.Below(runs.Count)).ToArray()),
        ];
    }
}
