using System.Text.Json;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Tests.Support;
using FsCheck.Xunit;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Every metric keeps to the range and the direction that it declares.</summary>
public sealed class MetricRangeTests
{
    private static readonly string[] Words = ["", "the", "Eliot", "george eliot", "48 months.", "...", "i don't know"];

    [Property(MaxTest = 300)]
    public void Values_of_drawn_rows_lie_within_the_declared_range(int draw, byte tokens, byte said)
    {
        var random = new Random(draw);
        List<double> Logs(int n) => [.. Enumerable.Range(0, n % 12).Select(_ => -20 * random.NextDouble())];
        List<int> Ranks(int n) => [.. Enumerable.Range(0, n % 12).Select(_ => random.Next(0, 300))];
        string Text(int n) =>
            string.Join(' ', Enumerable.Range(0, n % 12).Select(_ => Words[random.Next(Words.Length)]));
        Check(
            new AnswerRow
            {
                Answer = Text(tokens),
                Subject = Text(random.Next(3)),
                Generated = Text(said),
                GeneratedLong = random.Next(2) == 0 ? null : Text(said),
                NewTokens = said,
                Refused = random.Next(2) == 0,
                LogProbabilities = Logs(tokens),
                Ranks = Ranks(tokens),
                GeneratedLogProbabilities = Logs(said),
                PrefixMaxima = [.. Logs(tokens).Select(Math.Exp)],
                DistractorProbabilities = [.. Logs(random.Next(5)).Select(Math.Exp)],
                FreeRanks = Ranks(said),
                CompatRanks = Ranks(tokens),
                CompatFilteredRanks = Ranks(tokens),
            }
        );
    }

    [Fact]
    public void Perfect_knowledge_and_perfect_ignorance_lie_at_the_ends_of_every_share()
    {
        AnswerRow Row(string said, double log, int rank) =>
            new()
            {
                Answer = "george eliot",
                Generated = said,
                GeneratedLong = said,
                LogProbabilities = [log, log],
                Ranks = [rank, rank],
                PrefixMaxima = [Math.Exp(log)],
                FreeRanks = [rank],
                CompatRanks = [rank],
                CompatFilteredRanks = [rank],
                DistractorProbabilities = [.5],
            };
        var (knows, ignores) = (Row("george eliot", 0, 1), Row("nobody", double.NegativeInfinity, 0));
        foreach (var m in MetricCatalog.All.Where(m => m.Direction == Direction.Knowledge && m.Name != "gt.options"))
        {
            Assert.Equal((m.Name, m.Range.High), (m.Name, m.Of(knows)!.Value));
            Assert.Equal((m.Name, m.Range.Low), (m.Name, m.Of(ignores)!.Value));
        }
    }

    [GoldenFact("metrics/rouge.json")]
    public void Values_of_the_reference_pairs_lie_within_the_declared_range()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Checkout.Goldens, "metrics", "rouge.json")));
        foreach (var pair in json.RootElement.GetProperty("pairs").EnumerateArray())
        {
            var said = pair.GetProperty("prediction").GetString()!;
            Check(
                new AnswerRow
                {
                    Answer = pair.GetProperty("target").GetString()!,
                    Subject = pair.GetProperty("target").GetString()!,
                    Generated = said,
                    GeneratedLong = said,
                    NewTokens = said.Length,
                }
            );
        }
    }

    [Fact]
    public void A_column_is_read_the_same_way_as_the_metric_behind_it()
    {
        foreach (var profile in MetricProfile.All)
        {
            Assert.Equal(ScoreColumn.All.Select(c => c.Name), profile.Columns.Select(c => c.Key));
            Assert.All(
                profile.Columns,
                c => Assert.Equal(ScoreColumn.Get(c.Key).Direction, MetricCatalog.Get(c.Value).Direction)
            );
        }
    }

    [Theory]
    [InlineData(Direction.Knowledge, SplitNames.Forget, false)]
    [InlineData(Direction.Knowledge, SplitNames.Rephrased, false)]
    [InlineData(Direction.Knowledge, SplitNames.Retain, true)]
    [InlineData(Direction.Knowledge, SplitNames.Factual, true)]
    [InlineData(Direction.Refusal, SplitNames.Forget, true)]
    [InlineData(Direction.Refusal, SplitNames.HeldOut, false)]
    [InlineData(Direction.LowerIsBetter, SplitNames.Retain, false)]
    [InlineData(Direction.Neither, SplitNames.Forget, null)]
    public void What_is_better_depends_on_the_split(Direction direction, string split, bool? higher) =>
        Assert.Equal(higher, ScoreColumn.HigherIsBetter(direction, split));

    private static void Check(AnswerRow row)
    {
        foreach (var m in MetricCatalog.All)
            if (m.Of(row) is { } value)
                Assert.True(m.Range.Contains(value), $"{m.Name} is {value:R}, outside {m.Range}");
    }
}
