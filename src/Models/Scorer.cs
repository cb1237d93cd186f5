using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Reads off, by teacher forcing, how probable each target token is and where it stands among all words.</summary>
public static class Scorer
{
    /// <summary>Scores the labels of every row.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">Prompt and target tokens.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it beyond rounding.</param>
    /// <param name="tap">Intervention; it is told where each row's prompt ends.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<TargetScores> Score(CausalLm model, IReadOnlyList<TokenRow> rows, int batchRows = 64, ForwardTap? tap = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        var results = new TargetScores[rows.Count];
        foreach (var chunk in Enumerable.Range(0, rows.Count).OrderBy(i => rows[i].Ids.Count).Chunk(tap?.BatchRows ?? batchRows))
        {
            cancelled.ThrowIfCancellationRequested();
            using var quiet = inference_mode();
            using var scope = NewDisposeScope();
            using var batch = RowBatch.Of([.. chunk.Select(i => rows[i])], model.Device);
            var begun = tap?.Begin(new BatchLayout(new int[chunk.Length], [.. chunk.Select(i => rows[i].LabelStart - 1)]));
            var logits = model.Logits(model.Hidden(batch.Ids, batch.LabelPositions, new ForwardOptions { Tap = begun })).to(ScalarType.Float32);   // [P, V]
            var (logProbabilities, ranks) = Of(logits, batch.LabelTargets);
            var p = logProbabilities.cpu().data<float>().ToArray();
            var r = ranks.cpu().data<long>().ToArray();
            for (int b = 0, at = 0; b < chunk.Length; at += batch.LabelCounts[b++])
                results[chunk[b]] = new TargetScores(
                    [.. p.AsSpan(at, batch.LabelCounts[b]).ToArray().Select(x => (double)x)], [.. r.AsSpan(at, batch.LabelCounts[b]).ToArray().Select(x => (int)x)]);
        }
        return results;
    }

    /// <summary>Natural log-probability and rank of each target [P].</summary>
    /// <param name="logits">[P, V].</param>
    /// <param name="targets">[P].</param>
    /// <remarks>Rank 1 is the highest logit; equal logits are ranked by id; where a logit is NaN the rank is V.</remarks>
    public static (Tensor LogProbabilities, Tensor Ranks) Of(Tensor logits, Tensor targets)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        using var scope = NewDisposeScope();
        var column = targets.unsqueeze(1);
        var own = logits.gather(1, column);
        var earlier = arange(logits.shape[1], device: logits.device).unsqueeze(0) < column;
        var above = (logits > own).logical_or((logits == own).logical_and(earlier)).sum(1) + 1;
        var broken = logits.isnan().any(1);
        var ranks = where(broken, full_like(above, logits.shape[1]), above);
        var logProbabilities = nn.functional.log_softmax(logits, 1).gather(1, column).squeeze(1);
        return (logProbabilities.MoveToOuterDisposeScope(), ranks.MoveToOuterDisposeScope());
    }
}

/// <summary>How one row's targets fared.</summary>
/// <param name="LogProbabilities">Natural log-probability of each target token.</param>
/// <param name="Ranks">Rank of each, 1 being the top.</param>
public sealed record TargetScores(IReadOnlyList<double> LogProbabilities, IReadOnlyList<int> Ranks);
