using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Benchmarks.Speed;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>
/// <c>-- rates --study DIR --model DIR</c>: how many of the study's questions the untouched model answers in a second,
/// and how many tokens of full finetuning it takes, on one thread and on two: to set beside what was measured with
/// other programs.
/// </summary>
internal static class RatesVerb
{
    private const int NewTokens = 24,
        Rows = 8,
        Length = 64,
        Updates = 4,
        Rounds = 3;
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Prints a table of wall clock rates, the best of three rounds.</summary>
    /// <param name="arguments">Pairs of name and value.</param>
    /// <returns>The exit code: 0.</returns>
    public static int Run(string[] arguments)
    {
        if (arguments is not ["--study", var folder, "--model", var place])
            throw new ArgumentException("rates --study DIR --model DIR");
        TorchRuntime.Initialise();
        var study = Study.Read(folder);
        using var checkpoint = Checkpoint.Load(place);
        List<string> questions =
        [
            .. study.Forget.Select(r => r.Question),
            .. study.Forget.SelectMany(r => r.Rephrasings.Take(2)),
            .. study.Seen.Select(r => r.Question),
            .. study.Unseen.Select(r => r.Question),
        ];
        Console.WriteLine("| what | threads | s | rate |\n|---|---:|---:|---|");
        foreach (var threads in new[] { 1, 2 })
        {
            var tokens = 0;
            var seconds = Best(() => tokens = Ask(checkpoint, questions, threads));
            Tell(
                $"{questions.Count} questions",
                threads,
                seconds,
                $"{questions.Count / seconds:0.0} questions/s, {tokens / seconds:0} new tokens/s"
            );
        }
        foreach (var threads in new[] { 1, 2 })
        {
            using var spread = ProductThreads.Use(threads);
            var seconds = Best(() => Train(checkpoint.Model));
            Tell(
                $"{Updates} updates of {Rows} rows of {Length} tokens, all weights",
                threads,
                seconds,
                $"{Updates * Rows / seconds:0.00} rows/s, {Updates * Rows * Length / seconds:0} tokens/s"
            );
        }
        return 0;
    }

    private static void Tell(string what, int threads, double seconds, FormattableString rate) =>
        Console.WriteLine(
            string.Create(Invariant, $"| {what} | {threads} | {seconds:0.0} | {rate.ToString(Invariant)} |")
        );

    private static double Best(Action what) =>
        Enumerable
            .Range(0, Rounds)
            .Min(_ =>
            {
                var clock = Stopwatch.StartNew();
                what();
                return clock.Elapsed.TotalSeconds;
            });

    // New tokens, those that end an answer included.
    private static int Ask(Checkpoint checkpoint, List<string> questions, int threads) =>
        GreedyDecoder
            .Decode(
                checkpoint.Model,
                [.. questions.Select(q => checkpoint.Prompt(q))],
                new GreedyDecoder.Options
                {
                    MaxNewTokens = NewTokens,
                    StopIds = checkpoint.StopIds,
                    Threads = threads,
                }
            )
            .Sum(s => s.Ids.Count + (s.Reason == StopReason.StopToken ? 1 : 0));

    private static void Train(CausalLm model) =>
        Jobs.Train(
            model,
            Updates,
            1e-6,
            step => RowBatch.Of(Drawn(model.Config.VocabSize, new Seed((ulong)step).Stream("rows")))
        );

    private static List<TokenRow> Drawn(int words, SplitMix64 stream)
    {
        var rows = new List<TokenRow>();
        for (var i = 0; i < Rows; i++)
            rows.Add(new TokenRow([.. Enumerable.Range(0, Length).Select(_ => stream.Below(words))], Length / 2));
        return rows;
    }
}
