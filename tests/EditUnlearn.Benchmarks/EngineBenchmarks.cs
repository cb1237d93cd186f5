using BenchmarkDotNet.Attributes;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;

namespace EditUnlearn.Benchmarks;

/// <summary>What a run that has nothing to do spends its time on.</summary>
public class EngineBenchmarks
{
    private string _root = "";

    /// <summary>Finds the checkout.</summary>
    [GlobalSetup]
    public void Setup()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, PipelineFile.FileName)))
                _root = at.FullName;
    }

    /// <summary>pipeline.yaml to plan.</summary>
    [Benchmark]
    public int Plan() =>
        PlanBuilder
            .Build(
                PipelineFile.Read(Path.Combine(_root, PipelineFile.FileName)),
                StudyStages.Catalog,
                new PlanRequest()
            )
            .Cells.Count;

    /// <summary>Code identity of every stage, nothing remembered.</summary>
    [Benchmark]
    public int CodeIdentityCold()
    {
        var code = new CodeIdentity(AppContext.BaseDirectory);
        return StudyStages.Catalog.All.Sum(s => code.Of([s.GetType()]).Length);
    }
}
