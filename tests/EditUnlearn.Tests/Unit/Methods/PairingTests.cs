using EditUnlearn.Foundation;
using EditUnlearn.Methods.Gradient;

namespace EditUnlearn.Tests.Unit.Methods;

public class PairingTests
{
    private static readonly int[] FourRefusals = [.. Enumerable.Repeat(4, 20)];

    [Fact]
    public void Every_epoch_visits_every_forget_row_once_in_an_order_of_its_own()
    {
        var rows = Pairing.Draw(new Seed(42), 20, 380, FourRefusals, 60);
        var epochs = rows.Chunk(20).Select(e => e.Select(r => r.Forget).ToArray()).ToArray();
        foreach (var epoch in epochs)
            Assert.Equal(Enumerable.Range(0, 20), epoch.Order());
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(epochs[1], epochs[2]);
    }

    [Fact]
    public void The_forget_order_is_the_same_for_methods_with_and_without_retain_rows_and_refusals()
    {
        var alone = Pairing.Draw(new Seed(7), 20, 0, [], 50);
        var both = Pairing.Draw(new Seed(7), 20, 33, FourRefusals, 50);
        Assert.Equal(alone.Select(r => r.Forget), both.Select(r => r.Forget));
        Assert.All(alone, r => Assert.Equal((-1, -1), (r.Retain, r.Refusal)));
        var retainOnly = Pairing.Draw(new Seed(7), 20, 33, [], 50);
        Assert.Equal(retainOnly.Select(r => r.Retain), both.Select(r => r.Retain));
    }

    [Fact]
    public void Same_seed_same_rows_and_another_seed_other_rows()
    {
        Assert.Equal(
            Pairing.Draw(new Seed(1), 20, 5, FourRefusals, 99),
            Pairing.Draw(new Seed(1), 20, 5, FourRefusals, 99)
        );
        Assert.NotEqual(
            Pairing.Draw(new Seed(1), 20, 5, FourRefusals, 99),
            Pairing.Draw(new Seed(2), 20, 5, FourRefusals, 99)
        );
    }

    [Fact]
    public void Retain_rows_and_refusals_are_drawn_uniformly()
    {
        const int Draws = 100_000,
            Retain = 50;
        var rows = Pairing.Draw(new Seed(3), 20, Retain, FourRefusals, Draws);
        // Chi-square at 1 %: 74.92 for 49 and 11.34 for 3 degrees of freedom.
        Assert.True(ChiSquare(rows.Select(r => r.Retain), Retain, Draws) < 74.92);
        Assert.True(ChiSquare(rows.Select(r => r.Refusal), 4, Draws) < 11.34);

        static double ChiSquare(IEnumerable<int> values, int bins, int draws)
        {
            var counts = new int[bins];
            foreach (var v in values)
                counts[v]++;
            var expected = (double)draws / bins;
            return counts.Sum(c => (c - expected) * (c - expected) / expected);
        }
    }

    [Fact]
    public void A_single_target_per_question_is_always_chosen()
    {
        var one = Enumerable.Repeat(1, 20).ToArray();
        Assert.All(Pairing.Draw(new Seed(3), 20, 5, one, 100), r => Assert.Equal(0, r.Refusal));
    }

    [Fact]
    public void Each_question_meets_every_refusal_of_the_list_alike_afresh_at_every_visit()
    {
        const int Rows = 20,
            List = 100,
            Epochs = 2000;
        var rows = Pairing.Draw(new Seed(9), Rows, 50, [.. Enumerable.Repeat(List, Rows)], Rows * Epochs);
        var (expected, misses) = ((double)Epochs / List, 0);
        foreach (var question in rows.GroupBy(r => r.Forget))
        {
            var counts = new int[List];
            foreach (var r in question)
                counts[r.Refusal]++;
            // Chi-square at 1 % for 99 degrees of freedom; of 20 questions one may lie above.
            if (counts.Sum(c => (c - expected) * (c - expected) / expected) > 134.64)
                misses++;
            // The same refusal twice in a row comes once in a hundred visits.
            var drawn = question.Select(r => r.Refusal).ToList();
            Assert.InRange(drawn.Zip(drawn.Skip(1)).Count(p => p.First == p.Second), 4, 45);
        }
        Assert.True(misses <= 1, $"{misses} of {Rows} questions");
    }

    [Fact]
    public void Refusals_are_the_same_with_and_without_retain_rows()
    {
        var hundred = Enumerable.Repeat(100, 20).ToArray();
        Assert.Equal(
            Pairing.Draw(new Seed(7), 20, 0, hundred, 400).Select(r => (r.Forget, r.Refusal)),
            Pairing.Draw(new Seed(7), 20, 33, hundred, 400).Select(r => (r.Forget, r.Refusal))
        );
    }
}
