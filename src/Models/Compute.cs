using EditUnlearn.Foundation;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Where a model runs and in which type its weights are held: the one place where names become devices and types.
/// </summary>
/// <remarks>
/// float32 on a CPU, bfloat16 on a GPU unless told otherwise. Norms, softmax, rotary angles and losses run in float32
/// and statistics and solves in float32 or float64 whatever the weights are; each conversion stands on the line that
/// needs it.
/// </remarks>
/// <param name="Device">For every tensor of the run.</param>
/// <param name="DType">Of the weights.</param>
public sealed record Compute(Device Device, ScalarType DType)
{
    /// <summary>The processor, weights in float32.</summary>
    public static Compute OnCpu { get; } = new(CPU, ScalarType.Float32);

    /// <summary>Reads the two names.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, or <c>auto</c>: a GPU where libtorch sees
    /// one.</param>
    /// <param name="dtype"><c>float32</c>, <c>bfloat16</c>, <c>float16</c>, or <c>auto</c>: float32 on a CPU, bfloat16
    /// on a GPU.</param>
    /// <param name="gpus">GPUs that libtorch sees; null asks it.</param>
    /// <exception cref="InputException">A name is unknown; both are reported at once.</exception>
    /// <exception cref="ResourceUnavailableException">libtorch does not see the device.</exception>
    public static Compute Of(string device, string dtype, int? gpus = null)
    {
        var index = device == DeviceNames.Auto ? -1 : DeviceNames.Index(device);
        var problems = new List<InputProblem>();
        if (index is null)
            problems.Add(
                new InputProblem(
                    "device",
                    0,
                    0,
                    $"'{device}' is not a device",
                    $"known: {DeviceNames.Auto}, {DeviceNames.Cpu}, {DeviceNames.Cuda}, {DeviceNames.Cuda}:<number>"
                )
            );
        if (dtype != DeviceNames.Auto && !DeviceNames.Types.Contains(dtype))
            problems.Add(
                new InputProblem(
                    "dtype",
                    0,
                    0,
                    $"'{dtype}' is not a type of weights",
                    "known: " + string.Join(", ", DeviceNames.Types.Prepend(DeviceNames.Auto))
                )
            );
        if (problems.Count > 0)
            throw new InputException(problems);

        // A run on the processor never asks the driver.
        var seen = device == DeviceNames.Cpu ? 0 : gpus ?? GpuCount();
        if (index >= seen)
            throw Unavailable(device, seen);
        var gpu = device == DeviceNames.Auto && seen > 0 ? 0 : index!.Value;
        return new Compute(
            gpu < 0 ? CPU : new Device(DeviceType.CUDA, gpu),
            dtype switch
            {
                DeviceNames.F32 => ScalarType.Float32,
                DeviceNames.BF16 => ScalarType.BFloat16,
                DeviceNames.F16 => ScalarType.Float16,
                _ => gpu < 0 ? ScalarType.Float32 : ScalarType.BFloat16,
            }
        );
    }

    /// <summary>GPUs that the loaded libtorch can use; 0 with its CPU build.</summary>
    public static int GpuCount()
    {
        TorchRuntime.Initialise();
        return cuda.is_available() ? cuda.device_count() : 0;
    }

    /// <summary>For people: <c>cpu, float32</c>.</summary>
    public override string ToString() =>
        $"{(Device.type == DeviceType.CPU ? DeviceNames.Cpu : $"{DeviceNames.Cuda}:{Device.index}")}, {NameOf(DType)}";

    /// <summary>The name of a type of weights, as settings write it.</summary>
    public static string NameOf(ScalarType type) =>
        type switch
        {
            ScalarType.Float32 => DeviceNames.F32,
            ScalarType.BFloat16 => DeviceNames.BF16,
            ScalarType.Float16 => DeviceNames.F16,
            _ => type.ToString(),
        };

    private static ResourceUnavailableException Unavailable(string device, int gpus)
    {
        var seen = gpus switch
        {
            0 => "no GPU",
            1 => "one GPU, cuda:0",
            _ => $"{gpus} GPUs, cuda:0 to cuda:{gpus - 1}",
        };
        var hint =
            gpus == 0
                ? "use the device cpu, or a build with EU_TORCH=cuda, or EU_LIBTORCH=<folder> with a "
                    + "libtorch that knows CUDA; and see that the driver is loaded"
                : "name one of these";
        return new($"the device '{device}' is not there: libtorch sees {seen}\n  hint: {hint}");
    }
}
