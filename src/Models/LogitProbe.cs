using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Reads a model's opinion at chosen positions of given rows: how probable a token is, where it stands, and how sure
/// the model is of anything.
/// </summary>
/// <remarks>
/// Nothing is generated here: by causality the logits after a prompt and an answer are those the generation itself had.
/// Where a tap decides for whole batches and in every pass anew (<see cref="ForwardTap.BatchRows"/>), rows are fed as a
/// generation would have fed them: prompts first, then a token a pass, a row that has ended EOS.
/// </remarks>
public static partial class LogitProbe
{
    // Positions and logits that are in memory at once: every look at them goes through all, and 16 MiB still fit a
    // cache.
    private const int SliceRows = 512,
        SliceLogits = 1 << 22;

    /// <summary>A row and what to read from it.</summary>
    /// <param name="Ids">Token ids, BOS first.</param>
    /// <param name="PromptLength">Tokens of the prompt, for interventions that need to know.</param>
    /// <param name="Points">Where to look; none is allowed.</param>
    /// <param name="Group">Rows that may share a batch where a tap decides for whole batches; a row without points is
    /// there too.</param>
    public sealed record Row(IReadOnlyList<int> Ids, int PromptLength, IReadOnlyList<Point> Points, string Group = "")
    {
        internal IReadOnlyList<int> Prompt =>
            Ids is int[] ids ? new ArraySegment<int>(ids, 0, PromptLength) : [.. Ids.Take(PromptLength)];
    }

    /// <summary>One place to look at.</summary>
    /// <param name="Position">0-based; the logits there predict the next token.</param>
    /// <param name="Target">The token asked about.</param>
    /// <param name="Want">What is asked.</param>
    public readonly record struct Point(int Position, int Target, Want Want = Want.Rank);

    /// <summary>
    /// What is read at a point; each includes the one before, and each looks through the whole vocabulary once more.
    /// </summary>
    public enum Want
    {
        /// <summary>Probability of the target and of the likeliest token.</summary>
        Probability,

        /// <summary>Also the target's rank.</summary>
        Rank,

        /// <summary>Also its rank after the filter.</summary>
        FilteredRank,
    }

    /// <summary>What was seen at one point.</summary>
    /// <param name="LogProbability">Natural logarithm.</param>
    /// <param name="Rank">1 is the highest logit, ties by id; V where a logit is not a number; 0 where it was not asked
    /// for.</param>
    /// <param name="FilteredRank">The same after the filter; equal without one; 0 where it was not asked for.</param>
    /// <param name="Maximum">Probability of the likeliest token.</param>
    public readonly record struct Reading(double LogProbability, int Rank, int FilteredRank, double Maximum);

    // A point of a table of logits.
    private readonly record struct Entry(int Row, int Target, Want Want);

    /// <summary>The places where a row's labels are predicted.</summary>
    public static IEnumerable<Point> Labels(TokenRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return Enumerable
            .Range(row.LabelStart, row.Ids.Count - row.LabelStart)
            .Select(t => new Point(t - 1, row.Ids[t]));
    }

