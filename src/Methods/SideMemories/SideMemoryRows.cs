using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.SideMemories;

/// <summary>Which tokens are trained on, and what their loss is divided by.</summary>
internal enum LabelWindow
{
    /// <summary>
    /// Everything from the width of the longest prompt on, divided by one more than there is: a longer locality text
    /// turns prompt tokens into labels (defect W2).
    /// </summary>
    FromLongestPrompt,

    /// <summary>The target, divided by its length.</summary>
    Exact,
}

/// <summary>Which positions of a row its distance is a mean of.</summary>
internal enum DistancePooling
{
    /// <summary>All of the padded row, target included (defect W3).</summary>
    AllPositions,

    /// <summary>The prompt: what routing will see when the model is used.</summary>
    PromptTokens,
}

/// <summary>
/// The rows of one edit, with everything computed that the side memory cannot change. Shapes: R template rows, T
/// columns, F, D, P labels.
/// </summary>
/// <remarks>
/// See docs/methods.md, "WISE" and "What is computed once". The input x of the memory and the main output o =
/// W x are constants: the main model is frozen. The locality row needs only this memory, so it never reaches the blocks
/// above; the last block computes only columns that predict a label. Rows are padded on the left with EOS.
/// </remarks>
internal sealed class SideMemoryRows : IDisposable
{
    private readonly CausalLm _model;
    private readonly int _layer,
        _templates,
        _trim;
    private readonly double[] _divisors;
    private readonly Tensor? _mask;
    private readonly Tensor _keys,
        _main,
        _activated,
        _without,
        _pooling,
        _positions,
        _targets,
        _rows,
        _shares;

    /// <summary>Runs the model up to the block.</summary>
    /// <param name="model">Unchanged; its weights get no gradient.</param>
    /// <param name="layer">The block.</param>
    /// <param name="edit">Prompt and target; the target is not empty.</param>
    /// <param name="contexts">Prefixes between BOS and the prompt, one for each template row.</param>
    /// <param name="locality">A text that must not change, BOS first.</param>
    /// <param name="window">What is trained on.</param>
    /// <param name="pooling">What distances are means of.</param>
    public SideMemoryRows(
        CausalLm model,
        int layer,
        EditRequest edit,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        IReadOnlyList<int> locality,
        LabelWindow window,
        DistancePooling pooling
    )
    {
        (_model, _layer, _templates) = (model, layer, contexts.Count);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var prompts = Prompts.InContext(edit, contexts).Select(p => p.Ids).ToList();
        var n = edit.TargetIds.Count;
        List<IReadOnlyList<int>> rows =
        [
            .. prompts.Select(p => (IReadOnlyList<int>)[.. p, .. edit.TargetIds]),
            locality,
        ];
        var width = rows.Max(r => r.Count);
        var ids = new long[rows.Count, width];
        var real = new long[rows.Count, width];
        var shares = new float[rows.Count, width]; // weight of each position in its row's distance
        for (var i = 0; i < rows.Count; i++)
        {
            var pad = width - rows[i].Count;
            var counted = i < prompts.Count ? prompts[i].Count : locality.Count;
            for (var t = 0; t < width; t++)
            {
                ids[i, t] = t < pad ? model.Config.EosIds[0] : rows[i][t - pad];
                real[i, t] = t < pad ? 0 : 1;
                shares[i, t] =
                    pooling == DistancePooling.AllPositions ? 1f / width
                    : t >= pad && t < pad + counted ? 1f / counted
                    : 0;
            }
        }
        var device = model.Device;
        var padded = rows.Any(r => r.Count < width);
        _mask = padded ? Kept(tensor(real, device: device)) : null;
        _pooling = Kept(tensor(shares, device: device));

        var labels = Labels(rows, prompts.Max(p => p.Count), n, width, window);
        // Columns that are padding in every template row cannot reach a label, unless the window itself reaches into
        // padding.
        _trim = labels.Min(l => l.Column) >= width - n ? prompts.Min(p => width - p.Count - n) : 0;
        var columns = width - _trim;
        _positions = Kept(Indices(labels.Select(l => (long)l.Row * columns + l.Column - 1 - _trim), device));
        _targets = Kept(Indices(labels.Select(l => (long)rows[l.Row][l.Column - width + rows[l.Row].Count]), device));
        _rows = Kept(Indices(labels.Select(l => (long)l.Row), device));
        var counts = labels.GroupBy(l => l.Row).OrderBy(g => g.Key).Select(g => g.Count()).ToList();
        _divisors = [.. counts.Select(c => (double)(window == LabelWindow.Exact ? c : c + 1))];
        _shares = Kept(tensor(labels.Select(l => (float)(1 / _divisors[l.Row])).ToArray(), device: device));

        var options = new ForwardOptions { AttentionMask = _mask };
        var below = model.Blocks(model.Embed(tensor(ids, device: device)), 0, layer, options);
        var memory = new MemoryOff(layer);
        var without = model.Blocks(below, layer, layer + 1, options with { Tap = memory });
        _without = Kept(without.narrow(0, 0, _templates).narrow(1, _trim, width - _trim).clone());
        _keys = Kept(memory.Key!.clone());
        _main = Kept(memory.Output!.clone());
        _activated = Kept(nn.functional.silu(_main.to(ScalarType.Float32)));
    }

