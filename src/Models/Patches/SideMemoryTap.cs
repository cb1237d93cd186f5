using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Lets the memory that <see cref="SideMemoryPatch.Choose"/> names answer in place of the main one. Rows of the main
/// memory keep its output bit for bit.
/// </summary>
internal sealed class SideMemoryTap(SideMemoryPatch patch, PromptDecisions? settled = null) : ForwardTap
{
    // Whole batches decide; where a batch is one row, rows decide by themselves in any company.
    private bool Together => patch.Routing is { Scope: RouteScope.PerForwardBatch, BatchRows: > 1 };

    public override int? BatchRows => Together ? patch.Routing.BatchRows : null;

    public override int First => Together ? 0 : patch.Layer;

    public override ForwardTap Settle(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        if (Together)
            return this;
        var before = settled ?? PromptDecisions.None;
        var after = before.With(prompts, missing => patch.Decide(model, missing));
        return ReferenceEquals(before, after) ? this : new SideMemoryTap(patch, after);
    }

    /// <summary>What was compared for each prompt; null where one was not settled.</summary>
    public IReadOnlyList<RouteReading>? Readings(IReadOnlyList<IReadOnlyList<int>> prompts) =>
        settled?.Readings(prompts);

    public override ForwardTap Begin(BatchLayout layout) =>
        Together ? this : new RowByRow(patch, layout, settled?.Of(layout));

    // Without a layout every row is a prompt without padding.
    public override Tensor MlpOut(int layer, Tensor key, Tensor value)
    {
        if (layer != patch.Layer)
            return value;
        if (!Together)
            return Begin(BatchLayout.Prompts(key.shape[0], key.shape[1])).MlpOut(layer, key, value);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var chosen = patch.Choose([.. patch.Distances(key, value).Select(patch.Pooled)]);
        return chosen < 0 ? value : SideMemoryPatch.Output(patch.Memories[chosen], key).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Each row by itself, from its prompt; what follows the prompt as the prompt does, or each token by its own
    /// distance, which is all that a pass over the newest token of one row sees.
    /// </summary>
    private sealed class RowByRow(SideMemoryPatch patch, BatchLayout layout, IReadOnlyList<int>? settled) : ForwardTap
    {
        private readonly bool _sticky = patch.Routing.Scope == RouteScope.StickyPerRow;
        private BatchLayout _layout = layout;
        private IReadOnlyList<int>? _chosen = settled; // memory of each row's prompt, -1 for the main one
        private int _columns; // of the passes so far

        public override int First => patch.Layer;

        public override void Keep(IReadOnlyList<int> rows)
        {
            _layout = _layout.Keep(rows);
            _chosen = _chosen is { } chosen ? [.. rows.Select(r => chosen[r])] : null;
        }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer != patch.Layer)
                return value;
            using var scope = NewDisposeScope();
            _chosen ??= Decide(key, value);
            var from = _columns;
            _columns += (int)key.shape[1];
            var changed =
                _sticky || _layout.PromptLast.All(last => last >= _columns - 1)
                    ? Changed(key, value, _chosen)
                    : Changed(key.flatten(0, 1), value.flatten(0, 1), ByPosition(key, value, from)).view(value.shape);
            return ReferenceEquals(changed, value) ? value : changed.MoveToOuterDisposeScope();
        }

        // What each memory is chosen for, along the first dimension of both, in place of the main one's output; the
        // value itself where none is.
        private Tensor Changed(Tensor key, Tensor value, IReadOnlyList<int> chosen)
        {
            var changed = value;
            foreach (var group in chosen.Index().Where(c => c.Item >= 0).GroupBy(c => c.Item).OrderBy(g => g.Key))
            {
                var at = tensor(group.Select(c => (long)c.Index).ToArray(), device: key.device);
                var output = SideMemoryPatch.Output(patch.Memories[group.Key], key.index_select(0, at));
                changed = changed.index_copy(0, at, output);
            }
            return changed;
        }

        // The memory of every position [B x T], in columns that begin at `from`: up to the end of the prompt that of
        // the prompt, behind it that of the position.
        private List<int> ByPosition(Tensor key, Tensor value, int from)
        {
            using var quiet = no_grad();
            var width = (int)key.shape[1];
            var distances = patch
                .Distances(key, value)
                .Select(d => d.cpu().contiguous().data<float>().ToArray())
                .ToList();
            return
            [
                .. Enumerable
                    .Range(0, _chosen!.Count * width)
                    .Select(i =>
                        from + i % width <= _layout.PromptLast[i / width]
                            ? _chosen[i / width]
                            : patch.Choose([.. distances.Select(d => (double)d[i])])
                    ),
            ];
        }

        // Where nobody settled it: once, from each row's own prompt tokens as they stand in this batch. Neither padding
        // nor the answer nor another row has a say.
        private List<int> Decide(Tensor key, Tensor value)
        {
            using var quiet = no_grad();
            using var scope = NewDisposeScope();
            if (_layout.PromptLast.Any(p => p >= key.shape[1]))
                throw new InvalidOperationException(
                    "A prompt reaches beyond the first pass of its batch, which decides for it."
                );
            var distances = patch.Distances(key, value).Select(d => d.cpu()).ToList();
            return
            [
                .. _layout.First.Select(
                    (first, b) =>
                    {
                        var count = _layout.PromptLast[b] - first + 1;
                        return patch.Choose([
                            .. distances.Select(d => patch.Pooled(d[b].narrow(0, first, count).unsqueeze(0))),
                        ]);
                    }
                ),
            ];
        }
    }
}
