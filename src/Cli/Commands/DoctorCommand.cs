using Cocona;
using EditUnlearn.Cli.Doctor;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Hub;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// <c>doctor</c>: what is missing before a profile can run, how much memory each stage will need and how long all of it
/// takes.
/// </summary>
internal sealed class DoctorCommand
{
    /// <summary>Looks at machine, models, files and memory; changes nothing.</summary>
    [Command(
        "doctor",
        Description = "What is missing before a profile can run, and what memory and time it will need"
    )]
    public int Doctor(
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var cache = HubSettings
            .FromEnvironment(
                Environment.GetEnvironmentVariable,
                Environment.GetFolderPath(Environment.SpecialFolder.UserProfile)
            )
            .Cache;
        var sources = SourceCatalog.Read(Path.Combine(study.Root, SourceCatalog.FileName));
        var diagnosis = new Examination(
            study.Plan,
            MachineFacts.Look(study.Root, cache),
            sources,
            cell => SeenPeak(study, cell)
        ).Run() with
        {
            Work = Work(study),
        };
        if (json)
            InspectCommands.PrintJson(DiagnosisView.Json(diagnosis));
        else
            DiagnosisView.Write(Screen.Out, diagnosis);
        return diagnosis.ExitCode;
    }

    private static WorkLine Work(Study study)
    {
        var stale = Status.Of(study.Plan, study.Store, study.Keys).Where(s => s.State != CellState.UpToDate).ToList();
        var seconds = stale
            .Select(s => study.Store.ExpectedSeconds(s.Cell.Id, s.Cell.Stage.Info.Name, study.Plan.Device))
            .ToList();
        return new WorkLine(study.Plan.Cells.Count, stale.Count, seconds.Sum() ?? 0, seconds.Count(s => s is null));
    }

    // A cell of the same name under another profile, on another device or in another type, was another computation.
    private static long? SeenPeak(Study study, CellId cell) =>
        study.Store.LastKey(cell) is { } key
        && study.Store.ReadManifest(key) is { } last
        && (last.Device, last.DType) == (study.Plan.Device, study.Plan.DType)
            ? last.PeakBytes
            : null;
}
