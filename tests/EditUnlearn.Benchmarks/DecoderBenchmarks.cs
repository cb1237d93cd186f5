using BenchmarkDotNet.Attributes;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks;

/// <summary>A miniature's forward pass, training step and greedy decoding, on one thread.</summary>
public class DecoderBenchmarks
{
    private CausalLm _model = null!;
    private FlatParameters _parameters = null!;
    private CausalLm _trained = null!;
    private IReadOnlyList<TokenRow> _rows = null!;
    private List<IReadOnlyList<int>> _prompts = null!;

    /// <summary>Makes the model and 32 rows of 40 tokens.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _model = CausalLm.Random(
            new ModelConfig
            {
                Family = "llama2",
                VocabSize = 1024,
                HiddenSize = 128,
                IntermediateSize = 768,
                Layers = 4,
                Heads = 4,
                KvHeads = 2,
                HeadDim = 32,
                TieWordEmbeddings = true,
                MaxPositions = 512,
            },
            new Seed(1)
        );
        _parameters = FlatParameters.CopyOf(_model.Weights, _ => true);
        _trained = _model.Over(_parameters.Views);
        var draw = new Seed(2).Stream("rows");
        _rows =
        [
            .. Enumerable
                .Range(0, 32)
                .Select(_ => new TokenRow([1, .. Enumerable.Range(0, 39).Select(_ => 3 + draw.Below(1000))], 30)),
        ];
        _prompts = [.. _rows.Select(r => (IReadOnlyList<int>)[.. r.Ids.Take(24)])];
    }

    /// <summary>Logits of 32 x 40 tokens.</summary>
    [Benchmark]
    public void Forward()
    {
        using var scope = NewDisposeScope();
        using var quiet = inference_mode();
        using var batch = RowBatch.Of(_rows);
        _ = _model.Forward(batch.Ids);
    }

    /// <summary>Forward and backward of 32 x 40 tokens.</summary>
    [Benchmark]
    public void ForwardAndBackward()
    {
        using var scope = NewDisposeScope();
        using var batch = RowBatch.Of(_rows);
        _parameters.ZeroGradient();
        LabelLosses
            .Nll(_trained.Logits(_trained.Hidden(batch.Ids, batch.LabelPositions)), batch.LabelTargets)
            .mean()
            .backward();
    }

    /// <summary>32 prompts of 24 tokens, 24 new ones each.</summary>
    [Benchmark]
    public void Greedy() =>
        GreedyDecoder.Decode(_model, _prompts, new GreedyDecoder.Options { MaxNewTokens = 24, StopIds = [] });
}
