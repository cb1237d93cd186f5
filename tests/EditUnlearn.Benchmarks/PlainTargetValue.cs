using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// The value optimisation as it is written down: one edit at a time, every pass over all blocks, all positions, all
/// words. What the fast one must equal.
/// </summary>
internal static class PlainTargetValue
{
    /// <summary>v0, v0 + delta, and the losses before each update.</summary>
    public static (Tensor Initial, Tensor Value, IReadOnlyList<ValueLoss> Losses) Optimise(
        CausalLm model,
        EditRequest request,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        int layer,
        ValueSite site,
        ValueOptions options
    )
    {
        using var scope = NewDisposeScope();
        var rows = ValueRows.Of([request], contexts, options.KlFactor > 0).Rows;
        var width = rows.Max(r => r.Ids.Count);
        var input = Padded(rows, width);
        var lookup = tensor(rows.Select(r => (long)r.Lookup).ToArray());
        var (places, words, shares) = Scored([.. rows.Take(contexts.Count)], width);

        Tensor v0;
        using (no_grad())
        {
            var capture = new OffsetTap(layer, site, lookup, null);
            _ = model.Forward(input, new ForwardOptions { Tap = capture });
            v0 = capture.Captured!;
        }
        var size = v0.norm().ToDouble();
        var delta = zeros_like(v0).requires_grad_(true);
        var (m, v) = (zeros_like(v0), zeros_like(v0));
        Tensor? essence0 = null;
        var losses = new List<ValueLoss>();
        for (var step = 0; step < options.Steps - 1; step++)
        {
            using var inner = NewDisposeScope();
            var log = nn.functional.log_softmax(
                model.Forward(input, new ForwardOptions { Tap = new OffsetTap(layer, site, lookup, delta) }),
                -1
            ); // [R, T, V]
            var nll = -(log.reshape(-1, log.shape[^1]).index_select(0, places).gather(1, words).squeeze(1) * shares)
                .sum()
                .unsqueeze(0);
            var kl = zeros(1);
            if (options.KlFactor > 0)
            {
                var essence = log[rows.Count - 1, rows[^1].Lookup];
                essence0 ??= essence.detach().clone().MoveToOuterDisposeScope();
                kl = options.KlFactor * (essence.exp() * (essence - essence0)).sum();
            }
            var decay = options.WeightDecay * delta.norm() / (size * size);
            var loss = nll + kl + decay;
            losses.Add(new ValueLoss(loss.ToDouble(), nll.ToDouble(), kl.ToDouble(), decay.ToDouble()));
            if (losses[^1].Total < options.StopLoss)
                break;
            var gradient = autograd.grad([loss], [delta])[0];
            using var quiet = no_grad();
            m.mul_(0.9).add_(gradient, 0.1);
            v.mul_(0.999).addcmul_(gradient, gradient, 0.001);
            delta.addcdiv_(
                m,
                (v / (1 - Math.Pow(0.999, step + 1))).sqrt() + 1e-8,
                -options.LearningRate / (1 - Math.Pow(0.9, step + 1))
            );
            var norm = delta.norm().ToDouble();
            if (norm > options.ClampNormFactor * size)
                delta.mul_(options.ClampNormFactor * size / norm);
        }
        using (no_grad())
            return (v0.MoveToOuterDisposeScope(), (v0 + delta).detach().MoveToOuterDisposeScope(), losses);
    }

    private static Tensor Padded(IReadOnlyList<ValueRow> rows, int width)
    {
        var ids = new long[rows.Count, width];
        for (var i = 0; i < rows.Count; i++)
            for (var t = 0; t < rows[i].Ids.Count; t++)
                ids[i, t] = rows[i].Ids[t];
        return tensor(ids);
    }

    // Where each target token of each context row is scored, in the flattened logits, and how much it counts.
    private static (Tensor Places, Tensor Words, Tensor Shares) Scored(ValueRow[] rows, int width)
    {
        var scored = rows.SelectMany(
                (r, i) =>
                    Enumerable
                        .Range(0, r.Targets.Count)
                        .Select(t =>
                            (
                                Place: (long)i * width + r.Scored(t),
                                Word: (long)r.Targets[t],
                                Share: (float)(1.0 / (rows.Length * r.Targets.Count))
                            )
                        )
            )
            .ToList();
        return (
            tensor(scored.Select(s => s.Place).ToArray()),
            tensor(scored.Select(s => s.Word).ToArray()).unsqueeze(1),
            tensor(scored.Select(s => s.Share).ToArray())
        );
    }

    private sealed class OffsetTap(int layer, ValueSite site, Tensor lookup, Tensor? offset) : ForwardTap
    {
        public Tensor? Captured { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value) =>
            at == layer && site == ValueSite.MlpOut ? Changed(value) : value;

        public override Tensor ResidPost(int at, Tensor h) =>
            at == layer && site == ValueSite.ResidPost ? Changed(h) : h;

        private Tensor Changed(Tensor h)
        {
            if (offset is null)
            {
                // Out of the block's scope, the stack's and the pass's.
                Captured = h[0].index_select(0, lookup.narrow(0, 0, 1)).squeeze(0).clone().DetachFromDisposeScope();
                return h;
            }
            var here = arange(h.shape[1]).unsqueeze(0) == lookup.unsqueeze(1);
            return h + here.unsqueeze(-1).to(h.dtype) * offset.to(h.dtype);
        }
    }
}
