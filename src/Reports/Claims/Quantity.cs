namespace EditUnlearn.Reports.Claims;

/// <summary>
/// A number with what is known of its noise: its value in every resample, or an interval alone, or nothing. Sums,
/// differences and the rest are taken resample by resample, so whatever is paired stays so; with an unknown side the
/// outcome is unknown too.
/// </summary>
public sealed class Quantity
{
    private const double LowerTail = 0.025;
    private readonly IReadOnlyList<double>? _resamples;
    private readonly Lazy<(double Low, double High)?> _interval;

    /// <summary>A number with its resamples; null for none.</summary>
    public Quantity(double value, IReadOnlyList<double>? resamples)
    {
        Value = value;
        _resamples = resamples;
        _interval = new(() => Percentiles(resamples));
    }

    private Quantity(double value, (double Low, double High) interval)
    {
        Value = value;
        _interval = new((ValueTuple<double, double>?)interval);
    }

    /// <summary>A number whose 95 % interval alone is known; null for none.</summary>
    public static Quantity WithInterval(double value, (double Low, double High)? interval) =>
        interval is { } known ? new Quantity(value, known) : Bare(value);

    private static Quantity Bare(double value) => new(value, (IReadOnlyList<double>?)null);

    /// <summary>From all rows.</summary>
    public double Value { get; }

    /// <summary>The 95 % interval; null where nothing is known of the noise.</summary>
    public (double Low, double High)? Interval => _interval.Value;

    /// <summary>The difference.</summary>
    public static Quantity? operator -(Quantity? a, Quantity? b) => Combine(a, b, -1);

    /// <summary>The sum.</summary>
    public static Quantity? operator +(Quantity? a, Quantity? b) => Combine(a, b, 1);

    /// <summary>A number minus a quantity.</summary>
    public static Quantity? operator -(double a, Quantity? b) => b is null ? null : b.Map(x => a - x);

    /// <summary>A number times a quantity.</summary>
    public static Quantity? operator *(double a, Quantity? b) => b is null ? null : b.Map(x => a * x);

    /// <summary>A function of several quantities, resample by resample; null where one of them is.</summary>
    /// <remarks>
    /// Without resamples of all there is no interval: an interval alone does not say how the numbers move together.
    /// </remarks>
    public static Quantity? Of(IEnumerable<Quantity?> several, Func<IEnumerable<double>, double> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        var all = several.ToList();
        if (all.Count == 0 || all.Any(q => q is null))
            return null;
        var resamples = all.Select(q => q!._resamples).ToList();
        return new Quantity(
            function(all.Select(q => q!.Value)),
            resamples.All(r => r is not null)
                ? [.. Enumerable.Range(0, resamples[0]!.Count).Select(b => function(resamples.Select(r => r![b])))]
                : null
        );
    }

    /// <summary>The largest of several.</summary>
    public static Quantity? Max(IEnumerable<Quantity?> several) => Of(several, x => x.Max());

    /// <summary>The mean of several.</summary>
    public static Quantity? Mean(IEnumerable<Quantity?> several) => Of(several, x => x.Average());

    // A monotone function, rising or falling.
    private Quantity Map(Func<double, double> function) =>
        _resamples is not null ? new Quantity(function(Value), (IReadOnlyList<double>)[.. _resamples.Select(function)])
        : Interval is { } i
            ? new Quantity(
                function(Value),
                (Math.Min(function(i.Low), function(i.High)), Math.Max(function(i.Low), function(i.High)))
            )
        : Bare(function(Value));

    // Two intervals alone are combined as those of independent numbers: the distances to the ends, in quadrature.
    private static Quantity? Combine(Quantity? a, Quantity? b, int sign)
    {
        if (a is null || b is null)
            return null;
        if (a._resamples is not null && b._resamples is not null)
            return Of([a, b], x => x.First() + sign * x.Last());
        var value = a.Value + sign * b.Value;
        if (a._resamples is not null || b._resamples is not null || a.Interval is not { } p || b.Interval is not { } q)
            return Bare(value);
        var (below, above) = sign > 0 ? (b.Value - q.Low, q.High - b.Value) : (q.High - b.Value, b.Value - q.Low);
        return new Quantity(
            value,
            (value - double.Hypot(a.Value - p.Low, below), value + double.Hypot(p.High - a.Value, above))
        );
    }

    private static (double Low, double High)? Percentiles(IReadOnlyList<double>? resamples)
    {
        if (resamples is not { Count: > 0 })
            return null;
        double[] sorted = [.. resamples.Order()];
        return (At(sorted, LowerTail), At(sorted, 1 - LowerTail));
    }

    private static double At(double[] sorted, double share)
    {
        var at = share * (sorted.Length - 1);
        var below = (int)Math.Floor(at);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
