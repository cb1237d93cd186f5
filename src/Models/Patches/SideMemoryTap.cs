using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// Lets the memory that <see cref="SideMemoryPatch.Choose"/> names answer in place of the main one. Rows of the main
/// memory keep its output bit for bit.
/// </summary>
internal sealed class SideMemoryTap(SideMemoryPatch patch, PromptDecisions? settled = null) : ForwardTap
{
    public override int? BatchRows =>
        patch.Routing.Scope == RouteScope.PerForwardBatch ? patch.Routing.BatchRows : null;

    public override int First => BatchRows is null ? patch.Layer : 0;

    public override ForwardTap Settle(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts)
    {
        if (patch.Routing.Scope == RouteScope.PerForwardBatch)
            return this;
        var before = settled ?? PromptDecisions.None;
        var after = before.With(prompts, missing => patch.Decide(model, missing));
        return ReferenceEquals(before, after) ? this : new SideMemoryTap(patch, after);
    }

    /// <summary>What was compared for each prompt; null where one was not settled.</summary>
    public IReadOnlyList<RouteReading>? Readings(IReadOnlyList<IReadOnlyList<int>> prompts) =>
        settled?.Readings(prompts);

    public override ForwardTap Begin(BatchLayout layout) =>
        patch.Routing.Scope == RouteScope.PerForwardBatch ? this : new Sticky(patch, layout, settled?.Of(layout));

    // Without a layout every row is a prompt without padding.
    public override Tensor MlpOut(int layer, Tensor key, Tensor value)
    {
        if (layer != patch.Layer)
            return value;
        if (patch.Routing.Scope == RouteScope.StickyPerRow)
            return Begin(BatchLayout.Prompts(key.shape[0], key.shape[1])).MlpOut(layer, key, value);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var chosen = patch.Choose([.. patch.Distances(key, value).Select(patch.Pooled)]);
        return chosen < 0 ? value : SideMemoryPatch.Output(patch.Memories[chosen], key).MoveToOuterDisposeScope();
    }

    private sealed class Sticky(SideMemoryPatch patch, BatchLayout layout, IReadOnlyList<int>? settled) : ForwardTap
    {
        private BatchLayout _layout = layout;
        private IReadOnlyList<int>? _chosen = settled; // memory of each row, -1 for the main one

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
            var changed = value;
            foreach (var group in _chosen.Index().Where(c => c.Item >= 0).GroupBy(c => c.Item).OrderBy(g => g.Key))
            {
                var rows = tensor(group.Select(c => (long)c.Index).ToArray(), device: key.device);
                var output = SideMemoryPatch.Output(patch.Memories[group.Key], key.index_select(0, rows));
                changed = changed.index_copy(0, rows, output);
            }
            return ReferenceEquals(changed, value) ? value : changed.MoveToOuterDisposeScope();
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
