using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline.Slurm;

/// <summary>Slurm in this process: a job is a task that does a job's work when those before it have ended.</summary>
internal sealed class Cluster(MiniStudy study) : ISlurm, IDisposable
{
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _open = new(true);
    private readonly Dictionary<string, (string? State, string Reason, int Times)> _kills = [];
    private readonly List<Task> _tasks = [];
    private int _next = 50;

    /// <summary>A job with what became of it.</summary>
    public sealed class Job
    {
        public required string Id { get; init; }

        public required Submission Submission { get; init; }

        public required string Cell { get; init; }

        /// <summary>Null: the cluster does not know it.</summary>
        public string? State { get; set; } = "PENDING";

        public string Reason { get; set; } = "None";

        public bool Good { get; set; }

        public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private readonly List<Job> _jobs = [];
    private readonly List<string> _cancelled = [];

    public IReadOnlyList<Job> Jobs
    {
        get
        {
            lock (_gate)
                return [.. _jobs];
        }
    }

    public IReadOnlyList<string> Cancelled => _cancelled;

    public int MostAtOnce { get; private set; }

    /// <summary>Nothing starts.</summary>
    public void Hold() => _open.Reset();

    public void Release() => _open.Set();

    public async Task SentAsync(int jobs)
    {
        for (var i = 0; i < 1000 && Jobs.Count < jobs; i++)
            await Task.Delay(10);
        Assert.Equal(jobs, Jobs.Count);
    }

    /// <summary>The next jobs on a cell end without a result, and this is what is said of them.</summary>
    public void Kill(string cell, string? state, string reason, int times = 1) => _kills[cell] = (state, reason, times);

    public void GiveNumberAgain(string cell)
    {
        lock (_gate)
            _jobs.Single(j => j.Cell == cell).State = null;
    }

    public string Submit(Submission job)
    {
        lock (_gate)
        {
            var id = $"{_next++}";
            var added = new Job
            {
                Id = id,
                Submission = job,
                Cell = job.Folder.Order()!.Cell,
            };
            var before = _jobs.Where(j => job.After.Contains(j.Id)).ToList();
            _jobs.Add(added);
            MostAtOnce = Math.Max(MostAtOnce, _jobs.Count(j => !j.End.Task.IsCompleted));
            _tasks.Add(Task.Run(() => RunAsync(added, before)));
            return id;
        }
    }

    public IReadOnlyList<QueueRow>? Queue()
    {
        lock (_gate)
            return
            [
                .. _jobs.Select(j =>
                    j.State is null
                        ? new QueueRow(j.Id, "RUNNING", "None", "somebody else's", "")
                        : new QueueRow(j.Id, j.State, j.Reason, j.Submission.Name, j.Submission.Folder.Comment)
                ),
            ];
    }

    public (int Code, int Signal)? ExitOf(string id) => (0, 9);

    public void Cancel(IReadOnlyList<string> ids)
    {
        lock (_gate)
        {
            _cancelled.AddRange(ids);
            foreach (var job in _jobs.Where(j => ids.Contains(j.Id) && j.State is "PENDING" or "RUNNING"))
                (job.State, job.Reason) = ("CANCELLED", "None");
        }
    }

    private async Task RunAsync(Job job, IReadOnlyList<Job> before)
    {
        await Task.WhenAll(before.Select(b => b.End.Task));
        _open.Wait();
        try
        {
            if (!job.Submission.EvenAfterFailure && before.Any(b => !b.Good))
            {
                Say(job, "CANCELLED", "DependencyNeverSatisfied");
                return;
            }
            if (job.State == "CANCELLED")
                return;
            Say(job, "RUNNING", "None");
            if (_kills.TryGetValue(job.Cell, out var kill) && kill.Times > 0)
            {
                _kills[job.Cell] = kill with { Times = kill.Times - 1 };
                Say(job, kill.State, kill.Reason);
                return;
            }
            var code = await SlurmJob.RunAsync(job.Submission.Folder, Ground, CancellationToken.None);
            job.Good = code == 0;
            if (job.State is not null)
                Say(job, code == 0 ? "COMPLETED" : "FAILED", "None");
        }
        finally
        {
            job.End.SetResult();
        }
    }

    private void Say(Job job, string? state, string reason)
    {
        lock (_gate)
            (job.State, job.Reason) = (state, reason);
    }

    private SlurmJob.Ground Ground(JobOrder order)
    {
        var plan = study.Plan([.. order.Sets]);
        return new(plan, study.Store(), study.Keys(plan), new InProcessRunner(study.Fakes.Catalog), new RunOptions());
    }

    public void Dispose()
    {
        _open.Set();
        Task.WaitAll([.. _tasks], TimeSpan.FromSeconds(30));
        _open.Dispose();
    }
}
