using EditUnlearn.Foundation;
using EditUnlearn.Models;
using TorchSharp;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class ComputeTests
{
    [Theory]
    [InlineData("cpu", "auto", 2, DeviceType.CPU, -1, torch.ScalarType.Float32)]
    [InlineData("cpu", "bfloat16", 0, DeviceType.CPU, -1, torch.ScalarType.BFloat16)]
    [InlineData("auto", "auto", 0, DeviceType.CPU, -1, torch.ScalarType.Float32)]
    [InlineData("auto", "auto", 1, DeviceType.CUDA, 0, torch.ScalarType.BFloat16)]
    [InlineData("cuda", "auto", 1, DeviceType.CUDA, 0, torch.ScalarType.BFloat16)]
    [InlineData("cuda:3", "float32", 4, DeviceType.CUDA, 3, torch.ScalarType.Float32)]
    [InlineData("cuda:0", "float16", 1, DeviceType.CUDA, 0, torch.ScalarType.Float16)]
    public void Names_become_devices_and_types(
        string device,
        string dtype,
        int gpus,
        DeviceType type,
        int index,
        torch.ScalarType weights
    )
    {
        var compute = Compute.Of(device, dtype, gpus);
        Assert.Equal(type, compute.Device.type);
        if (type == DeviceType.CUDA)
            Assert.Equal(index, compute.Device.index);
        Assert.Equal(weights, compute.DType);
    }

    [Fact]
    public void Unknown_names_are_reported_together()
    {
        var e = Assert.Throws<InputException>(() => Compute.Of("gpu", "int8", 1));
        Assert.Equal(
            "device: 'gpu' is not a device\n  hint: known: auto, cpu, cuda, cuda:<number>\ndtype: 'int8' is not a "
                + "type of weights\n  hint: known: auto, float32, bfloat16, float16",
            e.Message
        );
    }

    [Theory]
    [InlineData("cuda", 0, "libtorch sees no GPU")]
    [InlineData("cuda:1", 1, "libtorch sees one GPU, cuda:0")]
    [InlineData("cuda:7", 4, "libtorch sees 4 GPUs, cuda:0 to cuda:3")]
    public void A_device_that_is_not_there_says_what_is(string device, int gpus, string seen) =>
        Assert.Contains(
            seen,
            Assert.Throws<ResourceUnavailableException>(() => Compute.Of(device, "auto", gpus)).Message,
            StringComparison.Ordinal
        );
}