    /// <summary>The side memory's output [R + 1, T, D].</summary>
    /// <param name="side">W' [D, F], float32.</param>
    public Tensor Output(Tensor side) => LinearMap.Of(_keys, side);

    /// <summary>The gradient of W' [D, F].</summary>
    /// <param name="output">Gradient of the side memory's output [R + 1, T, D].</param>
    public Tensor SideGradient(Tensor output) => LinearMap.WeightGradient(output, _keys);

    /// <summary>The main memory's output [R + 1, T, D].</summary>
    public Tensor Main => _main;

    /// <summary>
    /// Delta of each row [R + 1], the locality row last; its gradient is 0 where nothing has changed.
    /// </summary>
    /// <param name="output">From <see cref="Output"/>.</param>
    public Tensor Distances(Tensor output) =>
        ((nn.functional.silu(output.to(ScalarType.Float32)) - _activated).norm(-1) * _pooling).sum(1);

    /// <summary>A pass from the side memory's output to the negative log-probabilities of the labels [P].</summary>
    /// <param name="output">From <see cref="Output"/>.</param>
    public TrackedPass Pass(Tensor output)
    {
        using var quiet = no_grad();
        return TrackedPass.ToNll(
            _model,
            _without + Reaching(output),
            _layer + 1,
            _targets,
            new ForwardOptions
            {
                AttentionMask = _mask?.narrow(0, 0, _templates).narrow(1, _trim, _mask.shape[1] - _trim),
                Positions = Positions.At(_positions),
            }
        );
    }

    /// <summary>Takes a pass back and adds what it finds to the gradient of the output.</summary>
    /// <param name="pass">Over that output.</param>
    /// <param name="nll">Gradient of its output [P].</param>
    /// <param name="output">Gradient of the side memory's output [R + 1, T, D], added to.</param>
    public void Back(TrackedPass pass, Tensor nll, Tensor output)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Reaching(output).add_(pass.Backward(nll)!);
    }

    /// <summary>Loss of the labels of each template row [R].</summary>
    /// <param name="pass">Over some output.</param>
    public Tensor TargetLoss(TrackedPass pass) =>
        zeros(_templates, device: pass.Output.device).index_add(0, _rows, pass.Output * _shares, 1);

    // The part of the output that can reach a label [R, T - trim, D].
    private Tensor Reaching(Tensor output) => output.narrow(0, 0, _templates).narrow(1, _trim, output.shape[1] - _trim);

    /// <summary>Geometric mean probability of a label of the first row, given its loss.</summary>
    public double Probability(double loss) => Math.Exp(-loss * _divisors[0] / _rows.eq(0).sum().ToInt64());

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (
            var t in (Tensor?[])
                [_mask, _keys, _main, _activated, _without, _pooling, _positions, _targets, _rows, _shares]
        )
            t?.Dispose();
    }

    private static List<(int Row, int Column)> Labels(
        List<IReadOnlyList<int>> rows,
        int longestPrompt,
        int n,
        int width,
        LabelWindow window
    )
    {
        var labels = new List<(int, int)>();
        for (var i = 0; i < rows.Count - 1; i++)
            for (
                var t = window == LabelWindow.Exact ? width - n : Math.Max(longestPrompt, width - rows[i].Count);
                t < width;
                t++
            )
                labels.Add((i, t));
        return labels;
    }

    private static Tensor Indices(IEnumerable<long> indices, Device device) =>
        tensor(indices.ToArray(), device: device);

    private static Tensor Kept(Tensor t) => t.DetachFromDisposeScope();

    // Keeps the memory's input and output and lets nothing of it through.
    private sealed class MemoryOff(int layer) : ForwardTap
    {
        public Tensor? Key { get; private set; }

        public Tensor? Output { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value)
        {
            if (at != layer)
                return value;
            // Out of the block's scope and out of the pass's.
            Key = key.MoveToOuterDisposeScope().MoveToOuterDisposeScope();
            Output = value.MoveToOuterDisposeScope().MoveToOuterDisposeScope();
            return zeros_like(value);
        }
    }
}
