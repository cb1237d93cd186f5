using EditUnlearn.Models;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>How stages open a model: on the run's device, in the run's type.</summary>
internal static class Loading
{
    public static Checkpoint LoadModel(this StageIo io, string input) =>
        Checkpoint.Load(io.Input(input), Compute.Of(io.Device, io.DType));
}
