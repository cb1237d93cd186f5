using BenchmarkDotNet.Running;
using EditUnlearn.Benchmarks;

// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- --filter '*' --job short
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- memory
if (args is ["memory", .. var rest]) return MemoryProbe.Run(rest);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
return 0;
