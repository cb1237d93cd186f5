using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Tests.Support;

/// <summary>Short runs of gradient methods, by what they log.</summary>
public static class Curves
{
    /// <summary>A few updates of all weights without warm-up.</summary>
    public static T Brief<T>(T options, int steps = 1, double rate = 1e-3)
        where T : TrainingOptions =>
        options with
        {
            Trainable = Trainable.Full,
            Steps = steps,
            LearningRate = rate,
            WarmupShare = 0,
        };

    /// <summary>Losses and gradient norms of every update.</summary>
    public static IReadOnlyList<CurvePoint> Of(IMethod method, CausalLm model, MethodInputs inputs)
    {
        IReadOnlyList<CurvePoint> curve = [];
        method.Edit(model, inputs with { Trained = r => curve = r.Curve }, new Seed(11)).Dispose();
        return curve;
    }
}
