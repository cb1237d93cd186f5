using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Looks rows up in a codebook and puts the value of the ball they hit in place of the memory's output. Source:
/// Hartvigsen et al. (2023), equation 1.
/// </summary>
internal sealed class CodebookTap(CodebookPatch patch) : ForwardTap
{
    public override ForwardTap Begin(BatchLayout layout) => new Batch(patch, layout);

    // Without a layout every row is a prompt without padding.
    public override Tensor MlpOut(int layer, Tensor key, Tensor value) =>
        layer == patch.Layer ? Begin(BatchLayout.Prompts(key.shape[0], key.shape[1])).MlpOut(layer, key, value) : value;

    private sealed class Batch(CodebookPatch patch, BatchLayout layout) : ForwardTap
    {
        // the ball each row is in, -1 outside all
        private readonly List<int> _hits = [.. Enumerable.Repeat(-1, layout.First.Count)];
        private BatchLayout _layout = layout;
        private int _passed; // columns of earlier passes

        public override void Keep(IReadOnlyList<int> rows)
        {
            _layout = _layout.Keep(rows);
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
                    _hits[b] = patch.Codebook.Hit(key[b, column]);
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
