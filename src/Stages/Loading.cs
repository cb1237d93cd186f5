using EditUnlearn.Models;
using EditUnlearn.Pipeline;
using static TorchSharp.torch;

namespace EditUnlearn.Stages;

/// <summary>How stages open a model: on the run's device, in the run's type.</summary>
internal static class Loading
{
    public static Checkpoint LoadModel(this StageIo io, string input) => Checkpoint.Load(io.Input(input), io.Device, io.DType switch
    {
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        "float16" => ScalarType.Float16,
        var other => throw new StageFailedException($"the setting dtype is '{other}'; known are float32, bfloat16, float16"),
    });
}
