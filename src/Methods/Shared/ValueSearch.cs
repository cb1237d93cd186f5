using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// One group of value optimisations under way: the state between two evaluations of the loss. Shapes: N edits, D width.
/// </summary>
internal sealed class ValueSearch : IDisposable
{
    private static readonly Adam Optimiser = new();

    private readonly CausalLm _model;
    private readonly IReadOnlyList<EditRequest> _requests;
    private readonly ValueOptions _options;
    private readonly int _layer;
    private readonly Tensor _initial; // v0 [N, D] of all edits
    private readonly Tensor _values; // v0 + delta [N, D], filled as edits finish
    private readonly double[] _norms,
        _bounds; // |v0|, c |v0|
    private readonly List<ValueLoss>[] _losses;
    private readonly bool[] _clamped;
    private readonly Continuations _tails;

    private int[] _edits; // the edits still in the batch, in order
    private bool[] _open; // which of these still move
    private ValueRow[] _rows;
    private Plan _plan;
    private Tensor _delta,
        _m,
        _v; // [n, D] of the edits in the batch
    private Tensor? _essence0; // log-probabilities at delta = 0 [n, V]
    private int _step;

    public ValueSearch(
        CausalLm model,
        IReadOnlyList<EditRequest> requests,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        int layer,
        ValueSite site,
        ValueOptions options,
        IReadOnlyList<double>? anchors
    )
    {
        (_model, _requests, _options, _layer) = (model, requests, options, layer);
        var rows = ValueRows.Of(requests, contexts, options.KlFactor > 0);
        _rows = [.. rows.Rows];
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var ids = IdRows.Of([.. _rows.Select(r => r.Ids)], model.Device);
        var lookups = _rows.Select(r => r.Lookup).ToArray();
        var firstRows = Enumerable
            .Range(0, _rows.Length)
            .Where(i => i == 0 || _rows[i].Edit != _rows[i - 1].Edit)
            .Select(i => (long)i)
            .ToArray();

        var capture = new Capture(
            layer,
            site,
            ids.At(lookups).index_select(0, tensor(firstRows, device: model.Device))
        );
        var after = model.Blocks(model.Embed(ids.Ids), 0, layer + 1, new ForwardOptions { Tap = capture });
        _initial = capture.Found!.to(ScalarType.Float32).DetachFromDisposeScope();
        _norms = [.. _initial.to(ScalarType.Float64).norm(dim: 1).cpu().data<double>()];
        if (options.ClampTo == ClampAnchor.Unedited && anchors is null)
            throw new ArgumentException("The unedited model's |v0| is needed as an anchor.", nameof(anchors));
        _bounds =
        [
            .. Enumerable
                .Range(0, requests.Count)
                .Select(e =>
                    options.ClampNormFactor * (options.ClampTo == ClampAnchor.Unedited ? anchors![e] : _norms[e])
                ),
        ];
        _tails = Continuations.Of(model, after, layer + 1, lookups, [.. _rows.Select(r => r.Length)]);

        _values = _initial.clone().DetachFromDisposeScope();
        _losses = [.. requests.Select(_ => new List<ValueLoss>())];
        _clamped = new bool[requests.Count];
        _edits = [.. Enumerable.Range(0, requests.Count)];
        _open = [.. _edits.Select(_ => true)];
        (_delta, _m, _v) = (Zeros(), Zeros(), Zeros());
        _plan = Plan.Of(_rows, _edits, contexts.Count, _tails.Starts, FixedScores, model.Device);

        Tensor Zeros() => zeros_like(_initial).DetachFromDisposeScope();
        // Targets scored before the lookup position are out of delta's reach: a constant (docs/defects.md,
        // S1).
        double FixedScores(int row, int position, int target)
        {
            var log = LogProbabilities(_tails.Begun[row, position].unsqueeze(0));
            return -log[0, target].ToDouble();
        }
    }

    /// <summary>Evaluates the losses once and moves every open edit; false when none is left.</summary>
    public bool Step(Action<int, Tensor, Tensor>? observe)
    {
        if (_step >= _options.Steps - 1)
        {
            // The last evaluation of the reference moves nothing: left out.
            Finish();
            return false;
        }
        using var scope = NewDisposeScope();
        using var pass = Pass();
        using var tracked = enable_grad();
        var delta = _delta.detach().requires_grad_(true);
        var (total, parts) = Loss(pass, delta);
        if (!Record(parts))
        {
            Finish();
            return false;
        }
        total.sum().backward();
        using var quiet = no_grad();
        var felt = pass.Backward()!.view(-1, delta.shape[1]).index_select(0, _plan.First).to(float32);
        var gradient = delta.grad!.index_add(0, _plan.EditOfRow, felt, 1);
        for (var i = 0; observe is not null && i < _edits.Length; i++)
            if (_open[i])
                observe(_edits[i], _delta[i], gradient[i]);
        Move(gradient);
        _step++;
        if (_open.Count(o => o) <= 0.75 * _open.Length)
            Shrink();
        return true;
    }

