using System.Globalization;

namespace EditUnlearn.Pipeline;

/// <summary>Runs a stage's code on a job, in whatever process this is, and hashes what it wrote.</summary>
internal static class StageExecution
{
    public static StageResult Run(IStage stage, StageJob job, Action<StageMessage> observe, CancellationToken cancelled)
    {
        var parameters = ParameterBinder.FromJson(stage.ParametersType, job.Parameters);
        Directory.CreateDirectory(job.Staging);
        Directory.CreateDirectory(job.Scratch);
        var io = new Io(stage.Info, job, observe, cancelled);
        var cpu = Environment.CpuUsage.TotalTime;
        ProcessMemory.ResetPeak();
        stage.Run(parameters, io);
        cancelled.ThrowIfCancellationRequested();
        var outputs = stage.Info.Outputs.Select(o => StoredOutput.Of(job.Staging, o)).ToList();
        var known = stage.Info.Outputs.Select(o => Path.Combine(job.Staging, o)).ToHashSet(StringComparer.Ordinal);
        if (Directory.EnumerateFileSystemEntries(job.Staging).FirstOrDefault(e => !known.Contains(e)) is { } extra)
            throw new StageFailedException($"'{Path.GetFileName(extra)}' was written but is not a declared output");
        return new StageResult(
            outputs,
            (Environment.CpuUsage.TotalTime - cpu).TotalSeconds,
            ProcessMemory.PeakBytes(),
            io.Metrics,
            io.Warnings
        );
    }

    private sealed class Io(StageInfo info, StageJob job, Action<StageMessage> observe, CancellationToken cancelled)
        : StageIo
    {
        private long _lastProgress;

        public Dictionary<string, double> Metrics { get; } = new(StringComparer.Ordinal);

        public List<string> Warnings { get; } = [];

        public override CellId Cell { get; } = new(job.Cell, job.Axes);

        public override string Device => job.Device;

        public override string DType => job.DType;

        public override int Threads => job.Threads;

        public override bool FellBack => job.FellBack;

        public override CancellationToken Cancelled => cancelled;

        public override string Scratch => job.Scratch;

        public override IReadOnlyList<BoundInput> Inputs(string name) =>
            info.Inputs.Any(i => i.Name == name)
                ?
                [
                    .. job
                        .Inputs.Where(i => i.Name == name)
                        .Select(i => new BoundInput(
                            i.SourceStage is null ? null : new CellId(i.SourceStage, i.SourceAxes),
                            i.Path
                        )),
                ]
                : throw new InvalidOperationException(
                    $"The stage '{info.Name}' reads an input '{name}' it does not declare."
                );

        public override string Output(string name) =>
            info.Outputs.Contains(name)
                ? Path.Combine(job.Staging, name)
                : throw new InvalidOperationException(
                    $"The stage '{info.Name}' writes an output '{name}' it does not declare."
                );

        public override void Progress(double done, double total, string? what = null)
        {
            QuietCollection.IfDue();
            // Ten times a second is more than anybody can read.
            var now = Environment.TickCount64;
            if (now - _lastProgress < 100 && done < total)
                return;
            _lastProgress = now;
            observe(new StageMessage(StageMessageKind.Progress, what, done, total));
        }

        public override void Log(string line) => observe(new StageMessage(StageMessageKind.Log, line));

        public override void Show(string text) => observe(new StageMessage(StageMessageKind.Result, text));

        public override void Warn(string line)
        {
            Warnings.Add(line);
            observe(new StageMessage(StageMessageKind.Warning, line));
        }

        public override void Metric(string name, double value)
        {
            Metrics[name] = value;
            Log(string.Create(CultureInfo.InvariantCulture, $"{name} = {value}"));
        }
    }
}

/// <summary>Runs stages in this process: for tests of stages and of the engine.</summary>
internal sealed class InProcessRunner(StageCatalog catalog) : IStageRunner
{
    /// <inheritdoc/>
    public Task<StageResult> RunAsync(StageJob job, Action<StageMessage> observe, CancellationToken cancelled) =>
        Task.Run(
            () =>
            {
                ArgumentNullException.ThrowIfNull(job);
                try
                {
                    return StageExecution.Run(catalog.Find(job.Stage)!, job, observe, cancelled);
                }
                catch (Exception e)
                    when (e
                            is not (
                                StageFailedException
                                or OperationCanceledException
                                or Foundation.InputException
                                or Foundation.DamagedFileException
                                or Foundation.ResourceUnavailableException
                            )
                    )
                {
                    throw new StageFailedException(e.Message, e);
                }
            },
            cancelled
        );

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
