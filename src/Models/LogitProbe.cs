using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Reads a model's opinion at chosen positions of given rows: how probable a token is, where it stands, and how sure the model is of anything.</summary>
/// <remarks>Nothing is generated here: by causality the logits after a prompt and an answer are those the generation itself had.</remarks>
public static class LogitProbe
{
    // Positions whose logits over the whole vocabulary are in memory at once.
    private const int SliceRows = 512;

    /// <summary>A row and what to read from it.</summary>
    /// <param name="Ids">Token ids, BOS first.</param>
    /// <param name="PromptLength">Tokens of the prompt, for interventions that need to know.</param>
    /// <param name="Points">Where to look; none is allowed.</param>
    public sealed record Row(IReadOnlyList<int> Ids, int PromptLength, IReadOnlyList<Point> Points);

    /// <summary>One place to look at.</summary>
    /// <param name="Position">0-based; the logits there predict the next token.</param>
    /// <param name="Target">The token asked about.</param>
    public readonly record struct Point(int Position, int Target);

    /// <summary>What was seen at one point.</summary>
    /// <param name="LogProbability">Natural logarithm.</param>
    /// <param name="Rank">1 is the highest logit, ties by id; V where a logit is not a number.</param>
    /// <param name="FilteredRank">The same after the filter; equal without one.</param>
    /// <param name="Maximum">Probability of the likeliest token.</param>
    public readonly record struct Reading(double LogProbability, int Rank, int FilteredRank, double Maximum);

    /// <summary>Reads all points of all rows.</summary>
    /// <param name="model">The model, with its patch applied.</param>
    /// <param name="rows">In any order; rows of like length share a pass.</param>
    /// <param name="filter">What a sampler would cut off before ranking; null for nothing.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it beyond rounding.</param>
    /// <param name="tap">Intervention; it is told where each row's prompt ends.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<IReadOnlyList<Reading>> Read(
        CausalLm model, IReadOnlyList<Row> rows, SamplingFilter? filter = null, int batchRows = 64, ForwardTap? tap = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        var results = new IReadOnlyList<Reading>[rows.Count];
        foreach (var i in Enumerable.Range(0, rows.Count).Where(i => rows[i].Points.Count == 0)) results[i] = [];
        foreach (var chunk in Enumerable.Range(0, rows.Count).Where(i => rows[i].Points.Count > 0).OrderBy(i => rows[i].Ids.Count).Chunk(tap?.BatchRows ?? batchRows))
        {
            cancelled.ThrowIfCancellationRequested();
            using var quiet = inference_mode();
            using var scope = NewDisposeScope();
            var width = chunk.Max(i => rows[i].Ids.Count);
            var ids = new long[chunk.Length, width];
            for (var b = 0; b < chunk.Length; b++)
                for (var t = 0; t < rows[chunk[b]].Ids.Count; t++) ids[b, t] = rows[chunk[b]].Ids[t];
            var begun = tap?.Begin(new BatchLayout(new int[chunk.Length], [.. chunk.Select(i => rows[i].PromptLength - 1)]));
            var hidden = model.Hidden(tensor(ids, device: model.Device), new ForwardOptions { Tap = begun });
            var flat = hidden.view(-1, hidden.shape[^1]);
            var points = chunk.SelectMany((i, b) => rows[i].Points.Select(p => (At: (long)b * width + p.Position, Target: (long)p.Target))).ToList();
            var readings = points.Chunk(SliceRows).SelectMany(s => Slice(model, flat, s, filter)).ToList();
            var next = 0;
            foreach (var i in chunk)
            {
                results[i] = readings.GetRange(next, rows[i].Points.Count);
                next += rows[i].Points.Count;
            }
        }
        return results;
    }

    private static List<Reading> Slice(CausalLm model, Tensor flat, (long At, long Target)[] points, SamplingFilter? filter)
    {
        using var scope = NewDisposeScope();
        var logits = model.Logits(flat.index_select(0, tensor(points.Select(p => p.At).ToArray(), device: flat.device))).to(ScalarType.Float32);   // [P, V]
        return Of(logits, tensor(points.Select(p => p.Target).ToArray(), device: flat.device), filter);
    }

    /// <summary>Reads rows of logits.</summary>
    /// <param name="logits">[P, V].</param>
    /// <param name="targets">[P].</param>
    /// <param name="filter">See <see cref="Read"/>.</param>
    public static List<Reading> Of(Tensor logits, Tensor targets, SamplingFilter? filter)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        using var scope = NewDisposeScope();
        var (logProbabilities, ranks) = Scorer.Of(logits, targets);
        var filtered = filter is null ? ranks : filter.Ranks(logits, targets, ranks);
        var maxima = (logits.amax([1]) - logits.logsumexp(1)).exp();
        var p = logProbabilities.cpu().data<float>().ToArray();
        var r = ranks.cpu().data<long>().ToArray();
        var f = filtered.cpu().data<long>().ToArray();
        var m = maxima.cpu().data<float>().ToArray();
        return [.. p.Select((x, i) => new Reading(x, (int)r[i], (int)f[i], m[i]))];
    }
}