    /// <summary>All edits; the tensors belong to the current scope.</summary>
    public IEnumerable<TargetValue> Results() =>
        _requests.Select((_, e) => new TargetValue(_initial[e].clone(), _values[e].clone(), _losses[e], _clamped[e]));

    public void Dispose()
    {
        _tails.Dispose();
        _plan.Dispose();
        foreach (var t in (Tensor?[])[_initial, _values, _delta, _m, _v, _essence0])
            t?.Dispose();
    }

    // The tails with delta at their first positions, up to what is scored: targets, and logits of essence rows.
    private TrackedPass Pass()
    {
        using var quiet = no_grad();
        var stream = _tails.Stream;
        var moved = stream
            .view(-1, stream.shape[2])
            .index_add(0, _plan.First, _delta.index_select(0, _plan.EditOfRow).to(stream.dtype), 1);
        return TrackedPass.ToNll(
            _model,
            moved.view(stream.shape),
            _layer + 1,
            _plan.TargetIds,
            new ForwardOptions { Past = _tails, Positions = Positions.At(_plan.Read) }
        );
    }

    // Total [n], and total, nll, kl, decay as numbers [4, n].
    private (Tensor Total, double[] Parts) Loss(TrackedPass pass, Tensor delta)
    {
        var nll =
            _plan.Fixed
            + zeros(_edits.Length, device: delta.device)
                .index_add(0, _plan.EditOfTarget, pass.Output * _plan.TargetWeight, 1);
        var kl = zeros_like(nll);
        if (pass.Rest is not null)
        {
            var essence = LabelLosses.LogProbabilities(pass.Rest); // [n, V]
            _essence0 ??= essence.detach().clone().DetachFromDisposeScope();
            kl = _options.KlFactor * (essence.exp() * (essence - _essence0)).sum(-1); // new || old
        }
        var decay = delta.norm(dim: 1) * Constants(e => _options.WeightDecay / (_norms[e] * _norms[e]));
        var total = nll + kl + decay;
        return (total, [.. stack([total, nll, kl, decay]).detach().cpu().to(ScalarType.Float64).data<double>()]);
    }

    // Notes the losses and closes edits that are done; whether any is left to move.
    private bool Record(double[] parts)
    {
        var n = _edits.Length;
        for (var i = 0; i < n; i++)
        {
            if (!_open[i])
                continue;
            var loss = new ValueLoss(parts[i], parts[n + i], parts[2 * n + i], parts[3 * n + i]);
            if (!double.IsFinite(loss.Total))
                throw new MethodFailedException(
                    "value optimisation",
                    $"{_requests[_edits[i]].Id}, layer {_layer}, step {_step}",
                    $"the loss is {loss.Total}",
                    "a smaller value learning rate or clamp, or an undamaged model"
                );
            _losses[_edits[i]].Add(loss);
            _open[i] = loss.Total >= _options.StopLoss;
        }
        return Array.Exists(_open, o => o);
    }

    // Adam, then the ball; edits that are done stay where they are.
    private void Move(Tensor gradient)
    {
        var moves = _open.All(o => o)
            ? null
            : tensor(_open.Select(o => o ? 1f : 0f).ToArray(), device: gradient.device).unsqueeze(1);
        var update = Optimiser.Move(gradient, (_m, _v), _step + 1, _options.LearningRate);
        _delta.add_(moves is null ? update : update * moves);
        var norms = _delta.norm(dim: 1).cpu().data<float>().ToArray();
        if (!norms.Where((norm, i) => _open[i] && norm > _bounds[_edits[i]]).Any())
            return;
        for (var i = 0; i < norms.Length; i++)
            _clamped[_edits[i]] |= _open[i] && norms[i] > _bounds[_edits[i]];
        _delta.mul_(
            tensor(
                    norms
                        .Select(
                            (norm, i) => _open[i] && norm > _bounds[_edits[i]] ? (float)(_bounds[_edits[i]] / norm) : 1f
                        )
                        .ToArray(),
                    device: gradient.device
                )
                .unsqueeze(1)
        );
    }

