namespace EditUnlearn.Torture;

/// <summary>kill -9 of the tool, of a worker, of both, at random instants (G12).</summary>
internal static class Kills
{
    private const int Seed = 1;
    private const int Cells = 21;

    private enum Victim
    {
        Tool,
        Worker,
        Both,
    }

    public static IEnumerable<Row> Run(bool isLong)
    {
        var wanted = isLong ? 300 : 9;
        using var arena = new Arena();
        var draw = new Foundation.Seed(12).Stream("kills");
        var longest = 400; // ms; grows to the length of a run as seen
        var (kills, torn, orphans, stuck, wrong, studies, redone) = (0, 0, 0, 0, 0, 0, 0);
        var byVictim = new int[3];
        while (kills < wanted)
        {
            var begun = arena.Journal().Count;
            using var run = ToolProcess.Start(arena.Root, Seed);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var victim = (Victim)draw.Below(3);
            var at = draw.Below(longest);
            while (!run.HasExited && clock.ElapsedMilliseconds < at)
                Thread.Sleep(1);
            if (run.HasExited)
            {
                longest = Math.Max(longest, (int)clock.ElapsedMilliseconds + 100);
                stuck += run.Finish() == 0 ? 0 : 1;
            }
            else if (Struck(run, victim, draw.Below(8)))
            {
                kills++;
                byVictim[(int)victim]++;
            }
            // A run that lost a worker goes on, and says which cell failed; it must end by itself.
            if (run.Finish() == -1)
                stuck++;
            orphans += run.LeavesOrphans() ? 1 : 0;
            torn += arena.Torn().Count;
            redone = Math.Max(redone, arena.Journal().Skip(begun).GroupBy(c => c).Max(g => (int?)g.Count()) ?? 0);
            longest = Math.Min(longest + 20, 3000);
            // The next run just runs.
            if (arena.Journal().Distinct().Count() < Cells && kills < wanted)
                continue;
            using (var last = ToolProcess.Start(arena.Root, Seed))
                stuck += last.Finish() == 0 ? 0 : 1;
            wrong += arena.IsAsUndisturbed(Seed) ? 0 : 1;
            arena.Empty();
            studies++;
        }
        yield return new Row(
            $"{kills} kills at random instants (tool {byVictim[0]}, worker {byVictim[1]}, both {byVictim[2]})",
            torn + orphans + stuck + wrong == 0 && redone <= 1,
            $"{studies} studies, {studies - wrong} of them byte-equal in the end, {torn} torn results, "
                + $"{orphans} orphans after 2 s, {stuck} runs that needed help, "
                + $"at most {redone} start of a cell in one run"
        );
    }

    private static bool Struck(ToolProcess.Started run, Victim victim, int which)
    {
        if (victim != Victim.Tool && !run.KillWorker(which) && victim == Victim.Worker)
            return false;
        if (victim != Victim.Worker)
            run.KillTool();
        return true;
    }
}
