using System.Globalization;

namespace EditUnlearn.Reports.Claims;

/// <summary>How a statement came out.</summary>
public enum Verdict
{
    /// <summary>The numbers say so, and the whole interval does.</summary>
    Holds,

    /// <summary>The numbers say otherwise, and the whole interval does: a result like any other.</summary>
    Fails,

    /// <summary>The interval has both sides: these questions and seeds cannot tell.</summary>
    WithinNoise,

    /// <summary>Numbers it needs are not there.</summary>
    Undecided,
}

/// <summary>One comparison of a statement: a number that must lie on one side of a bound.</summary>
/// <param name="Label">What is compared: <c>WISE − KL</c>.</param>
/// <param name="Value">The number; null where it is not there.</param>
/// <param name="Interval">Its 95 % interval; null where there are no resamples.</param>
/// <param name="Relation">The side it must lie on: <c>&gt; 0</c>.</param>
/// <param name="Verdict">On which side it lies.</param>
/// <param name="Margin">How far the interval's nearer end lies on the right side; negative on the wrong one.</param>
public sealed record Part(
    string Label,
    double? Value,
    (double Low, double High)? Interval,
    string Relation,
    Verdict Verdict,
    double Margin
)
{
    /// <summary><c>WISE − KL +0.050 [-0.020, +0.110]</c>, with the bound where it is not zero.</summary>
    public override string ToString()
    {
        if (Value is not { } value)
            return Label + " missing";
        var signed = Relation is "> 0" or ">= 0" or "< 0" or "<= 0";
        string Number(double x) =>
            x.ToString(signed ? "+0.000;-0.000;0.000" : "0.000;-0.000;0.000", CultureInfo.InvariantCulture);
        return $"{Label} {Number(value)}{(Interval is { } i ? $" [{Number(i.Low)}, {Number(i.High)}]" : "")}"
            + (signed ? "" : $" ({Relation}?)");
    }
}

/// <summary>Comparisons and what follows from them.</summary>
/// <param name="Verdict">Of all together.</param>
/// <param name="Parts">Every comparison.</param>
/// <param name="Deciding">The one that the verdict hangs on; null without any.</param>
public sealed record Judgement(Verdict Verdict, IReadOnlyList<Part> Parts, Part? Deciding)
{
    private const double Rounding = 1e-9; // a difference of sums of the same numbers is zero up to this

    /// <summary>The number lies above the bound.</summary>
    public static Judgement Above(string label, Quantity? number, double bound = 0) =>
        Compare(label, number, bound, 1, strict: true);

    /// <summary>The number lies at the bound or above.</summary>
    public static Judgement AtLeast(string label, Quantity? number, double bound = 0) =>
        Compare(label, number, bound, 1, strict: false);

    /// <summary>The number lies below the bound.</summary>
    public static Judgement Below(string label, Quantity? number, double bound = 0) =>
        Compare(label, number, bound, -1, strict: true);

    /// <summary>The number lies at the bound or below.</summary>
    public static Judgement AtMost(string label, Quantity? number, double bound = 0) =>
        Compare(label, number, bound, -1, strict: false);

    /// <summary>
    /// All hold. Fails where one fails; else undecided where one is, then within noise where one is.
    /// </summary>
    public static Judgement All(IEnumerable<Judgement> judgements) => Combine(judgements, Verdict.Fails, Verdict.Holds);

    /// <summary>
    /// One holds. Holds where one does; else undecided where one is, then within noise where one is.
    /// </summary>
    public static Judgement Any(IEnumerable<Judgement> judgements) => Combine(judgements, Verdict.Holds, Verdict.Fails);

    private static Judgement Compare(string label, Quantity? number, double bound, int sign, bool strict)
    {
        var relation = string.Create(
            CultureInfo.InvariantCulture,
            $"{(sign > 0 ? '>' : '<')}{(strict ? "" : "=")} {bound}"
        );
        if (number is null)
            return Of(new Part(label, null, null, relation, Verdict.Undecided, double.NegativeInfinity));
        double Side(double x) => sign * (x - bound);
        bool Right(double x) => strict ? Side(x) > Rounding : Side(x) >= -Rounding;
        var (low, high) = number.Interval ?? (number.Value, number.Value);
        var verdict = (Right(low), Right(high)) switch
        {
            (true, true) => Verdict.Holds,
            (false, false) => Verdict.Fails,
            _ => Verdict.WithinNoise,
        };
        return Of(new Part(label, number.Value, number.Interval, relation, verdict, Math.Min(Side(low), Side(high))));
    }

    private static Judgement Of(Part part) => new(part.Verdict, [part], part);

    // The first verdict of one is that of all; the last needs every one.
    private static Judgement Combine(IEnumerable<Judgement> judgements, Verdict first, Verdict last)
    {
        var all = judgements.ToList();
        if (all.Count == 0)
            return new Judgement(Verdict.Undecided, [], null);
        var verdict = ((Verdict[])[first, Verdict.Undecided, Verdict.WithinNoise, last]).First(v =>
            all.Any(j => j.Verdict == v)
        );
        var deciding = all.Where(j => j.Verdict == verdict).Select(j => j.Deciding).OfType<Part>();
        return new Judgement(
            verdict,
            [.. all.SelectMany(j => j.Parts)],
            first == Verdict.Fails ? deciding.MinBy(p => p.Margin) : deciding.MaxBy(p => p.Margin)
        );
    }
}
