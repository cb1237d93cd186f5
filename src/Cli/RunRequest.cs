using System.Globalization;
using EditUnlearn.Cli.Commands;
using EditUnlearn.Cli.Doctor;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>What a run may use: from options, from the Slurm job around it, from the machine.</summary>
internal sealed record RunRequest
{
    // The process that plans and watches.
    private const long OwnBytes = 512L << 20;

    /// <summary>Threads; 0 for one a processor.</summary>
    public int Jobs { get; init; }

    /// <summary>See <see cref="Gpus.Choose"/>.</summary>
    public string? GpusWanted { get; init; }

    /// <summary>Budget of each GPU, such as 40GB; null for what the driver says.</summary>
    public string? GpuMemory { get; init; }

    /// <summary>Stages on one GPU at a time.</summary>
    public int StagesPerGpu { get; init; } = 1;

    /// <summary>Budget of the machine's memory, such as 64GB; null for that of a Slurm job, else none.</summary>
    public string? Memory { get; init; }

    /// <summary>What a scheduler of the study may use.</summary>
    /// <exception cref="InputException">Options are wrong; all at once.</exception>
    /// <exception cref="ResourceUnavailableException">GPUs are wanted that are not there.</exception>
    public RunOptions Options(Study study)
    {
        new OptionChecks()
            .AtLeast("-j", Jobs, 0)
            .AtLeast("--stages-per-gpu", StagesPerGpu, 1)
            .That(
                GpusWanted is null || study.Plan.Device == DeviceNames.Cuda,
                "--gpus",
                $"the run's device is {study.Plan.Device}",
                $"--set device={DeviceNames.Cuda} lets it use all GPUs that are seen"
            )
            .Demand();
        var allocation = Allocation.Of(Environment.GetEnvironmentVariable);
        var sources = SourceCatalog.Read(Path.Combine(study.Root, SourceCatalog.FileName));
        var shapes = new ModelShapes(study.Plan, sources);
        return new RunOptions
        {
            Jobs = Jobs > 0 ? Jobs : allocation?.Cpus ?? Environment.ProcessorCount,
            HostBytes = Memory is not null ? Sizes.Parse("--memory", Memory) : allocation?.HostBytes - OwnBytes,
            Gpus =
                study.Plan.Device == DeviceNames.Cuda
                    ? Gpus.Choose(
                        GpusWanted,
                        GpuMemory is null ? null : Sizes.Parse("--gpu-memory", GpuMemory),
                        Environment.GetEnvironmentVariable
                    )
                    : [],
            StagesPerGpu = StagesPerGpu,
            Planned = cell => shapes.Memory(cell)?.Bytes,
            Relief = shapes.Relief,
            Versions = Study.VersionsOn(study.Plan.Device),
        };
    }

    /// <summary>Processes that run stages.</summary>
    public static WorkerPool Workers(Study study) =>
        new(
            [.. OwnProgram(), WorkerCommand.Verb],
            Allocation.Of(Environment.GetEnvironmentVariable)?.Cpus ?? Environment.ProcessorCount,
            study.Plan.Numerics
        );

    /// <summary>How Slurm is used.</summary>
    /// <param name="study">With its device.</param>
    /// <param name="sets">Changes of settings, as typed.</param>
    /// <param name="arguments">Of <c>sbatch</c>, as typed.</param>
    /// <param name="gres">For accelerator stages; null for a GPU where the device is one.</param>
    /// <param name="queue">Jobs in the queue at once.</param>
    /// <param name="variables">Names that jobs see too.</param>
    public static SlurmOptions Slurm(
        Study study,
        IReadOnlyList<string> sets,
        string? arguments,
        string? gres,
        int queue,
        IReadOnlyList<string> variables
    )
    {
        new OptionChecks().AtLeast("--slurm-queue", queue, 1).Demand();
        var heartbeat = double.TryParse(
            Environment.GetEnvironmentVariable(SlurmOptions.HeartbeatVariable),
            CultureInfo.InvariantCulture,
            out var seconds
        )
            ? seconds
            : 10;
        return new SlurmOptions
        {
            Program = [.. OwnProgram(), SlurmJobCommand.Verb],
            Sets = sets,
            Arguments = (arguments ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Gres = gres ?? (study.Plan.Device == DeviceNames.Cpu ? null : "gpu:1"),
            Queue = queue,
            Variables = variables,
            Heartbeat = TimeSpan.FromSeconds(Math.Clamp(seconds, 0.2, 600)),
        };
    }

    // Run through the muxer, the program's own assembly is its first argument; run as an apphost it is not.
    private static IEnumerable<string> OwnProgram() =>
        [Environment.ProcessPath!, .. ReproCommand.OwnAssembly()];
}
