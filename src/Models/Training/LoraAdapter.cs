using System.Runtime.InteropServices;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Low-rank trainable additions to linear maps: y = W x + s B (A dropout(x)), s = alpha / r, or alpha / sqrt(r).
/// </summary>
/// <remarks>
/// Source: Hu et al. (2021), section 4.1; Kalajdzievski (2023) for the scale that keeps its size with the rank.
/// A [r, in] starts uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5, as the reference library), B [out, r] at zero, so
/// a fresh adapter changes nothing. Both are float32 whatever the model's type. Dropout masks come from the run's own
/// seed, keyed by pass and map, so recomputing a block meets the same mask.
/// </remarks>
public sealed class LoraAdapter : IDisposable
{
    private readonly Dictionary<string, (Tensor A, Tensor B)> _factors = new(StringComparer.Ordinal);
    private readonly Options _options;
    private readonly Seed _seed,
        _dropoutSeed;
    private string? _pass;

    /// <summary>Makes a fresh adapter.</summary>
    /// <param name="weights">Weight name and value [out, in] of each linear map to adapt.</param>
    /// <param name="options">Rank, scale and dropout.</param>
    /// <param name="seed">Split into the initial values of each map and the dropout masks.</param>
    public LoraAdapter(IEnumerable<KeyValuePair<string, Tensor>> weights, Options options, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Rank);
        ArgumentOutOfRangeException.ThrowIfNegative(options.Dropout);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(options.Dropout, 1);
        _options = options;
        _seed = seed;
        _dropoutSeed = seed.For("lora-dropout");
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var initial = new List<KeyValuePair<string, Tensor>>();
        foreach (var (name, weight) in weights)
        {
            var (rows, columns) = (weight.shape[0], weight.shape[1]);
            initial.Add(
                KeyValuePair.Create(
                    AName(name),
                    Uniform(seed.For("lora").Stream(name), options.Rank, columns).to(weight.device)
                )
            );
            initial.Add(
                KeyValuePair.Create(BName(name), zeros(rows, options.Rank, dtype: float32, device: weight.device))
            );
        }
        Parameters = FlatParameters.CopyOf(initial, _ => true);
        foreach (var (name, view) in Parameters.Views)
            if (name.EndsWith(ASuffix, StringComparison.Ordinal))
            {
                var weight = name[..^ASuffix.Length];
                _factors.Add(weight, (view, Parameters.Views[BName(weight)]));
            }
    }

    private const string ASuffix = ".lora_A",
        BSuffix = ".lora_B";

    /// <summary>Shape of an adapter; the defaults are those of the reference trainer.</summary>
    public sealed record Options
    {
        /// <summary>r, columns of each factor.</summary>
        public int Rank { get; init; } = 8;

        /// <summary>alpha; the product of the factors is scaled by alpha / r.</summary>
        public double Alpha { get; init; } = 32;

        /// <summary>Whether it is scaled by alpha / sqrt(r) instead.</summary>
        public bool Rslora { get; init; }

        /// <summary>Share of each map's inputs set to zero in training passes, in [0, 1).</summary>
        public double Dropout { get; init; } = 0.05;

        /// <summary>Which linear maps of every block are adapted, by the last part of their checkpoint name.</summary>
        public IReadOnlyList<string> Targets { get; init; } =
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    }

    /// <summary>The factors in one vector, to be trained. Owned here.</summary>
    public FlatParameters Parameters { get; }

    /// <summary>Names of the adapted weights.</summary>
    public IEnumerable<string> AdaptedWeights => _factors.Keys;

    /// <summary>s.</summary>
    public double Scale => _options.Alpha / (_options.Rslora ? Math.Sqrt(_options.Rank) : _options.Rank);

    /// <summary>Whether training passes drop inputs, by masks of its own for every row of a pass.</summary>
    public bool HasDropout => _options.Dropout > 0;

    /// <summary>Whether inputs are being dropped.</summary>
    public bool Drops => HasDropout && _pass is not null;

    /// <summary>Whether a linear map has an addition.</summary>
    /// <param name="weight">The weight's checkpoint name.</param>
    public bool Adapts(string weight) => _factors.ContainsKey(weight);

    /// <summary>Opens a training pass: dropout is active until the result is disposed.</summary>
    /// <param name="pass">Names the pass within the run, for example <c>17/0/forget</c>; the same name gives the same
    /// masks.</param>
    public IDisposable TrainingPass(string pass)
    {
        _pass = pass;
        return new Closing(() => _pass = null);
    }

    /// <summary>The addition to the output of one linear map [.., out], or null where it is not adapted.</summary>
    /// <param name="weight">The weight's checkpoint name.</param>
    /// <param name="input">The map's input [.., in].</param>
    public Tensor? Addition(string weight, Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (!_factors.TryGetValue(weight, out var factor))
            return null;
        using var scope = NewDisposeScope();
        var x = input.to(float32);
        if (Drops)
            x *= Mask(_pass!, weight, x.shape, x.device);
        var addition = nn.functional.linear(nn.functional.linear(x, factor.A), factor.B) * Scale;
        return addition.to(input.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>What <see cref="Back"/> needs of an addition that was made in the kernels.</summary>
    /// <param name="Reduced">s A dropout(x) [R, r].</param>
    /// <param name="Pass">Names the masks; null where nothing was dropped.</param>
    internal sealed record Added(Tensor Reduced, string? Pass);

    /// <summary>Adds to the output of one linear map in the kernels; null where it is not adapted.</summary>
    /// <param name="y">The map's output [R, out].</param>
    /// <param name="weight">The weight's checkpoint name.</param>
    /// <param name="x">The map's input [R, in].</param>
    internal unsafe Added? AddTo(Tensor y, string weight, Tensor x)
    {
        if (!_factors.TryGetValue(weight, out var factor))
            return null;
        var pass = Drops ? _pass : null;
        using var scope = NewDisposeScope();
        var kept = pass is null ? x : x * Mask(pass, weight, x.shape, x.device);
        var reduced = Linear.Of(kept, factor.A).mul_(Scale);
        var addition = Linear.Of(reduced, factor.B);
        Elementwise.Add(Memory.Of(y), Memory.Of(addition), y.numel());
        return new Added(reduced.MoveToOuterDisposeScope(), pass);
    }

    /// <summary>Adds to the gradients of the factors, and to that of the map's input.</summary>
    /// <param name="added">From <see cref="AddTo"/>.</param>
    /// <param name="weight">The weight's checkpoint name.</param>
    /// <param name="dy">Gradient of the map's output [R, out].</param>
    /// <param name="x">The map's input [R, in].</param>
    /// <param name="dx">Gradient of the map's input [R, in], added to.</param>
    internal unsafe void Back(Added added, string weight, Tensor dy, Tensor x, Tensor dx)
    {
        var (a, b) = _factors[weight];
        using var scope = NewDisposeScope();
        var dReduced = Memory.New(added.Reduced.shape);
        Linear.Back(dy, b, added.Reduced, dReduced);
        dReduced.mul_(Scale);
        var mask = added.Pass is { } pass ? Mask(pass, weight, x.shape, x.device) : null;
        var dKept = Memory.New(x.shape);
        Linear.Back(dReduced, a, mask is null ? x : x * mask, dKept);
        if (mask is not null)
            dKept.mul_(mask);
        Elementwise.Add(Memory.Of(dx), Memory.Of(dKept), dx.numel());
    }

    /// <summary>Back to the initial values: the same A as at first, and B at zero.</summary>
    public void Reset()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (weight, (a, b)) in _factors)
        {
            a.copy_(Uniform(_seed.For("lora").Stream(weight), _options.Rank, a.shape[1]));
            b.zero_();
        }
    }

    /// <summary>What merging adds to a weight [out, in] in float32.</summary>
    public Tensor MergedUpdate(string weight)
    {
        var (a, b) = _factors[weight];
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return (matmul(b, a) * Scale).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// A copy of the factors of one weight: B scaled by s [out, r], and A transposed [in, r].
    /// </summary>
    public (Tensor Left, Tensor Right) Factors(string weight)
    {
        var (a, b) = _factors[weight];
        using var quiet = no_grad();
        return ((b * Scale).detach(), a.detach().t().contiguous());
    }

    /// <inheritdoc/>
    public void Dispose() => Parameters.Dispose();

    private static string AName(string weight) => weight + ASuffix;

    private static string BName(string weight) => weight + BSuffix;

    private static Tensor Uniform(SplitMix64 stream, long rows, long columns)
    {
        var bound = 1 / Math.Sqrt(columns);
        var values = new float[rows * columns];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)((2 * stream.NextDouble() - 1) * bound);
        return tensor(values, [rows, columns]);
    }

    // Kept inputs are scaled up so that the expected sum stays (inverted dropout). 32 random bits decide each element.
    private Tensor Mask(string pass, string weight, long[] shape, Device device)
    {
        var stream = _dropoutSeed.Stream($"{pass}/{weight}");
        var threshold = (uint)(_options.Dropout * uint.MaxValue);
        var kept = (float)(1 / (1 - _options.Dropout));
        // Written in place: as large arrays of the runtime the masks of a pass would lie about until its next
        // collection, beside the tensors made of them.
        var mask = empty(shape, dtype: float32);
        var values = MemoryMarshal.Cast<byte, float>(mask.bytes);
        for (var i = 0; i < values.Length; i += 2)
        {
            var bits = stream.Next();
            values[i] = (uint)bits < threshold ? 0 : kept;
            if (i + 1 < values.Length)
                values[i + 1] = (uint)(bits >> 32) < threshold ? 0 : kept;
        }
        return device.type == DeviceType.CPU ? mask : mask.to(device);
    }

    private sealed class Closing(Action close) : IDisposable
    {
        public void Dispose() => close();
    }
}
