using System.Globalization;
using System.Text.Json.Nodes;

namespace EditUnlearn.Methods.Shared;

/// <summary>All edits of one run: what goes into the patch, the metrics of the stage, and what to warn of.</summary>
internal sealed class HealthReport
{
    /// <summary>
    /// kᵀu / |k| below which a rank-one update disables more than it edits (docs/methods.md, "ROME").
    /// </summary>
    public const double LeastAlignment = 0.3;

    /// <summary>
    /// |v0| over its size in the unedited model from which the weights no longer work as they were trained to:
    /// sequential ROME with the reference's clamp is at 2 from its second edit on, runs that keep the model stay below
    /// 1.2 (docs/log.md).
    /// </summary>
    public const double MostGrowth = 1.5;

    /// <summary>
    /// |W now - W| / |W| from which a layer is more edits than model; within a null space 1.2 was still harmless.
    /// </summary>
    public const double MostDrift = 2;

    private readonly List<EditHealth> _edits = [];

    /// <summary>In the order in which they were made.</summary>
    public IReadOnlyList<EditHealth> Edits => _edits;

    /// <summary>Adds one.</summary>
    public void Add(EditHealth edit) => _edits.Add(edit);

    /// <summary>As it stands in a patch.</summary>
    public JsonArray ToJson() => new([.. _edits.Select(e => e.ToJson())]);

    /// <summary>Tells numbers and warnings.</summary>
    public void Tell(MethodInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (_edits.Count == 0)
            return;
        foreach (var (name, value) in Metrics())
            inputs.Metric?.Invoke(name, value);
        foreach (var warning in Warnings())
            inputs.Warn?.Invoke(warning);
    }

    /// <summary>What the user should know.</summary>
    public IEnumerable<string> Warnings()
    {
        var skewed = _edits.Count(e => e.Layers.Any(l => Math.Abs(l.Alignment ?? 1) < LeastAlignment));
        if (skewed > 0)
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{skewed} of {_edits.Count} edits have a key that lies less than {LeastAlignment} along the "
                    + $"direction of their update: such edits change unrelated text"
            );
        for (var i = 0; i < _edits.Count; i++)
        {
            var edit = _edits[i];
            var drifted = edit.Layers.FirstOrDefault(l => l.Drift > MostDrift);
            if (drifted is null && edit.Growth < MostGrowth)
                continue;
            var seen = drifted is null
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $"values at the lookup position are {edit.Growth:0.0} times those of the unedited model"
                )
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"layer {drifted.Layer} has moved by {drifted.Drift:0.00} of its size"
                );
            yield return $"from edit {i + 1} of {_edits.Count} ({edit.Id}) on the model is out of its working range: "
                + $"{seen}; fewer or gentler edits keep it";
            yield break;
        }
    }

    private IEnumerable<(string Name, double Value)> Metrics()
    {
        var layers = _edits.SelectMany(e => e.Layers).ToList();
        yield return ("target-probability.before", _edits.Average(e => e.ProbabilityBefore));
        yield return ("target-probability.after", _edits.Average(e => e.ProbabilityAfter));
        yield return (
            "last-loss",
            _edits.Where(e => e.Losses.Count > 0).Select(e => e.Losses[^1].Total).DefaultIfEmpty().Average()
        );
        yield return ("clamped-share", _edits.Average(e => e.Clamped ? 1.0 : 0));
        yield return ("growth.max", _edits.Max(e => e.Growth));
        foreach (var group in layers.GroupBy(l => l.Layer).OrderBy(g => g.Key))
        {
            yield return ($"layer{group.Key}.written", group.Average(l => l.Written));
            yield return ($"layer{group.Key}.drift", group.Last().Drift);
        }
        if (layers.Any(l => l.Alignment is not null))
            yield return ("alignment.min", layers.Min(l => Math.Abs(l.Alignment ?? 1)));
    }
}
