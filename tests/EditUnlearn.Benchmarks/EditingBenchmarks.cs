using BenchmarkDotNet.Attributes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks;

/// <summary>
/// The value optimisation against the plain one: full passes, one edit at a time. Rows are as long as the study's,
/// contexts as many as the reference's.
/// </summary>
public class ValueBenchmarks
{
    private CausalLm _model = null!;
    private EditRequest[] _edits = null!;
    private IReadOnlyList<IReadOnlyList<int>> _contexts = null!;
    private ValueOptions _options = null!;

    /// <summary>Width of the model: the miniature's 128 (MLP 768, vocabulary 1,024), or 256 (MLP 1,024).</summary>
    [Params(128, 256)]
    public int Width { get; set; }

    /// <summary>
    /// ROME: block 0, 21 contexts, one edit. MEMIT and AlphaEdit: value at block 1, 6 contexts, one edit or eight of a
    /// batch. Study: block 1, no contexts, no essence row, one edit.
    /// </summary>
    [Params("rome", "memit", "memit-8", "study")]
    public string Method { get; set; } = "";

    private int Layer => Method == "rome" ? 0 : 1;

    private ValueSite Site => Method == "rome" ? ValueSite.MlpOut : ValueSite.ResidPost;

    /// <summary>Makes a model and edits: a prompt of 24 tokens, subject last at 17, a target of 14.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _model = CausalLm.Random(
            new ModelConfig
            {
                Family = "llama2",
                VocabSize = 1024,
                HiddenSize = Width,
                IntermediateSize = Width == 128 ? 768 : 1024,
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
        int[] Tokens(int n) => [.. Enumerable.Range(0, n).Select(_ => 3 + draw.Below(1000))];
        _edits =
        [
            .. Enumerable
                .Range(0, Method == "memit-8" ? 8 : 1)
                .Select(i => new EditRequest($"{i}", [1, .. Tokens(23)], 17, [.. Tokens(13), 2], [1, .. Tokens(6)], 4)),
        ];
        _contexts = Method switch
        {
            "rome" =>
            [
                [],
                .. Enumerable.Range(0, 20).Select(i => Tokens(i < 10 ? 5 : 10)),
            ],
            "study" =>
            [
                [],
            ],
            _ =>
            [
                [],
                .. Enumerable.Range(0, 5).Select(_ => Tokens(10)),
            ],
        };
        _options = new ValueOptions { StopLoss = 0, KlFactor = Method == "study" ? 0 : 0.0625 };
    }

    /// <summary>Full passes, one edit at a time.</summary>
    [Benchmark(Baseline = true)]
    public void Plain()
    {
        using var scope = NewDisposeScope();
        foreach (var edit in _edits)
            _ = PlainTargetValue.Optimise(_model, edit, _contexts, Layer, Site, _options);
    }

    /// <summary>What the methods use.</summary>
    [Benchmark]
    public void Cached()
    {
        using var scope = NewDisposeScope();
        _ = TargetValues.Optimise(_model, _edits, _contexts, Layer, Site, _options);
    }
}

/// <summary>
/// Closed forms for one edit after 39 others at the miniature's MLP width, against dense solves of that width.
/// </summary>
public class ClosedFormBenchmarks : IDisposable
{
    private Tensor _moment = null!,
        _key = null!,
        _earlier = null!;
    private FactoredMoment _factored = null!;
    private NullSpace _space = null!;

    /// <summary>Makes a second moment of 768 and its factors.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var draw = new Seed(3).Stream("keys");
        Tensor Random(int rows, int columns) =>
            tensor(Enumerable.Range(0, rows * columns).Select(_ => draw.NextGaussian()).ToArray()).view(rows, columns);
        var x = Random(2000, 768);
        _moment = matmul(x.t(), x) / 2000;
        (_key, _earlier) = (Random(768, 1), Random(768, 39));
        _factored = new FactoredMoment(_moment, 100);
        _space = NullSpace.Of(_moment, 0.9, EigenvalueUnit.Mean);
    }

    /// <summary>MEMIT by a direct solve.</summary>
    [Benchmark]
    public void MemitDirect()
    {
        using var scope = NewDisposeScope();
        _ = LeastSquares.Direct(_moment, 100, _key);
    }

    /// <summary>MEMIT by the factor made once.</summary>
    [Benchmark]
    public void MemitFactored()
    {
        using var scope = NewDisposeScope();
        _ = _factored.Solve(_key);
    }

    /// <summary>AlphaEdit's unsymmetric system as the reference solves it.</summary>
    [Benchmark]
    public void AlphaEditDense()
    {
        using var scope = NewDisposeScope();
        var p = _space.Project(eye(768));
        _ = linalg.solve(
            matmul(p, matmul(_key, _key.t()) + matmul(_earlier, _earlier.t())) + eye(768, dtype: ScalarType.Float64),
            matmul(p, _key)
        );
    }

    /// <summary>AlphaEdit's small form.</summary>
    [Benchmark]
    public void AlphaEditSmall()
    {
        using var scope = NewDisposeScope();
        using var keys = new ProjectedKeys(1);
        keys.Add(_space.Project(_earlier));
        _ = keys.Factor(_space.Project(_key));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _factored?.Dispose();
        _space?.Dispose();
        GC.SuppressFinalize(this);
    }
}