    private void Finish()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (!_delta.isfinite().all().ToBoolean())
            throw new MethodFailedException(
                "value optimisation",
                $"layer {_layer}, step {_step}",
                "a gradient is not finite",
                "a smaller value learning rate or clamp, or an undamaged model"
            );
        var at = tensor(_edits.Select(e => (long)e).ToArray(), device: _values.device);
        _values.index_copy_(0, at, _initial.index_select(0, at) + _delta);
    }

    // Drops the rows of finished edits.
    private void Shrink()
    {
        Finish();
        var stay = Enumerable.Range(0, _edits.Length).Where(i => _open[i]).ToArray();
        var edits = stay.Select(i => _edits[i]).ToHashSet();
        var rows = Enumerable.Range(0, _rows.Length).Where(r => edits.Contains(_rows[r].Edit)).ToArray();
        _tails.Keep(rows);
        _rows = [.. rows.Select(r => _rows[r])];
        var at = tensor(stay.Select(i => (long)i).ToArray(), device: _values.device);
        Tensor Kept(Tensor t)
        {
            var kept = t.index_select(0, at).DetachFromDisposeScope();
            t.Dispose();
            return kept;
        }
        (_delta, _m, _v) = (Kept(_delta), Kept(_m), Kept(_v));
        if (_essence0 is not null)
            _essence0 = Kept(_essence0);
        _edits = [.. stay.Select(i => _edits[i])];
        _open = [.. _edits.Select(_ => true)];
        var plan = _plan.Of(_rows, _edits, stay, _tails.Starts);
        _plan.Dispose();
        _plan = plan;
    }

    private Tensor LogProbabilities(Tensor h) =>
        nn.functional.log_softmax(_model.Logits(_model.FinalNorm(h)).to(ScalarType.Float32), -1);

    private Tensor Constants(Func<int, double> of) =>
        tensor(_edits.Select(e => (float)of(e)).ToArray(), device: _values.device);

    private sealed class Capture(int layer, ValueSite site, Tensor positions) : ForwardTap
    {
        public Tensor? Found { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value) =>
            at == layer && site == ValueSite.MlpOut ? Seen(value) : value;

        public override Tensor ResidPost(int at, Tensor h) => at == layer && site == ValueSite.ResidPost ? Seen(h) : h;

        private Tensor Seen(Tensor h)
        {
            // Out of the block's scope and out of the pass's: the caller's scope owns it.
            Found = h.reshape(-1, h.shape[^1])
                .index_select(0, positions)
                .MoveToOuterDisposeScope()
                .MoveToOuterDisposeScope();
            return h;
        }
    }

    // Where the tails begin and the scored positions lie in the flattened tails, and what is scored there.
    private sealed record Plan(
        Tensor First,
        Tensor EditOfRow,
        Tensor Read,
        Tensor TargetIds,
        Tensor TargetWeight,
        Tensor EditOfTarget,
        Tensor Fixed,
        double[] FixedNumbers,
        int Contexts
    ) : IDisposable
    {
        public static Plan Of(
            ValueRow[] rows,
            int[] edits,
            int contexts,
            IReadOnlyList<int> starts,
            Func<int, int, int, double> fixedScore,
            Device device
        )
        {
            var constants = new double[edits.Length];
            foreach (var (r, row) in rows.Index())
                for (var t = 0; t < row.Targets.Count && row.Scored(t) < row.Lookup; t++)
                    constants[row.Edit] +=
                        fixedScore(r, row.Scored(t), row.Targets[t]) / ((double)contexts * row.Targets.Count);
            return Made(rows, edits, contexts, starts, constants, device);
        }

        public Plan Of(ValueRow[] rows, int[] edits, int[] stay, IReadOnlyList<int> starts) =>
            Made(rows, edits, Contexts, starts, [.. stay.Select(i => FixedNumbers[i])], Read.device);

        public void Dispose()
        {
            foreach (var t in (Tensor[])[First, EditOfRow, Read, TargetIds, TargetWeight, EditOfTarget, Fixed])
                t.Dispose();
        }

        private static Plan Made(
            ValueRow[] rows,
            int[] edits,
            int contexts,
            IReadOnlyList<int> starts,
            double[] constants,
            Device device
        )
        {
            var place = edits.Select((e, i) => (e, i)).ToDictionary(p => p.e, p => (long)p.i);
            var (read, essence, ids, owners, weights) = (
                new List<long>(),
                new List<long>(),
                new List<long>(),
                new List<long>(),
                new List<float>()
            );
            for (var r = 0; r < rows.Length; r++)
            {
                var row = rows[r];
                if (row.IsEssence)
                    essence.Add(starts[r]);
                for (var t = 0; t < row.Targets.Count; t++)
                {
                    if (row.Scored(t) < row.Lookup)
                        continue;
                    read.Add(starts[r] + row.Scored(t) - row.Lookup);
                    ids.Add(row.Targets[t]);
                    owners.Add(place[row.Edit]);
                    weights.Add((float)(1.0 / ((double)contexts * row.Targets.Count)));
                }
            }
            Tensor Longs(IEnumerable<long> x) => tensor(x.ToArray(), device: device).DetachFromDisposeScope();
            return new Plan(
                Longs(starts.Select(s => (long)s)),
                Longs(rows.Select(r => place[r.Edit])),
                Longs(read.Concat(essence)),
                Longs(ids),
                tensor(weights.ToArray(), device: device).DetachFromDisposeScope(),
                Longs(owners),
                tensor(constants.Select(c => (float)c).ToArray(), device: device).DetachFromDisposeScope(),
                constants,
                contexts
            );
        }
    }
}
