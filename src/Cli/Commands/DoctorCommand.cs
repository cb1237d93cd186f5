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

    // By results, not by keys: a key would need the content of every checkpoint.
    private static WorkLine Work(Study study)
    {
        var open = study.Plan.Cells.Where(c => study.Store.LastKey(c.Id) is null).ToList();
        var seconds = open
            .Select(c => study.Store.ExpectedSeconds(c.Id, c.Stage.Info.Name, study.Plan.Device))
            .ToList();
        return new WorkLine(study.Plan.Cells.Count, open.Count, seconds.Sum() ?? 0, seconds.Count(s => s is null));
    }

    // A cell of the same name under another profile, on another device or in another type, was another computation.
    private static long? SeenPeak(Study study, CellId cell) =>
        study.Store.LastKey(cell) is { } key
        && study.Store.ReadManifest(key) is { } last
        && (last.Device, last.DType) == (study.Plan.Device, study.Plan.DType)
            ? last.PeakBytes
            : null;
}
