using static TorchSharp.torch;

namespace EditUnlearn.Methods.SideMemories;

/// <summary>
/// The margins of the routing loss: a change of alpha at most out of scope, beta at least in scope, gamma between them.
/// </summary>
/// <param name="Alpha">Largest distance out of scope.</param>
/// <param name="Beta">Least distance in scope.</param>
/// <param name="Gamma">Least gap.</param>
internal readonly record struct Margins(double Alpha, double Beta, double Gamma);

/// <summary>Writes one edit into a side memory by masked gradient descent.</summary>
/// <remarks>Source: Wang et al. (2024), equations 2 to 4; docs/methods.md, "WISE".</remarks>
internal static class SideMemoryTraining
{
    private const double StopDifference = 1e-4,
        StopLoss = 0.02;

    /// <summary>Constants of the descent.</summary>
    /// <param name="Steps">Most evaluations.</param>
    /// <param name="Rate">eta.</param>
    /// <param name="Decay">Weight decay inside the step.</param>
    /// <param name="MaskDecay">Whether the mask holds the decay too.</param>
    /// <param name="NormConstraint">|W' - W| stays at or below this in every entry.</param>
    public sealed record Settings(int Steps, double Rate, double Decay, bool MaskDecay, double NormConstraint);

    /// <summary>One evaluation: what it found and, where a step followed, from what gradient.</summary>
    /// <param name="Step">0-based.</param>
    /// <param name="Target">L_ft.</param>
    /// <param name="Routing">L_act.</param>
    public readonly record struct Evaluation(int Step, double Target, double Routing);

    /// <summary>Trains in place.</summary>
    /// <param name="rows">Cached states of the edit.</param>
    /// <param name="side">W' [D, F], changed.</param>
    /// <param name="main">W [D, F].</param>
    /// <param name="mask">B, 0 or 1 [D, F].</param>
    /// <param name="margins">Of the routing loss.</param>
    /// <param name="settings">Constants.</param>
    /// <param name="observe">Told W' before a step and the masked gradient.</param>
    /// <param name="failed">Told of a loss that is not finite; must throw.</param>
    /// <returns>All evaluations; the mean in-scope distance of the last.</returns>
    public static (IReadOnlyList<Evaluation> Evaluations, double Distance) Run(
        SideMemoryRows rows,
        Tensor side,
        Tensor main,
        Tensor mask,
        Margins margins,
        Settings settings,
        Action<int, Tensor, Tensor>? observe,
        Action<int, double> failed
    )
    {
        var evaluations = new List<Evaluation>();
        var (last, before) = (1e9, 1e9); // losses of the last two steps taken
        using var scope = NewDisposeScope();
        var (lowest, highest) = (main - settings.NormConstraint, main + settings.NormConstraint);
        for (var step = 0; ; step++)
        {
            using var inner = NewDisposeScope();
            var output = rows.Output(side).requires_grad_(true);
            using var pass = rows.Pass(output);
            var distances = rows.Distances(output);
            var target = rows.TargetLoss(pass).mean();
            var routing = Routing(distances, margins);
            var loss = target + routing;
            var numbers = stack([target, routing, distances.narrow(0, 0, distances.shape[0] - 1).mean()])
                .detach()
                .cpu()
                .data<float>()
                .ToArray();
            evaluations.Add(new Evaluation(step, numbers[0], numbers[1]));
            var total = (double)numbers[0] + numbers[1];
            if (!double.IsFinite(total))
                failed(step, total);
            if (Math.Abs(last - before) <= StopDifference && last <= StopLoss)
                return (evaluations, numbers[2]);

            var found = autograd.grad([loss], [output, pass.Output]);
            using var quiet = no_grad();
            rows.Back(pass, found[1], found[0]);
            var gradient = rows.SideGradient(found[0]);
            gradient.mul_(mask);
            observe?.Invoke(step, side, gradient);
            // Decay first: it belongs to the weight before the step.
            if (settings.Decay != 0)
                gradient.add_(settings.MaskDecay ? side * mask : side, settings.Decay);
            side.add_(gradient, -settings.Rate);
            side.clamp_(lowest, highest);
            (before, last) = (last, total);
            if (step == settings.Steps - 1)
                return (evaluations, numbers[2]);
        }
    }

    /// <summary>L_act of the pooled distances, the locality row's last.</summary>
    internal static Tensor Routing(Tensor distances, Margins margins)
    {
        var inScope = distances.narrow(0, 0, distances.shape[0] - 1);
        var outOfScope = distances.narrow(0, distances.shape[0] - 1, 1);
        return MeanOfPositive(outOfScope - inScope + margins.Gamma)
            + MeanOfPositive(outOfScope - margins.Alpha)
            + MeanOfPositive(margins.Beta - inScope);
    }

    /// <summary>The mean of the positive entries; 0 where there are none.</summary>
    internal static Tensor MeanOfPositive(Tensor x)
    {
        using var scope = NewDisposeScope();
        var positive = (x > 0).to(x.dtype).detach();
        return ((x * positive).sum() / positive.sum().clamp_min(1)).MoveToOuterDisposeScope();
    }
}