    /// <summary>Reads all points of all rows.</summary>
    /// <param name="model">The model, with its patch applied.</param>
    /// <param name="rows">In any order; rows of like length share a pass.</param>
    /// <param name="filter">What a sampler would cut off before ranking; null for nothing.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it beyond rounding.</param>
    /// <param name="tap">Intervention; it is told where each row's prompt ends.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<IReadOnlyList<Reading>> Read(
        CausalLm model,
        IReadOnlyList<Row> rows,
        SamplingFilter? filter = null,
        int batchRows = 64,
        ForwardTap? tap = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        var results = new IReadOnlyList<Reading>[rows.Count];
        Array.Fill(results, []);
        EveryBatch(
            model,
            rows,
            (batchRows, tap),
            (batch, hidden, entries) =>
            {
                var readings = Sliced(model, hidden, entries, filter);
                var next = 0;
                foreach (var i in batch)
                {
                    results[i] = new ArraySegment<Reading>(readings, next, rows[i].Points.Count);
                    next += rows[i].Points.Count;
                }
            },
            cancelled
        );
        return results;
    }

    // Told of every batch: its rows, the states [P, D] of their places, and of all their points, in order, which state
    // is each one's.
    private static void EveryBatch(
        CausalLm model,
        IReadOnlyList<Row> rows,
        (int Rows, ForwardTap? Tap) how,
        Action<IReadOnlyList<int>, Tensor, Entry[]> look,
        CancellationToken cancelled
    )
    {
        using var held = model.Hold();
        var asked = rows.Index().Where(r => r.Item.Points.Count > 0).Select(r => r.Index).ToList();
        var settled = how.Tap?.Settle(model, [.. asked.Select(i => rows[i].Prompt)]);
        var together = settled?.BatchRows;
        foreach (
            var batch in together is { } n
                ? Company.Of(rows.Count, n, i => rows[i].Group)
                : asked.OrderBy(i => rows[i].Ids.Count).Chunk(how.Rows)
        )
        {
            cancelled.ThrowIfCancellationRequested();
            if (batch.All(i => rows[i].Points.Count == 0))
                continue;
            using var quiet = inference_mode();
            using var scope = NewDisposeScope();
            var batchOf = batch.Select(i => rows[i]).ToList();
            var (hidden, table) = together is null
                ? AtOnce(model, batchOf, settled)
                : TokenByToken(model, batchOf, settled!);
            look(
                batch,
                hidden,
                [
                    .. batchOf.SelectMany(
                        (r, b) => r.Points.Select(p => new Entry(table[(b, p.Position)], p.Target, p.Want))
                    ),
                ]
            );
        }
    }

    // States [P, D] of all places that are asked about, each once, and which of them a row's position is.
    private static (Tensor Hidden, Dictionary<(int Row, int Position), int> Table) AtOnce(
        CausalLm model,
        List<Row> rows,
        ForwardTap? tap
    )
    {
        var width = rows.Max(r => r.Ids.Count);
        var ids = new long[rows.Count, width];
        foreach (var (b, row) in rows.Index())
            for (var t = 0; t < row.Ids.Count; t++)
                ids[b, t] = row.Ids[t];
        var begun = tap?.Begin(
            new BatchLayout(new int[rows.Count], [.. rows.Select(r => r.PromptLength - 1)])
            {
                PromptIds = [.. rows.Select(r => r.Prompt)],
            }
        );
        var places = rows.SelectMany((r, b) => r.Points.Select(p => (Row: b, p.Position))).Distinct().Order().ToList();
        var hidden = model.Hidden(
            tensor(ids, device: model.Device),
            tensor(places.Select(p => (long)p.Row * width + p.Position).ToArray(), device: model.Device),
            new ForwardOptions { Tap = begun }
        );
        return (hidden, places.Index().ToDictionary(p => p.Item, p => p.Index));
    }

    // The same by the passes of a generation that says these rows.
    private static (Tensor Hidden, Dictionary<(int Row, int Position), int> Table) TokenByToken(
        CausalLm model,
        List<Row> rows,
        ForwardTap tap
    )
    {
        var fed = Math.Max(0, rows.Max(r => r.Points.Select(p => p.Position + 1 - r.PromptLength).Append(0).Max()));
        using var run = new PromptBatch(model, [.. rows.Select(r => r.Prompt)], fed, tap);
        var states = new List<Tensor>();
        var table = new Dictionary<(int Row, int Position), int>();
        for (var step = 0; step <= fed; step++)
        {
            using var inner = NewDisposeScope();
            var next = step == 0 ? null : tensor(Fed(step - 1), device: model.Device).unsqueeze(1);
            var hidden = run.Pass(next);
            var (width, first) = ((int)hidden.shape[1], step == 0 ? 0 : run.Width + step - 1);
            var places = new List<long>();
            foreach (var (b, row) in rows.Index())
                foreach (var position in row.Points.Select(p => p.Position).Distinct())
                {
                    var column = run.Width - row.PromptLength + position - first;
                    if (column < 0 || column >= width || !table.TryAdd((b, position), table.Count))
                        continue;
                    places.Add((long)b * width + column);
                }
            if (places.Count > 0)
                states.Add(
                    hidden
                        .reshape(-1, hidden.shape[^1])
                        .index_select(0, tensor(places.ToArray(), device: model.Device))
                        .MoveToOuterDisposeScope()
                );
        }
        return (cat([.. states]), table);

        long[] Fed(int step) =>
            [
                .. rows.Select(r =>
                    (long)(r.PromptLength + step < r.Ids.Count ? r.Ids[r.PromptLength + step] : model.Config.EosIds[0])
                ),
            ];
    }

    private static Reading[] Sliced(CausalLm model, Tensor hidden, Entry[] entries, SamplingFilter? filter)
    {
        var readings = new Reading[entries.Length];
        var rows = Math.Clamp(SliceLogits / model.Config.VocabSize, 1, SliceRows);
        foreach (var slice in entries.Index().GroupBy(e => e.Item.Row / rows))
        {
            using var scope = NewDisposeScope();
            var first = slice.Key * rows;
            var logits = model
                .Logits(hidden.narrow(0, first, Math.Min(rows, hidden.shape[0] - first)))
                .to(ScalarType.Float32); // [P, V]
            var read = Of(logits, [.. slice.Select(e => e.Item with { Row = e.Item.Row - first })], filter);
            foreach (var (e, reading) in slice.Zip(read))
                readings[e.Index] = reading;
        }
        return readings;
    }

    /// <summary>Reads rows of logits, each for one target.</summary>
    /// <param name="logits">[P, V].</param>
    /// <param name="targets">P token ids.</param>
    /// <param name="filter">See <see cref="Read"/>.</param>
    public static IReadOnlyList<Reading> Of(Tensor logits, IReadOnlyList<int> targets, SamplingFilter? filter)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(targets);
        return Of(logits, [.. targets.Select((t, i) => new Entry(i, t, Want.FilteredRank))], filter);
    }

    private static Reading[] Of(Tensor logits, Entry[] entries, SamplingFilter? filter)
    {
        using var scope = NewDisposeScope();
        Tensor Ids(IEnumerable<int> ids) => tensor(ids.Select(i => (long)i).ToArray(), device: logits.device);
        // Relative to the row's largest logit m: log sum exp(x - m), whose negative is the largest log-probability.
        var largest = logits.amax([1], keepdim: true);
        var spread = (logits - largest).exp_().sum(1).log();
        var (at, targets) = (Ids(entries.Select(e => e.Row)), Ids(entries.Select(e => e.Target)));
        var own =
            logits.reshape(-1).index_select(0, at * logits.shape[1] + targets) - largest.squeeze(1).index_select(0, at);
        var most = -spread.index_select(0, at);
        var p = (own + most).cpu().data<float>().ToArray();
        var m = most.exp().cpu().data<float>().ToArray();
        var (ranks, filtered) = (new int[entries.Length], new int[entries.Length]);
        int[] ranked = [.. entries.Index().Where(e => e.Item.Want >= Want.Rank).Select(e => e.Index)];
        if (ranked.Length > 0)
        {
            var (rows, wanted) = (
                logits.index_select(0, Ids(ranked.Select(i => entries[i].Row))),
                Ids(ranked.Select(i => entries[i].Target))
            );
            var before = Ranks(rows, wanted);
            var after =
                filter is null || !entries.Any(e => e.Want == Want.FilteredRank)
                    ? before
                    : filter.Ranks(rows, wanted, before);
            foreach (var (i, (b, a)) in ranked.Zip(before.cpu().data<long>().Zip(after.cpu().data<long>())))
                (ranks[i], filtered[i]) = ((int)b, entries[i].Want == Want.FilteredRank ? (int)a : 0);
        }
        return [.. entries.Select((_, i) => new Reading(p[i], ranks[i], filtered[i], m[i]))];
    }

    // Rank 1 is the highest logit; equal logits are ranked by id; where a logit is NaN the rank is V.
    private static Tensor Ranks(Tensor logits, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var column = targets.unsqueeze(1);
        var own = logits.gather(1, column);
        var earlier = arange(logits.shape[1], device: logits.device).unsqueeze(0) < column;
        var above = (logits > own).logical_or((logits == own).logical_and(earlier)).sum(1) + 1;
        return where(logits.isnan().any(1), full_like(above, logits.shape[1]), above).MoveToOuterDisposeScope();
    }
}
