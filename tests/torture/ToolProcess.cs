using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Torture;

/// <summary>The verbs of the processes that are tormented: a run of the study, and its worker.</summary>
internal static class ToolProcess
{
    public const string Tool = "tool",
        Worker = "worker";

    // Finds the processes of a run whatever became of their parents.
    private const string MarkVariable = "TORTURE_RUN";

    private static readonly string[] Program = [Environment.ProcessPath!, typeof(ToolProcess).Assembly.Location];

    /// <summary>Runs the study, or some of its cells, to the end.</summary>
    /// <param name="arguments">Folder, seed, targets.</param>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var plan = SyntheticStudy.Plan(arguments[0], int.Parse(arguments[1], CultureInfo.InvariantCulture));
        var store = SyntheticStudy.Store(plan.Root);
        await using var runner = new WorkerPool([.. Program, Worker]);
        var cells = Targets.WithUpstream(plan, Targets.Named(plan, arguments[2..]));
        var result = await new Scheduler(plan, store, SyntheticStudy.Keys(plan, store), runner, new Quiet()).RunAsync(
            cells,
            new RunOptions { Jobs = 2 },
            CancellationToken.None
        );
        foreach (var failed in result.Cells.Where(c => c.Outcome == Outcome.Failed))
            Console.Error.WriteLine($"{failed.Cell}: {failed.Error!.Message}");
        return result.Count(Outcome.Failed) + result.Count(Outcome.NotRun) == 0 ? 0 : 1;
    }

    /// <summary>Serves one scheduler.</summary>
    public static int Serve() =>
        Pipeline.Worker.Serve(
            SyntheticStudy.Catalog,
            Console.OpenStandardInput(),
            Console.OpenStandardOutput()
        );

    /// <summary>Starts a run.</summary>
    /// <param name="root">The study's folder.</param>
    /// <param name="seed">Of the study.</param>
    /// <param name="variables">More of the environment.</param>
    /// <param name="targets">Cells; all when there are none.</param>
    public static Started Start(
        string root,
        int seed,
        IReadOnlyDictionary<string, string>? variables = null,
        params string[] targets
    )
    {
        var start = new ProcessStartInfo(Program[0])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (
            var argument in (string[])
                [Program[1], Tool, root, seed.ToString(CultureInfo.InvariantCulture), .. targets]
        )
            start.ArgumentList.Add(argument);
        var mark = Guid.NewGuid().ToString("N");
        start.Environment[MarkVariable] = mark;
        start.Environment[SyntheticStudy.JournalVariable] = Path.Combine(root, "journal.txt");
        foreach (var (name, value) in variables ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return new Started(Process.Start(start)!, mark);
    }

    /// <summary>A run under way.</summary>
    internal sealed class Started(Process process, string mark) : IDisposable
    {
        private readonly Task<string> _said = process.StandardError.ReadToEndAsync();
        private readonly Task<string> _printed = process.StandardOutput.ReadToEndAsync();

        public bool HasExited => process.HasExited;

        /// <summary>Waits to its end.</summary>
        /// <returns>Its exit code; -1 where it did not end in a minute.</returns>
        public int Finish()
        {
            if (process.WaitForExit(60_000))
                return process.ExitCode;
            process.Kill(entireProcessTree: true);
            return -1;
        }

        /// <summary>What it told.</summary>
        public string Said() => _said.Wait(2000) ? _said.Result : "";

        /// <summary>kill -9 of the tool alone: its workers must notice by themselves.</summary>
        public void KillTool() => process.Kill(entireProcessTree: false);

        /// <summary>kill -9 of one worker; false where there is none.</summary>
        public bool KillWorker(int which)
        {
            var workers = Alive(mark).Where(id => id != process.Id).ToList();
            if (workers.Count == 0)
                return false;
            try
            {
                using var worker = Process.GetProcessById(workers[which % workers.Count]);
                worker.Kill();
                return true;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                return false;
            }
        }

        /// <summary>Whether two seconds after its end a process of the run is still alive.</summary>
        public bool LeavesOrphans()
        {
            process.WaitForExit();
            for (var clock = Stopwatch.StartNew(); clock.ElapsedMilliseconds < 2000; Thread.Sleep(10))
                if (Alive(mark).Count == 0)
                    return false;
            return Alive(mark).Count > 0;
        }

        public void Dispose()
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            process.WaitForExit();
            _printed.Wait(2000);
            process.Dispose();
        }
    }

    private static List<int> Alive(string mark)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                try
                {
                    if (File.ReadAllText($"{folder}/environ").Contains(mark, StringComparison.Ordinal))
                        found.Add(id);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Gone, or somebody else's.
                }
        return found;
    }

    private sealed class Quiet : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) { }

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }
}
