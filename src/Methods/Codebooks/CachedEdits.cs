using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Codebooks;

/// <summary>
/// Several edits side by side, with everything computed that the value at the query position cannot change. Shapes: B
/// edits, S columns, P labels.
/// </summary>
/// <remarks>
/// See docs/methods.md, "What is computed once". A value stands in for the memory's output of one block at the
/// last prompt token, so the blocks below, this block's attention, and keys and values of earlier positions in the
/// blocks above are constants of the optimisation. Prompts are padded on the left so that all end in one column,
/// targets on the right.
/// </remarks>
internal sealed class CachedEdits : IDisposable
{
    private readonly CausalLm _model;
    private readonly int _layer;
    private readonly KvPrefix? _prefix;
    private readonly Tensor? _mask;
    private readonly Tensor _base,
        _withoutMemory,
        _replaced,
        _positions,
        _targets,
        _rows,
        _shares;

    /// <summary>Runs the model up to the block.</summary>
    /// <param name="model">Unchanged; its weights get no gradient.</param>
    /// <param name="layer">The block.</param>
    /// <param name="edits">Prompts and targets; no target is empty.</param>
    /// <param name="replacement">Which outputs a value stands in for.</param>
    public CachedEdits(CausalLm model, int layer, IReadOnlyList<EditRequest> edits, CodebookReplacement replacement)
    {
        (_model, _layer) = (model, layer);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var prompt = edits.Max(e => e.PromptIds.Count); // columns of the prompts
        var width = prompt + edits.Max(e => e.TargetIds.Count) - 1; // the last target token is only predicted
        var ids = new long[edits.Count, width];
        var real = new long[edits.Count, width];
        var start = replacement == CodebookReplacement.Last ? prompt - 1 : 0; // the first column a value can change
        var columns = width - start;
        var replaced = new bool[edits.Count, columns];
        var (positions, targets, rows, shares) = (
            new List<long>(),
            new List<long>(),
            new List<long>(),
            new List<float>()
        );
        for (var b = 0; b < edits.Count; b++)
        {
            Lay(edits[b], b, prompt, ids, real);
            var (p, t) = (edits[b].PromptIds, edits[b].TargetIds);
            for (var i = Math.Max(start, prompt - p.Count); i < width; i++)
                replaced[b, i - start] = Replaces(replacement, i, prompt);
            for (var i = 0; i < t.Count; i++)
            {
                positions.Add((long)b * columns + prompt - 1 - start + i);
                targets.Add(t[i]);
                rows.Add(b);
                shares.Add(1f / t.Count);
            }
        }
        var device = model.Device;
        _mask = edits.All(e => e.PromptIds.Count == prompt) ? null : Kept(tensor(real, device: device));
        _positions = Kept(tensor(positions, device: device));
        _targets = Kept(tensor(targets, device: device));
        _rows = Kept(tensor(rows, device: device));
        _shares = Kept(tensor(shares, device: device));
        _replaced = Kept(tensor(replaced, device: device).unsqueeze(-1));
        Rows = edits.Count;

        var options = new ForwardOptions { AttentionMask = _mask };
        var below = model.Blocks(model.Embed(tensor(ids, device: device)), 0, layer, options);
        var memory = new MemoryOff(layer);
        // the block's stream without its memory's output
        var without = model.Blocks(below, layer, layer + 1, options with { Tap = memory });
        var whole = without + memory.Output!;
        Output = Kept(memory.Output!.select(1, prompt - 1).to(ScalarType.Float32).clone());
        if (start > 0)
            _prefix = KvPrefix.Of(
                model,
                whole.narrow(1, 0, start),
                layer + 1,
                model.Config.Layers,
                _mask?.narrow(1, 0, start)
            );
        _withoutMemory = Kept(without.narrow(1, start, columns).clone());
        _base = Kept(whole.narrow(1, start, columns).clone());
    }

    /// <summary>B.</summary>
    public int Rows { get; }

    /// <summary>What the memory itself says at the query position [B, D], float32: where a warm value starts.</summary>
    public Tensor Output { get; }

    /// <summary>A pass from the memory's output to the negative log-probabilities of all target tokens [P].</summary>
    /// <param name="values">What stands in for the memory's output [B, D]; null for the model as it is.</param>
    public TrackedPass Pass(Tensor? values)
    {
        using var quiet = no_grad();
        return TrackedPass.ToNll(
            _model,
            values is null ? _base : where(_replaced, _withoutMemory + values.to(_base.dtype).unsqueeze(1), _base),
            _layer + 1,
            _targets,
            new ForwardOptions
            {
                Past = _prefix,
                AttentionMask = _mask,
                Positions = Positions.At(_positions),
            }
        );
    }

    /// <summary>Mean negative log-probability of each edit's target [B].</summary>
    /// <param name="pass">Over some values.</param>
    public Tensor Nll(TrackedPass pass) =>
        zeros(Rows, device: pass.Output.device).index_add(0, _rows, pass.Output * _shares, 1);

    /// <summary>The gradient of the values [B, D].</summary>
    /// <param name="pass">Over these values.</param>
    /// <param name="nll">Gradient of its output [P].</param>
    public Tensor Gradient(TrackedPass pass, Tensor nll)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var stream = pass.Backward(nll)!; // [B, T, D]
        return (stream * _replaced.to(stream.dtype)).sum(1).to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _prefix?.Dispose();
        foreach (
            var t in (Tensor?[])[_mask, _base, _withoutMemory, _replaced, _positions, _targets, _rows, _shares, Output]
        )
            t?.Dispose();
    }

    // One row: the prompt ends in its last column, the target without its last token follows.
    private static void Lay(EditRequest edit, int row, int prompt, long[,] ids, long[,] real)
    {
        var (p, t) = (edit.PromptIds, edit.TargetIds);
        for (var i = 0; i < p.Count; i++)
            ids[row, prompt - p.Count + i] = p[i];
        for (var i = 0; i + 1 < t.Count; i++)
            ids[row, prompt + i] = t[i];
        for (var i = prompt - p.Count; i < real.GetLength(1); i++)
            real[row, i] = 1;
    }

    // Whether a value stands in for the memory's output in a column, which is no padding.
    private static bool Replaces(CodebookReplacement replacement, int column, int prompt) =>
        replacement switch
        {
            CodebookReplacement.Last => column == prompt - 1,
            CodebookReplacement.Prompt => column < prompt - 1,
            _ => true,
        };

    private static Tensor Kept(Tensor t) => t.DetachFromDisposeScope();

    // Keeps the memory's output and lets nothing of it through.
    private sealed class MemoryOff(int layer) : ForwardTap
    {
        public Tensor? Output { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value)
        {
            if (at != layer)
                return value;
            Output = value.MoveToOuterDisposeScope().MoveToOuterDisposeScope();
            return zeros_like(value);
        }
    }
}
