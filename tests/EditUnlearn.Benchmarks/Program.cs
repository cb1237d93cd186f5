using System.Diagnostics;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using EditUnlearn.Benchmarks;
using EditUnlearn.Benchmarks.Beside;
using EditUnlearn.Benchmarks.Checkpoints;
using EditUnlearn.Benchmarks.Speed;
using EditUnlearn.Pipeline;

// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- --filter '*' --job short
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- make-checkpoint|load|real-shape ...
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- memory
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- ratios
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- speed|growth
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- products|planner
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- beside|rates ...
// In the environment of a worker: allocator and collector matter as much as kernels.
const string Prepared = "EU_BENCHMARK_PREPARED";
if (Environment.GetEnvironmentVariable(Prepared) is null)
{
    var start = new ProcessStartInfo(
        Environment.ProcessPath!,
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [typeof(Program).Assembly.Location, .. args]
            : args
    );
    WorkerPool.Prepare(start, Environment.ProcessorCount);
    start.Environment[Prepared] = "1";
    using var again = Process.Start(start)!;
    again.WaitForExit();
    return again.ExitCode;
}
if (args is ["memory", .. var rest])
    return MemoryProbe.Run(rest);
if (args is ["speed", .. var asked])
    return SpeedVerb.Run(asked);
if (args is ["growth", .. var where])
    return GrowthVerb.Run(where);
if (args is ["products"])
    return ProductsVerb.Run();
if (args is ["planner", .. var study])
    return PlannerVerb.Run(study);
if (args is ["beside", .. var compared])
    return BesideVerb.Run(compared);
if (args is ["rates", .. var real])
    return RatesVerb.Run(real);
if (args is ["ratios", .. var rounds])
    return Ratios.Run(rounds);

// In this process: the project that the library would generate does not find libtorch.
var here = DefaultConfig.Instance.AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance));
if (!CheckpointVerbs.Run(args))
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, here);
return 0;
