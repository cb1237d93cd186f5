using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using Status = EditUnlearn.Pipeline.Status;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>lock</c>: what the results in force were made from, as small files for git.</summary>
internal sealed class LockCommand
{
    /// <summary>Writes the lock, or compares with it.</summary>
    [Command(
        "lock",
        Description = "Write locks/PROFILE, one small file a cell, for git; with --check compare with it, without any "
            + "result: exit 3 when the study is another one"
    )]
    public int Lock(
        [Option("profile", Description = "A profile: a file of profiles/")] string? profile = null,
        [Option("set", Description = "Change a setting")] string[]? set = null,
        [Option("check", Description = "Write nothing; exit 3 when something differs")] bool check = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        var study = Study.Open(profile, set);
        var place = Path.GetRelativePath(study.Root, LockFiles.Folder(study.Plan));
        if (check)
        {
            var drift = LockFiles.Compare(study.Plan, study.Keys);
            study.Files.Save();
            if (json)
                InspectCommands.PrintJson(
                    new JsonObject
                    {
                        ["drift"] = new JsonArray([
                            .. drift.Select(d => new JsonObject
                            {
                                ["cell"] = d.Cell.Text,
                                ["problem"] = d.Problem,
                            }),
                        ]),
                    }
                );
            else
            {
                foreach (var d in drift)
                    Console.Out.WriteLine($"{d.Cell}: {d.Problem}");
                Console.Out.WriteLine(
                    drift.Count == 0
                        ? $"{study.Plan.Cells.Count} stages are as {place} says."
                        : $"{drift.Count} stages differ from {place}."
                );
            }
            return drift.Count == 0 ? ExitCodes.Done : ExitCodes.Stale;
        }
        var all = Status.Of(study.Plan, study.Store, study.Keys);
        study.Files.Save();
        var stale = all.Where(s => s.State != CellState.UpToDate).ToList();
        if (stale.Count > 0)
            throw new InputException(
                stale[0].Cell.Id.Text,
                $"has no result for the present settings, and {stale.Count - 1} more",
                "eu-stage repro first: a lock names what was made"
            );
        var (written, removed) = LockFiles.Write(
            study.Plan,
            all.ToDictionary(s => s.Cell.Id, s => new LockEntry(s.Key!, study.Store.Find(s.Key!)!))
        );
        if (json)
            InspectCommands.PrintJson(new JsonObject { ["written"] = written, ["removed"] = removed });
        else
            Console.Out.WriteLine($"{place}: {all.Count} stages, {written} files written, {removed} removed.");
        return ExitCodes.Done;
    }
}
