using System.Diagnostics;

namespace EditUnlearn.Pipeline;

/// <summary>How long cells will take, from earlier runs and from the progress of what runs.</summary>
/// <param name="device">Where the plan computes.</param>
/// <param name="store">Knows earlier durations.</param>
internal sealed class Forecast(string device, ResultStore store)
{
    private const double Unknown = 1; // of a kind never seen; a poor guess is corrected once one runs
    private const double UnderWay = 0.02; // from this share on a cell's own progress says more than history

    /// <summary>
    /// For each cell the expected seconds of the longest chain that begins with it: the longest goes first.
    /// </summary>
    /// <param name="cells">In plan order.</param>
    public IReadOnlyDictionary<CellId, double> ChainSeconds(IReadOnlyList<Cell> cells)
    {
        var own = cells.ToDictionary(c => c.Id, c => Expected(c) ?? Unknown);
        var chain = new Dictionary<CellId, double>(own);
        foreach (var cell in cells.Reverse())
            foreach (var source in cell.Inputs.OfType<CellOutputInput>().Select(i => i.Cell).Distinct())
                if (chain.TryGetValue(source, out var sofar))
                    chain[source] = Math.Max(sofar, own[source] + chain[cell.Id]);
        return chain;
    }

    /// <summary>Time until all of some cells are done; null while any number would be invented.</summary>
    /// <param name="cells">Not done yet, those that run included.</param>
    /// <param name="running">Since when cells run, and how far they are, 0 to 1.</param>
    /// <param name="jobs">Threads at work side by side.</param>
    public TimeSpan? Left(
        IEnumerable<Cell> cells,
        IReadOnlyDictionary<CellId, (long Start, double Share)> running,
        int jobs
    )
    {
        double left = 0,
            longest = 0;
        foreach (var cell in cells)
        {
            var own = Expected(cell);
            if (running.TryGetValue(cell.Id, out var r))
            {
                if (own is null && r.Share <= UnderWay)
                    return null;
                var elapsed = Stopwatch.GetElapsedTime(r.Start).TotalSeconds;
                own = r.Share > UnderWay ? elapsed * (1 - r.Share) / r.Share : Math.Max(own!.Value - elapsed, 0);
                longest = Math.Max(longest, own.Value);
            }
            left += (own ?? Unknown) * Math.Min(cell.Stage.Info.Threads, jobs);
        }
        return TimeSpan.FromSeconds(Math.Max(left / jobs, longest));
    }

    /// <summary>Expected seconds of a cell alone; null while unknown.</summary>
    public double? Expected(Cell cell) => store.ExpectedSeconds(cell.Id, cell.Stage.Info.Name, device);
}
