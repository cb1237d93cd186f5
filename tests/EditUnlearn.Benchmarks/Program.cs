using BenchmarkDotNet.Running;
using EditUnlearn.Benchmarks.Checkpoints;

// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- --filter '*' --job short
// dotnet run -c Release --project tests/EditUnlearn.Benchmarks -- make-checkpoint|load|real-shape ...
if (!CheckpointVerbs.Run(args)) BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
