using BenchmarkDotNet.Attributes;
using EditUnlearn.Benchmarks.Checkpoints;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// Loads 2.1 GB of bfloat16 (Llama-2-7B's shape, four blocks) from a warm file cache; 2.14 GB over the mean is the
/// throughput.
/// </summary>
/// <remarks>Peak memory cannot be seen from here: the verb <c>load</c> of this program measures it.</remarks>
public class LoadBenchmarks
{
    private string _folder = "";

    /// <summary>Makes the checkpoint.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _folder = Directory.CreateTempSubdirectory("eu-load-").FullName;
        RandomCheckpoint.Write(_folder, Shapes.Get("llama2-7b") with { Layers = 4 }, new Seed(1), 5_000_000_000);
    }

    /// <summary>Removes it.</summary>
    [GlobalCleanup]
    public void Cleanup() => Directory.Delete(_folder, recursive: true);

    /// <summary>Laid over the files, every value looked at.</summary>
    [Benchmark(Baseline = true)]
    public void Mapped() => WeightFolder.Load(_folder, CPU, null).Dispose();

    /// <summary>Copied, every value looked at.</summary>
    [Benchmark]
    public void Copied() => WeightFolder.Load(_folder, CPU, null, new LoadOptions { Mapped = false }).Dispose();

    /// <summary>Converted to float32 on the way, every value looked at.</summary>
    [Benchmark]
    public void Converted() => WeightFolder.Load(_folder, CPU).Dispose();
}
