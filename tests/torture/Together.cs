using EditUnlearn.Foundation;

namespace EditUnlearn.Torture;

/// <summary>Two to eight runs side by side on one store, on the same and on disjoint targets (G13).</summary>
internal static class Together
{
    public static IEnumerable<Row> Run(bool isLong)
    {
        var rounds = isLong ? 12 : 1;
        foreach (var isSame in (bool[])[true, false])
        {
            using var arena = new Arena();
            var draw = new Seed(14).Stream(isSame ? "same" : "disjoint");
            var (runs, failed, twice, wrong, torn) = (0, 0, 0, 0, 0);
            for (var round = 0; round < rounds; round++)
            {
                arena.Empty();
                var count = isLong ? round == 0 ? 8 : 2 + draw.Below(7) : 4;
                var started = Enumerable
                    .Range(0, count)
                    .Select(i => ToolProcess.Start(arena.Root, 1, null, isSame ? [] : Disjoint(i, count)))
                    .ToList();
                failed += started.Count(r => r.Finish() != 0);
                started.ForEach(r => r.Dispose());
                runs += count;
                torn += arena.Torn().Count;
                if (!isSame)
                    using (var rest = ToolProcess.Start(arena.Root, 1))
                        failed += rest.Finish() == 0 ? 0 : 1;
                // One execution a key, however many ran.
                twice += arena.Journal().GroupBy(c => c).Count(g => g.Count() > 1);
                wrong += arena.IsAsUndisturbed(1) ? 0 : 1;
            }
            yield return new Row(
                $"{runs} runs in {rounds} rounds side by side on {(isSame ? "the same" : "disjoint")} targets",
                failed + twice + wrong + torn == 0,
                $"{failed} failed, {twice} cells run twice, {torn} torn results, {wrong} rounds with other bytes"
            );
        }
    }

    private static string[] Disjoint(int run, int runs) =>
        [.. Enumerable.Range(0, 8).Where(p => p % runs == run).Select(p => $"blend[{(char)('a' + p)}]")];
}
