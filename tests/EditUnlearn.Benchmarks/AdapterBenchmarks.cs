using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using EditUnlearn.Benchmarks.Plain;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Methods.SideMemories;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// GRACE and WISE against the plain versions of both, on one thread: the same edits, steps and losses.
/// </summary>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory, BenchmarkLogicalGroupRule.ByParams)]
[CategoriesColumn]
public class AdapterBenchmarks
{
    private const int Edits = 8,
        Prompt = 20,
        Target = 14,
        Steps = 10;

    private CausalLm _model = null!;
    private IReadOnlyList<EditRequest> _edits = null!;
    private IReadOnlyList<IReadOnlyList<int>> _contexts = null!;
    private IReadOnlyList<int> _locality = null!;

    /// <summary>Width D of the four-block model: the miniature's, and twice that.</summary>
    [Params(128, 256)]
    public int Width { get; set; }

    /// <summary>The edited block of four. The reference edits block 27 of 32, which is the last one here.</summary>
    [Params(1, 2, 3)]
    public int Layer { get; set; }

    /// <summary>Makes model and edits.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _model = CausalLm.Random(
            new ModelConfig
            {
                Family = "llama2",
                VocabSize = 1024,
                HiddenSize = Width,
                IntermediateSize = 6 * Width,
                Layers = 4,
                Heads = Width / 32,
                KvHeads = Width / 64,
                HeadDim = 32,
                TieWordEmbeddings = true,
                MaxPositions = 512,
            },
            new Seed(1)
        );
        var draw = new Seed(2).Stream("edits");
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => 3 + draw.Below(1000))];
        _edits =
        [
            .. Enumerable
                .Range(0, Edits)
                .Select(i => new EditRequest($"{i}", [1, .. Tokens(Prompt - 1)], 5, Tokens(Target), [], 0)),
        ];
        _contexts =
        [
            [],
            .. Enumerable.Range(0, 10).Select(i => Tokens(i < 5 ? 6 : 11)),
        ];
        _locality = [1, .. Tokens(17)];
    }

    /// <summary>The whole model in every step, edit after edit.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("grace")]
    public void PlainGraceTraining()
    {
        using var scope = NewDisposeScope();
        foreach (var edit in _edits)
            _ = PlainGrace.Train(_model, Layer, edit, zeros(Width), Steps, 0.3);
    }

    /// <summary>Cached states, edits side by side.</summary>
    [Benchmark]
    [BenchmarkCategory("grace")]
    public void GraceTraining()
    {
        using var scope = NewDisposeScope();
        using var cached = new CachedEdits(_model, Layer, _edits, CodebookReplacement.Last);
        _ = ValueTraining.Run(cached, zeros(Edits, Width), Steps, 0.3, (_, _, _) => { });
    }

    /// <summary>Cached states, edit after edit: what caching alone gives.</summary>
    [Benchmark]
    [BenchmarkCategory("grace")]
    public void GraceTrainingOneByOne()
    {
        using var scope = NewDisposeScope();
        foreach (var edit in _edits)
        {
            using var cached = new CachedEdits(_model, Layer, [edit], CodebookReplacement.Last);
            _ = ValueTraining.Run(cached, zeros(1, Width), Steps, 0.3, (_, _, _) => { });
        }
    }

    /// <summary>The whole model in every step; eleven templates and the locality row.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("wise")]
    public void PlainWiseTraining() => PlainWiseWith(_contexts);

    /// <summary>Cached states; eleven templates.</summary>
    [Benchmark]
    [BenchmarkCategory("wise")]
    public void WiseTraining() => WiseWith(_contexts);

    /// <summary>The whole model in every step; the bare prompt and the locality row, as the miniature has it.</summary>
    [Benchmark(Baseline = true)]
    [BenchmarkCategory("wise-bare")]
    public void PlainWiseTrainingBare() =>
        PlainWiseWith([
            [],
        ]);

    /// <summary>Cached states; the bare prompt.</summary>
    [Benchmark]
    [BenchmarkCategory("wise-bare")]
    public void WiseTrainingBare() =>
        WiseWith([
            [],
        ]);

    private Wise.Options WiseOptions =>
        new()
        {
            Layer = Layer,
            Steps = Steps,
            MaskDecay = true,
        };

    private void PlainWiseWith(IReadOnlyList<IReadOnlyList<int>> contexts)
    {
        using var scope = NewDisposeScope();
        var side = _model.Weight(CausalLm.DownProjName(Layer)).clone();
        foreach (var edit in _edits)
            _ = PlainWise.Train(_model, edit, contexts, _locality, side, ones_like(side), WiseOptions);
    }

    private void WiseWith(IReadOnlyList<IReadOnlyList<int>> contexts)
    {
        using var scope = NewDisposeScope();
        var main = _model.Weight(CausalLm.DownProjName(Layer));
        var side = main.clone();
        var o = WiseOptions;
        foreach (var edit in _edits)
        {
            using var rows = new SideMemoryRows(
                _model,
                Layer,
                edit,
                contexts,
                _locality,
                LabelWindow.Exact,
                DistancePooling.PromptTokens
            );
            _ = SideMemoryTraining.Run(
                rows,
                side,
                main,
                ones_like(main),
                new Margins(o.Alpha, o.Beta, o.Gamma),
                new SideMemoryTraining.Settings(Steps, o.LearningRate, o.WeightDecay, true, o.NormConstraint),
                null,
                (_, _) => { }
            );
        }
    }
}
