using BenchmarkDotNet.Attributes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// Pretraining steps of miniatures of three widths, the two fixed shards of a batch on one thread or on two: 64 rows of
/// 40 tokens, so 2,560 tokens a step.
/// </summary>
[WarmupCount(1)]
[IterationCount(3)]
public class TrainingBenchmarks
{
    private const int Steps = 4,
        Batch = 64,
        RowTokens = 40;
    private List<TokenRow> _rows = null!;

    /// <summary>D.</summary>
    [Params(96, 128, 256)]
    public int Width { get; set; }

    /// <summary>.NET threads.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    /// <summary>Rows of random tokens.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var draw = new Seed(2).Stream("rows");
        _rows =
        [
            .. Enumerable
                .Range(0, Steps * Batch)
                .Select(_ => new TokenRow(
                    [1, .. Enumerable.Range(0, RowTokens - 1).Select(_ => 3 + draw.Below(1000))],
                    30
                )),
        ];
    }

    /// <summary>Four updates; 10,240 tokens, counted one by one.</summary>
    [Benchmark(OperationsPerInvoke = Steps * Batch * RowTokens)]
    public void Token()
    {
        var config = new ModelConfig
        {
            Family = "llama2",
            VocabSize = 1024,
            HiddenSize = Width,
            IntermediateSize = 6 * Width,
            Layers = 4,
            Heads = Width / 32,
            KvHeads = Width / 32,
            HeadDim = 32,
            TieWordEmbeddings = true,
            MaxPositions = 512,
        };
        using var model = Pretrainer
            .Train(
                config,
                _rows,
                new Pretrainer.Options
                {
                    Steps = Steps,
                    Batch = Batch,
                    Warmup = 1,
                    Threads = Threads,
                },
                new Seed(1)
            )
            .Model;
    }
}
