using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <content>What the model thinks of every token, not of one.</content>
public static partial class LogitProbe
{
    /// <summary>
    /// Natural log-probability of every token at all points of all rows, [points][V] a row. For small vocabularies: all
    /// of it is in memory at once.
    /// </summary>
    /// <param name="model">The model, with its patch applied.</param>
    /// <param name="rows">In any order; of a point the position alone counts.</param>
    /// <param name="batchRows">Rows of one pass; no result depends on it beyond rounding.</param>
    /// <param name="tap">Intervention; it is told where each row's prompt ends.</param>
    /// <param name="cancelled">Looked at before every batch.</param>
    public static IReadOnlyList<IReadOnlyList<float[]>> Distributions(
        CausalLm model,
        IReadOnlyList<Row> rows,
        int batchRows = 64,
        ForwardTap? tap = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        var results = new IReadOnlyList<float[]>[rows.Count];
        Array.Fill(results, []);
        EveryBatch(
            model,
            rows,
            (batchRows, tap),
            (batch, hidden, entries) =>
            {
                var logits = model.Logits(hidden).to(ScalarType.Float32); // [P, V]
                var words = (int)logits.shape[1];
                var all = nn.functional.log_softmax(logits, 1).cpu().data<float>().ToArray();
                var next = 0;
                foreach (var i in batch)
                {
                    results[i] =
                    [
                        .. entries
                            .Skip(next)
                            .Take(rows[i].Points.Count)
                            .Select(e => all[(e.Row * words)..((e.Row + 1) * words)]),
                    ];
                    next += rows[i].Points.Count;
                }
            },
            cancelled
        );
        return results;
    }
}
