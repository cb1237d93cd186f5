using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Greedy decoding of many prompts at once: the highest logit, ties to the lowest id, no penalties.</summary>
/// <remarks>
/// Prompts of like length share a batch, padded on the left and masked, with their keys and values cached; finished
/// rows leave the batch. The result of a prompt does not depend on its company: tests compare with one prompt at a time
/// and no cache. Only a tap that decides for whole batches (<see cref="ForwardTap.BatchRows"/>) makes it depend: then
/// batches hold one group in the order given, and finished rows stay and are fed EOS, as in the procedure it repeats.
/// </remarks>
public static class GreedyDecoder
{
    /// <summary>How far and with what.</summary>
    public sealed record Options
    {
        /// <summary>Most new tokens for a prompt; a collapsed model never stops by itself.</summary>
        public int MaxNewTokens { get; init; } = 200;

        /// <summary>Each ends an answer and is not part of it; null for the model's own.</summary>
        public IReadOnlyList<int>? StopIds { get; init; }

        /// <summary>Prompts decoded side by side.</summary>
        public int BatchRows { get; init; } = 64;

        /// <summary>Batches decoded at the same time, each on a thread; no result depends on it.</summary>
        public int Threads { get; init; } = 1;

        /// <summary>
        /// Intervention in every pass; what it decides for a row at the prompt it may keep while the row is decoded.
        /// </summary>
        public ForwardTap? Tap { get; init; }

        /// <summary>
        /// Of each prompt, the group it may share a batch with where <see cref="Tap"/> decides for whole batches, such
        /// as its split; null for one group.
        /// </summary>
        public IReadOnlyList<string>? Groups { get; init; }
    }

    /// <summary>Continues every prompt.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Token ids, BOS included; none empty.</param>
    /// <param name="options">Limits.</param>
    /// <param name="done">Told how many prompts are finished.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<Generated> Decode(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        Options options,
        Action<int>? done = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(options);
        if (prompts.Any(p => p.Count == 0))
            throw new ArgumentException("A prompt needs a token.", nameof(prompts));
        var stop = (options.StopIds ?? model.Config.StopIds).ToHashSet();
        var results = new Generated[prompts.Count];
        using var held = model.Hold();
        options = options with { Tap = options.Tap?.Settle(model, prompts) };
        var finished = 0;
        var told = new Lock();
        void Finish(int[] batch)
        {
            DecodeBatch(model, prompts, batch, stop, options, results);
            lock (told)
                done?.Invoke(finished += batch.Length);
        }
        var batches = Batches(prompts, options).ToList();
        if (options.Threads > 1)
            Parallel.ForEach(
                // The longest first: a batch at the end that all wait for should be a short one.
                batches.AsEnumerable().Reverse(),
                new ParallelOptions { MaxDegreeOfParallelism = options.Threads, CancellationToken = cancelled },
                Finish
            );
        else
            foreach (var batch in batches)
            {
                cancelled.ThrowIfCancellationRequested();
                Finish(batch);
            }
        return results;
    }

    private static IEnumerable<int[]> Batches(IReadOnlyList<IReadOnlyList<int>> prompts, Options options) =>
        options.Tap?.BatchRows is { } together
            ? Company.Of(prompts.Count, together, i => options.Groups?[i] ?? "")
            : Enumerable.Range(0, prompts.Count).OrderBy(i => prompts[i].Count).Chunk(RowsOf(prompts.Count, options));

    // Every thread has its part of a few prompts too.
    private static int RowsOf(int prompts, Options options) =>
        Math.Clamp((prompts + options.Threads - 1) / Math.Max(1, options.Threads), 1, options.BatchRows);

    private static void DecodeBatch(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        int[] batch,
        HashSet<int> stop,
        Options options,
        Generated[] results
    )
    {
        using var quiet = inference_mode();
        using var scope = NewDisposeScope();
        using var run = new PromptBatch(model, [.. batch.Select(i => prompts[i])], options.MaxNewTokens, options.Tap);
        var whole = options.Tap?.BatchRows is not null;
        Tensor? next = null;
        var rows = batch.ToList(); // the prompt behind each row that is still in the batch
        var written = batch.ToDictionary(i => i, _ => new List<int>());
        var open = batch.ToHashSet();

        for (var step = 0; step < options.MaxNewTokens; step++)
        {
            using var inner = NewDisposeScope();
            var hidden = run.Pass(next);
            var chosen = model.Logits(hidden.select(1, -1)).argmax(-1).to(ScalarType.Int64);
            var picks = chosen.cpu().data<long>().ToArray();
            var left = Append(picks, rows, stop, open, written);
            if (open.Count == 0)
                break;
            if (whole)
            {
                var fed = picks.Select((p, b) => open.Contains(rows[b]) ? p : model.Config.EosIds[0]).ToArray();
                chosen = tensor(fed, device: model.Device);
            }
            else if (left.Count < rows.Count)
            {
                run.Keep([.. left.Select(b => (int)b)]);
                chosen = chosen.index_select(0, tensor(left, device: model.Device));
                rows = [.. left.Select(b => rows[(int)b])];
            }
            next = chosen.unsqueeze(1).MoveToOuterDisposeScope();
        }
        foreach (var i in batch)
            results[i] = new Generated(written[i], open.Contains(i) ? StopReason.Limit : StopReason.StopToken);
    }

    // Adds each open row's pick to its answer, or closes the row at a stop token; returns the rows that go on.
    private static List<long> Append(
        long[] picks,
        List<int> rows,
        HashSet<int> stop,
        HashSet<int> open,
        Dictionary<int, List<int>> written
    )
    {
        var left = new List<long>();
        for (var b = 0; b < rows.Count; b++)
        {
            if (!open.Contains(rows[b]))
                continue;
            if (stop.Contains((int)picks[b]))
            {
                open.Remove(rows[b]);
                continue;
            }
            written[rows[b]].Add((int)picks[b]);
            left.Add(b);
        }
        return left;
    }
}

/// <summary>What a model said.</summary>
/// <param name="Ids">New tokens without the stop token.</param>
/// <param name="Reason">Why it ended.</param>
public sealed record Generated(IReadOnlyList<int> Ids, StopReason Reason);

/// <summary>Why a generation ended.</summary>
public enum StopReason
{
    /// <summary>The model wrote a stop token.</summary>
    StopToken,

    /// <summary>The limit of new tokens was reached.</summary>
    Limit,
}
