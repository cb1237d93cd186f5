namespace EditUnlearn.Pipeline;

/// <summary>
/// Says why nothing runs, once: a queue that does not move because nodes are out of service or an account is exhausted
/// looks from outside like one that is merely long.
/// </summary>
internal sealed class QueueStall
{
    // Everybody waits for these.
    private static readonly HashSet<string> Usual =
        new(StringComparer.Ordinal) { "None", "Priority", "Resources", "Dependency", "BeginTime", "JobArrayTaskLimit" };

    private string? _told;

    /// <summary>A sentence where there is news; null otherwise.</summary>
    /// <param name="rows">The run's own jobs, as the queue has them.</param>
    public string? Look(IReadOnlyList<QueueRow> rows)
    {
        var waiting = rows.Where(r => r.State == "PENDING").ToList();
        if (waiting.Count == 0 || rows.Any(r => r.State is "RUNNING" or "CONFIGURING" or "COMPLETING"))
        {
            _told = null;
            return null;
        }
        var reason = waiting.Select(r => r.Reason).FirstOrDefault(r => !Usual.Contains(r));
        if (reason is null || reason == _told)
            return null;
        _told = reason;
        return $"nothing runs: {waiting.Count} jobs wait, and Slurm says '{reason}' (sinfo -R shows why nodes are out "
            + "of service)";
    }
}
