using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Codebooks;

/// <summary>Trains the values of several edits, each for its own target: gradient descent on them alone.</summary>
internal static class ValueTraining
{
    private static readonly Adam Optimiser = new();

    /// <summary>The outcome; the caller owns the tensor.</summary>
    /// <param name="Values">[B, D].</param>
    /// <param name="Losses">Before each step, for every edit [B][steps].</param>
    /// <param name="Before">Mean negative log-probability of each target without a codebook [B].</param>
    /// <param name="After">And with the trained values [B].</param>
    public sealed record Result(
        Tensor Values,
        IReadOnlyList<IReadOnlyList<double>> Losses,
        IReadOnlyList<double> Before,
        IReadOnlyList<double> After
    );

    /// <summary>Runs all steps; there is no early stop, in the reference neither.</summary>
    /// <param name="edits">Cached states.</param>
    /// <param name="start">Where the values start [B, D], float32.</param>
    /// <param name="steps">Adam steps, the optimiser starting afresh.</param>
    /// <param name="rate">Step size.</param>
    /// <param name="failed">Told the row and step of a loss that is not finite; must throw.</param>
    public static Result Run(CachedEdits edits, Tensor start, int steps, double rate, Action<int, int, double> failed)
    {
        using var scope = NewDisposeScope();
        using var training = enable_grad(); // the caller may have turned gradients off
        var before = Numbers(edits, null, steps: 0, failed);
        var values = start.detach().clone();
        var moments = (zeros_like(start), zeros_like(start));
        var losses = Enumerable.Range(0, edits.Rows).Select(_ => new List<double>(steps)).ToList();
        for (var step = 0; step < steps; step++)
        {
            using var inner = NewDisposeScope();
            // No edit's loss depends on another's value: the gradient of the sum holds each one's own gradient.
            using var pass = edits.Pass(values);
            var nll = edits.Nll(pass);
            var now = Checked(nll, step, failed);
            for (var b = 0; b < now.Count; b++)
                losses[b].Add(now[b]);
            var gradient = edits.Gradient(pass, autograd.grad([nll.sum()], [pass.Output])[0]);
            using var quiet = no_grad();
            Optimiser.Step(values, gradient, moments, step + 1, rate);
        }
        return new Result(
            values.detach().MoveToOuterDisposeScope(),
            losses,
            before,
            Numbers(edits, values, steps, failed)
        );
    }

    private static List<double> Numbers(CachedEdits edits, Tensor? values, int steps, Action<int, int, double> failed)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var pass = edits.Pass(values);
        return Checked(edits.Nll(pass), steps, failed);
    }

    private static List<double> Checked(Tensor nll, int step, Action<int, int, double> failed)
    {
        var numbers = nll.detach().cpu().data<float>().Select(x => (double)x).ToList();
        var broken = numbers.FindIndex(x => !double.IsFinite(x));
        if (broken >= 0)
            failed(broken, step, numbers[broken]);
        return numbers;
    }
}
