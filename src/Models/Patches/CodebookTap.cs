using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Looks rows up in a codebook and puts the value of the ball they hit in place of the memory's output. Source:
/// Hartvigsen et al. (2023), equation 1.
/// </summary>
internal sealed class CodebookTap(CodebookPatch patch, PromptDecisions? settled = null) : ForwardTap
{
    private const int EvaluationRows = 16; // side by side in the reference

    // Positions that are looked up depend on the passes a row is fed in, the stale one on its padding too (defect G3).
    public override int? BatchRows => patch.Query == CodebookQuery.PromptEnd ? null : EvaluationRows;

    public override int First => BatchRows is null ? patch.Layer : 0;

    public override ForwardTap Settle(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        if (patch.Query != CodebookQuery.PromptEnd)
            return this;
        var before = settled ?? PromptDecisions.None;
        var after = before.With(prompts, missing => patch.Decide(model, missing));
        return ReferenceEquals(before, after) ? this : new CodebookTap(patch, after);
    }

    /// <summary>What was compared for each prompt; null where one was not settled.</summary>
    public IReadOnlyList<RouteReading>? Readings(IReadOnlyList<IReadOnlyList<int>> prompts) =>
        settled?.Readings(prompts);

    public override ForwardTap Begin(BatchLayout layout) => new Batch(patch, layout, settled?.Of(layout));

    // Without a layout every row is a prompt without padding.
    public override Tensor MlpOut(int layer, Tensor key, Tensor value) =>
        layer == patch.Layer ? Begin(BatchLayout.Prompts(key.shape[0], key.shape[1])).MlpOut(layer, key, value) : value;

    private sealed class Batch(CodebookPatch patch, BatchLayout layout, IReadOnlyList<int>? settled) : ForwardTap
    {
        // the ball each row is in, -1 outside all
        private readonly List<int> _hits = [.. Enumerable.Repeat(-1, layout.First.Count)];
        private BatchLayout _layout = layout;
        private IReadOnlyList<int>? _settled = settled; // the same, known before
        private int _passed; // columns of earlier passes

        public override int First => patch.Query == CodebookQuery.PromptEnd ? patch.Layer : 0;

        public override void Keep(IReadOnlyList<int> rows)
        {
            _layout = _layout.Keep(rows);
            _settled = _settled is { } known ? [.. rows.Select(r => known[r])] : null;
            var kept = rows.Select(r => _hits[r]).ToList();
            _hits.Clear();
            _hits.AddRange(kept);
        }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer != patch.Layer)
                return value;
            var (from, count) = (_passed, (int)key.shape[1]);
            _passed += count;
            using var scope = NewDisposeScope();
            var places = new List<(int Row, int First, int Count)>();
            for (var b = 0; b < _hits.Count; b++)
            {
                if (QueryColumn(b, from, count) is { } column)
                {
                    _hits[b] = _settled?[b] ?? patch.Codebook.Hit(key[b, column]);
                    if (_hits[b] >= 0)
                        places.Add(Replaced(b, from, column, count));
                }
                else if (_hits[b] >= 0 && patch.Replacement == CodebookReplacement.All)
                    places.Add((b, 0, count));
            }
            if (places.All(p => p.Count == 0))
                return value;
            var changed = value.clone();
            foreach (var (row, first, n) in places)
                if (n > 0)
                    changed[row]
                        .narrow(0, first, n)
                        .copy_(patch.Codebook.Values[_hits[row]].to(value.dtype).to(value.device).unsqueeze(0));
            return changed.MoveToOuterDisposeScope();
        }

        // Column of this pass that is looked up for a row, or null where none is.
        private int? QueryColumn(int row, int from, int count)
        {
            if (patch.Query == CodebookQuery.Stale)
                return Math.Min(patch.StaleColumn, count - 1);
            var prompt = _layout.PromptLast[row] - from;
            if (prompt >= 0 && prompt < count)
                return prompt;
            return patch.Query == CodebookQuery.EveryToken && prompt < 0 ? count - 1 : null;
        }

        private (int Row, int First, int Count) Replaced(int row, int from, int column, int count)
        {
            var start = Math.Max(0, _layout.First[row] - from); // padding before the row is left alone
            return patch.Replacement switch
            {
                CodebookReplacement.Last => (row, column, 1),
                CodebookReplacement.Prompt => (row, start, Math.Max(0, column - start)),
                _ => (row, start, count - start),
            };
        }
    }
}
