using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Reports.Regression;

/// <summary>
/// How far a cell may move before it has moved. A file of the project, a line a metric; <c>*</c> for every other.
/// </summary>
public sealed class Tolerances
{
    private const double DefaultSpread = 2;
    private readonly IReadOnlyDictionary<string, Tolerance> _byMetric;

    private Tolerances(IReadOnlyDictionary<string, Tolerance> byMetric) => _byMetric = byMetric;

    /// <summary>What a metric is allowed: the largest of the four.</summary>
    /// <param name="Absolute">In units of the metric.</param>
    /// <param name="Relative">Share of the accepted value.</param>
    /// <param name="Sigma">Standard errors of the present value.</param>
    /// <param name="Spread">Standard deviations over seeds of the accepted value, where it has one.</param>
    public sealed record Tolerance(double Absolute, double Relative, double Sigma, double Spread = DefaultSpread)
    {
        /// <summary>The bound for one cell.</summary>
        /// <param name="accepted">The accepted value.</param>
        /// <param name="standardError">Of the present value.</param>
        /// <param name="sigma">Of the accepted value over seeds; null for a single seed.</param>
        public double Of(double accepted, double standardError, double? sigma = null) =>
            Math.Max(
                Math.Max(Absolute, Relative * Math.Abs(accepted)),
                Math.Max(Sigma * standardError, Spread * (sigma ?? 0))
            );
    }

    /// <summary>Of a column of the tables.</summary>
    public Tolerance Of(string metric) => _byMetric.TryGetValue(metric, out var own) ? own : _byMetric["*"];

    /// <summary>Reads <c>metric,abs,rel,sigma</c>, and <c>spread</c> where the file has it.</summary>
    /// <exception cref="InputException">The file is absent or wrong; every wrong line at once.</exception>
    public static Tolerances Read(string path)
    {
        var problems = new List<InputProblem>();
        var byMetric = new Dictionary<string, Tolerance>(StringComparer.Ordinal);
        foreach (var (line, fields) in Csv.Read(path, "metric", "abs", "rel", "sigma"))
        {
            double Number(string name)
            {
                if (
                    double.TryParse(fields[name], NumberStyles.Float, CultureInfo.InvariantCulture, out var x)
                    && x >= 0
                    && double.IsFinite(x)
                )
                    return x;
                problems.Add(
                    new InputProblem(path, line, 0, $"'{name}' must be a number of at least 0, not '{fields[name]}'")
                );
                return 0;
            }
            var own = new Tolerance(
                Number("abs"),
                Number("rel"),
                Number("sigma"),
                fields.ContainsKey("spread") ? Number("spread") : DefaultSpread
            );
            if (!byMetric.TryAdd(fields["metric"], own))
                problems.Add(new InputProblem(path, line, 0, $"the metric '{fields["metric"]}' stands there twice"));
        }
        if (!byMetric.ContainsKey("*"))
            problems.Add(new InputProblem(path, 0, 0, "has no line for '*', which stands for every metric not named"));
        return problems.Count > 0 ? throw new InputException(problems) : new Tolerances(byMetric);
    }
}
