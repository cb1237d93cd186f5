using EditUnlearn.Models;
using TorchSharp;

namespace EditUnlearn.Tests.Unit.Models;

public class TorchRuntimeTests
{
    [Fact]
    public void The_native_library_loads_and_adds_two_tensors()
    {
        TorchRuntime.Initialise();
        using var sum = torch.ones(2) + torch.tensor(new[] { 1f, 2f });
        Assert.Equal([2f, 3f], sum.data<float>().ToArray());
    }

    [Fact]
    public void One_native_thread_per_process()
    {
        TorchRuntime.Initialise();
        Assert.Equal(1, torch.get_num_threads());
    }
}
