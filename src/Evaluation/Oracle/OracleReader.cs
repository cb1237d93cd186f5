using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Evaluation.Oracle;

/// <summary>
/// Reads what two models think of the same texts: distributions of the next token, and wrong answers.
/// </summary>
/// <remarks>
/// The texts of a kind go through a model together and in one order, as where answers are collected: a patch that
/// decides by the rows beside each other decides alike.
/// </remarks>
public static class OracleReader
{
    private const int BatchRows = 64;

    /// <summary>A model, as its passes must be run.</summary>
    /// <param name="Checkpoint">With its patch applied.</param>
    /// <param name="Tap">Of a patch that is more than changed weights.</param>
    public sealed record Reader(Checkpoint Checkpoint, ForwardTap? Tap = null);

    /// <summary>Reads every pair.</summary>
    /// <param name="ours">The model that has to forget.</param>
    /// <param name="oracle">The model that never knew.</param>
    /// <param name="pairs">The questions.</param>
    /// <param name="wrong">The wrong answers to a question, by its id; none where it has none.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    /// <exception cref="ArgumentException">The two have different tokenizers.</exception>
    public static IReadOnlyList<ForgetQuality.Reading> Read(
        Reader ours,
        Reader oracle,
        IReadOnlyList<ForgetQuality.Pair> pairs,
        IReadOnlyDictionary<string, IReadOnlyList<string>> wrong,
        Action<double>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(oracle);
        ArgumentNullException.ThrowIfNull(pairs);
        ArgumentNullException.ThrowIfNull(wrong);
        List<TokenRow> Texts(Reader by, Func<ForgetQuality.Pair, string> answer) =>
            [.. pairs.Select(p => by.Checkpoint.Row(p.Ours.Question, answer(p)))];
        var truth = Texts(oracle, p => p.Oracle.Answer);
        var said = Texts(oracle, p => p.Oracle.Generated);
        if (truth.Zip(Texts(ours, p => p.Oracle.Answer)).Any(t => !t.First.Ids.SequenceEqual(t.Second.Ids)))
            throw new ArgumentException("The two models cut texts into different tokens.", nameof(oracle));
        var alongTruth = Compare(ours, oracle, truth, cancelled);
        progress?.Invoke(0.4);
        var alongSaid = Compare(ours, oracle, said, cancelled);
        progress?.Invoke(0.8);
        var (wrongOurs, wrongOracle) = (Wrong(ours, pairs, wrong, cancelled), Wrong(oracle, pairs, wrong, cancelled));
        return
        [
            .. pairs.Select(
                (_, i) =>
                    new ForgetQuality.Reading(
                        alongTruth[i]?.Kl,
                        alongTruth[i]?.Js,
                        alongSaid[i]?.Kl,
                        alongSaid[i]?.Js,
                        wrongOurs[i],
                        wrongOracle[i]
                    )
            ),
        ];
    }

    // KL(oracle || ours) over the answer of each text, the token that ends it included.
    private static List<Divergence?> Compare(
        Reader ours,
        Reader oracle,
        List<TokenRow> texts,
        CancellationToken cancelled
    )
    {
        IReadOnlyList<IReadOnlyList<float[]>> Seen(Reader by) =>
            LogitProbe.Distributions(
                by.Checkpoint.Model,
                [.. texts.Select(t => new LogitProbe.Row(t.Ids, t.LabelStart, [.. LogitProbe.Labels(t)]))],
                BatchRows,
                by.Tap,
                cancelled
            );
        return [.. Seen(oracle).Zip(Seen(ours)).Select(s => Divergence.Mean(s.First, s.Second))];
    }

    private static List<List<double>> Wrong(
        Reader by,
        IReadOnlyList<ForgetQuality.Pair> pairs,
        IReadOnlyDictionary<string, IReadOnlyList<string>> wrong,
        CancellationToken cancelled
    )
    {
        IReadOnlyList<string> Of(ForgetQuality.Pair pair) => wrong.GetValueOrDefault(pair.Ours.Id) ?? [];
        var rows = pairs.SelectMany(p => Of(p).Select(w => by.Checkpoint.Row(p.Ours.Question, w))).ToList();
        var scores = new Queue<TargetScores>(
            Scorer.Score(by.Checkpoint.Model, rows, BatchRows, by.Tap, cancelled: cancelled)
        );
        return
        [
            .. pairs.Select(p =>
                Of(p).Select(_ => Probability.PerToken(scores.Dequeue().LogProbabilities)!.Value).ToList()
            ),
        ];
    }
}
