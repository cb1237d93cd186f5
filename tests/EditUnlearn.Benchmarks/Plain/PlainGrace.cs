using EditUnlearn.Methods;
using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Plain;

/// <summary>
/// GRACE's value optimisation as one would first write it: the whole model over the whole sequence in every step, one
/// edit after another.
/// </summary>
public static class PlainGrace
{
    /// <summary>Trains the value of one edit, replaced at the last prompt token.</summary>
    /// <returns>The value [D], which the caller owns, and the loss before each step.</returns>
    public static (Tensor Value, IReadOnlyList<double> Losses) Train(
        CausalLm model,
        int layer,
        EditRequest edit,
        Tensor start,
        int steps,
        double rate
    )
    {
        using var scope = NewDisposeScope();
        int[] row = [.. edit.PromptIds, .. edit.TargetIds];
        var ids = tensor(row.Select(i => (long)i).ToArray()).unsqueeze(0);
        var targets = tensor(edit.TargetIds.Select(i => (long)i).ToArray());
        var value = start.clone().requires_grad_(true);
        var (m, v) = (zeros_like(start), zeros_like(start));
        var losses = new List<double>();
        for (var step = 1; step <= steps; step++)
        {
            using var inner = NewDisposeScope();
            var logits = model.Forward(
                ids,
                new ForwardOptions { Tap = new Replace(layer, edit.PromptIds.Count - 1, value) }
            );
            var loss = nn.functional.cross_entropy(
                logits[0].narrow(0, edit.PromptIds.Count - 1, edit.TargetIds.Count),
                targets
            );
            losses.Add(loss.item<float>());
            var gradient = autograd.grad([loss], [value])[0];
            using var quiet = no_grad();
            m.mul_(0.9).add_(gradient, 0.1);
            v.mul_(0.999).addcmul_(gradient, gradient, 0.001);
            value.addcdiv_(
                m,
                v.sqrt().div_(Math.Sqrt(1 - Math.Pow(0.999, step))).add_(1e-8),
                -rate / (1 - Math.Pow(0.9, step))
            );
        }
        return (value.detach().MoveToOuterDisposeScope(), losses);
    }

    private sealed class Replace(int block, int position, Tensor with) : ForwardTap
    {
        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            if (layer != block)
                return value;
            return cat(
                [
                    value.narrow(1, 0, position),
                    with.view(1, 1, -1),
                    value.narrow(1, position + 1, value.shape[1] - position - 1),
                ],
                1
            );
        }
    }
}
