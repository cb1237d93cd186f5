using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Plain;

/// <summary>
/// WISE's training as one would first write it, and as the reference does: all rows through the whole model with both
/// memories in every step, logits everywhere.
/// </summary>
internal static class PlainWise
{
    /// <summary>Writes one edit into a side memory in place, under the corrected preset's loss.</summary>
    /// <returns>L_ft and L_act before each step.</returns>
    public static IReadOnlyList<(double Target, double Routing)> Train(
        CausalLm model,
        EditRequest edit,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        IReadOnlyList<int> locality,
        Tensor side,
        Tensor mask,
        Wise.Options options
    )
    {
        using var scope = NewDisposeScope();
        var main = model.Weight(CausalLm.DownProjName(options.Layer));
        var prompts = contexts.Select(c => Prompts.WithPrefix(edit, c)).ToList();
        List<IReadOnlyList<int>> rows =
        [
            .. prompts.Select(p => (IReadOnlyList<int>)[.. p, .. edit.TargetIds]),
            locality,
        ];
        var (width, n) = (rows.Max(r => r.Count), edit.TargetIds.Count);
        var ids = new long[rows.Count, width];
        var real = new long[rows.Count, width];
        var counted = new float[rows.Count, width];
        for (var i = 0; i < rows.Count; i++)
            for (var t = width - rows[i].Count; t < width; t++)
            {
                ids[i, t] = rows[i][t - width + rows[i].Count];
                real[i, t] = 1;
                counted[i, t] =
                    i == prompts.Count || t < width - n ? 1f / (i == prompts.Count ? locality.Count : prompts[i].Count) : 0;
            }
        var (batch, attention, pooling) = (tensor(ids), tensor(real), tensor(counted));
        var labels = tensor(edit.TargetIds.Select(i => (long)i).ToArray()).repeat([prompts.Count]);
        var losses = new List<(double, double)>();
        for (var step = 0; step < options.Steps; step++)
        {
            using var inner = NewDisposeScope();
            var trained = side.detach().requires_grad_(true);
            var tap = new Both(options.Layer, trained);
            var logits = model.Forward(batch, new ForwardOptions { Tap = tap, AttentionMask = attention });
            var target = nn.functional.cross_entropy(
                logits.narrow(0, 0, prompts.Count).narrow(1, width - n - 1, n).reshape(-1, logits.shape[^1]),
                labels
            );
            var distances = (tap.Distance! * pooling).sum(1);
            var (inScope, outOfScope) = (distances.narrow(0, 0, prompts.Count), distances.narrow(0, prompts.Count, 1));
            var routing =
                Positive(outOfScope - inScope + options.Gamma)
                + Positive(outOfScope - options.Alpha)
                + Positive(options.Beta - inScope);
            losses.Add((target.item<float>(), routing.item<float>()));
            var gradient = autograd.grad([target + routing], [trained])[0];
            using var quiet = no_grad();
            side.add_((gradient + options.WeightDecay * side) * mask, -options.LearningRate);
            side.copy_(maximum(minimum(side, main + options.NormConstraint), main - options.NormConstraint));
        }
        return losses;
    }

    private static Tensor Positive(Tensor x)
    {
        var above = (x > 0).to(ScalarType.Float32);
        return (x * above).sum() / above.sum().clamp_min(1);
    }

    private sealed class Both(int block, Tensor side) : ForwardTap
    {
        public Tensor? Distance { get; private set; }

        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer != block)
                return value;
            var output = nn.functional.linear(key, side);
            // Out of the scopes of block, pass and model.
            Distance = (nn.functional.silu(output) - nn.functional.silu(value))
                .norm(-1)
                .MoveToOuterDisposeScope()
                .MoveToOuterDisposeScope()
                .MoveToOuterDisposeScope()
                .MoveToOuterDisposeScope();
            return output;
        }
    }
}
