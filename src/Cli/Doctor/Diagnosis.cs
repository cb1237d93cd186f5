namespace EditUnlearn.Cli.Doctor;

/// <summary>Whether something will do.</summary>
internal enum Verdict
{
    /// <summary>It will.</summary>
    Ok,

    /// <summary>It fits the machine, but not what is free now.</summary>
    Tight,

    /// <summary>It does not fit.</summary>
    TooMuch,

    /// <summary>It is not there.</summary>
    Missing,

    /// <summary>It is there and wrong.</summary>
    Damaged,

    /// <summary>Nothing is known.</summary>
    Unknown,
}

/// <summary>A model of the profile.</summary>
/// <param name="Name">In the study.</param>
/// <param name="Place">Its folder, or who makes it.</param>
/// <param name="StoredBytes">Length of its weight files; null where they are not there.</param>
/// <param name="StoredType">As its files say; null while unknown.</param>
/// <param name="LoadedBytes">Weights in memory in the profile's type; null while its shape is unknown.</param>
/// <param name="Verdict">Whether it is there and complete.</param>
/// <param name="Detail">What is missing.</param>
internal sealed record ModelLine(
    string Name,
    string Place,
    long? StoredBytes,
    string? StoredType,
    long? LoadedBytes,
    Verdict Verdict,
    string? Detail
);

/// <summary>A file of the profile.</summary>
/// <param name="Path">As in pipeline.yaml.</param>
/// <param name="Bytes">Its length; null where it is not there.</param>
/// <param name="Pinned">Whether its content is known beforehand.</param>
/// <param name="Verdict">Whether it is there and as published.</param>
internal sealed record FileLine(string Path, long? Bytes, bool Pinned, Verdict Verdict);

/// <summary>What one kind of work will need for one model.</summary>
/// <param name="Stage">Its name, with the method where there is one.</param>
/// <param name="Model">The model.</param>
/// <param name="NeededBytes">Estimated peak; null while unknown.</param>
/// <param name="Mostly">The largest part of it.</param>
/// <param name="SeenBytes">Peak of the latest run; null where it never ran.</param>
/// <param name="Verdict">Against the memory of the device.</param>
internal sealed record StageLine(
    string Stage,
    string Model,
    long? NeededBytes,
    string Mostly,
    long? SeenBytes,
    Verdict Verdict
);

/// <summary>Something that stands in the way, and the command that helps.</summary>
/// <param name="Problem">One sentence.</param>
/// <param name="Command">What to type.</param>
internal sealed record Advice(string Problem, string Command);

/// <summary>What is left to do.</summary>
/// <param name="Stages">Of the profile.</param>
/// <param name="Open">Of them have no result here.</param>
/// <param name="Seconds">Of the open ones, one after the other, as far as known.</param>
/// <param name="Unknown">Open ones whose time nothing tells: neither a run here nor one that came with the
/// checkout.</param>
internal sealed record WorkLine(int Stages, int Open, double Seconds, int Unknown);

/// <summary>What <c>doctor</c> found.</summary>
internal sealed record Diagnosis(
    string Profile,
    string Device,
    string DType,
    MachineFacts Machine,
    IReadOnlyList<ModelLine> Models,
    IReadOnlyList<FileLine> Files,
    IReadOnlyList<StageLine> Stages,
    IReadOnlyList<Advice> Advice
)
{
    /// <summary>What running it will take; null where nobody asked.</summary>
    public WorkLine? Work { get; init; }

    /// <summary>
    /// 0 where the profile can run; 6 where something is missing or does not fit, 5 where all is there but something is
    /// damaged.
    /// </summary>
    public int ExitCode
    {
        get
        {
            var all = Models
                .Select(m => m.Verdict)
                .Concat(Files.Select(f => f.Verdict))
                .Concat(Stages.Select(s => s.Verdict))
                .ToList();
            if (
                all.Any(v => v is Verdict.Missing or Verdict.TooMuch)
                || Machine.LibtorchProblem is not null
                || (Device != "cpu" && !Machine.Cuda)
            )
                return ExitCodes.Unavailable;
            return all.Contains(Verdict.Damaged) ? ExitCodes.Damaged : ExitCodes.Done;
        }
    }
}
