using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// <see cref="Adam"/> with decoupled weight decay over one flat vector, step for step the arithmetic of torch's AdamW.
/// </summary>
/// <remarks>
/// Source: Loshchilov and Hutter (2019), algorithm 2. Each step begins with w = w (1 - lr decay).
/// </remarks>
public sealed class AdamW : IDisposable
{
    /// <summary>
    /// Elements of one block, a multiple of every vector width, so that blocks and one long vector give the same bits.
    /// </summary>
    public const long BlockElements = 1 << 20;

    private readonly FlatParameters _parameters;
    private readonly Options _options;
    private readonly long _decayed;

    /// <summary>Starts with zero moments.</summary>
    /// <param name="parameters">What is trained; stays owned by the caller and must outlive this object.</param>
    /// <param name="options">The constants.</param>
    public AdamW(FlatParameters parameters, Options options)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(options);
        _parameters = parameters;
        _options = options;
        _decayed = parameters.DecayedCount;
        using var quiet = no_grad();
        FirstMoment = zeros_like(parameters.Weights).DetachFromDisposeScope();
        SecondMoment = zeros_like(parameters.Weights).DetachFromDisposeScope();
    }

    /// <summary>The constants of the update.</summary>
    public sealed record Options : Adam
    {
        /// <summary>Decoupled decay per unit of learning rate, on the decayed part of the vector only.</summary>
        public double WeightDecay { get; init; }

        /// <summary>Whether matrices of blocks are stepped by <see cref="Muon"/> instead.</summary>
        public bool Orthogonal { get; init; }

        /// <summary>.NET threads for that; no result depends on it.</summary>
        public int Threads { get; init; } = 1;
    }

    /// <summary>Updates taken so far.</summary>
    public long StepCount { get; private set; }

    /// <summary>m [P].</summary>
    public Tensor FirstMoment { get; }

    /// <summary>v [P].</summary>
    public Tensor SecondMoment { get; }

    /// <summary>One update with the gradient collected in the parameters.</summary>
    /// <param name="learningRate">The rate of this step.</param>
    /// <remarks>
    /// Block by block, so that the only temporary is one block's denominator and not a vector as long as the model.
    /// </remarks>
    public void Step(double learningRate)
    {
        StepCount++;
        using var quiet = no_grad();
        if (_options.Orthogonal)
        {
            StepSlots(learningRate);
            return;
        }
        var count = _parameters.Weights.numel();
        for (long at = 0; at < count; at += BlockElements)
        {
            using var scope = NewDisposeScope();
            var length = Math.Min(BlockElements, count - at);
            Tensor Part(Tensor whole) => whole.narrow(0, at, length);
            var weights = Part(_parameters.Weights);
            if (_options.WeightDecay != 0 && _decayed > at)
                weights.narrow(0, 0, Math.Min(length, _decayed - at)).mul_(1 - learningRate * _options.WeightDecay);
            _options.Step(
                weights,
                Part(_parameters.Gradient),
                (Part(FirstMoment), Part(SecondMoment)),
                StepCount,
                learningRate
            );
        }
    }

    private int Threads => Math.Max(_options.Threads, ProductThreads.Count);

    // Weight by weight: matrices by Muon, the rest as above.
    private void StepSlots(double learningRate)
    {
        var decay = _options.WeightDecay;
        Parallel.ForEach(
            _parameters.Slots,
            new ParallelOptions { MaxDegreeOfParallelism = Threads },
            slot =>
            {
                using var quiet = no_grad(); // of this thread
                using var scope = NewDisposeScope();
                Tensor Part(Tensor whole) => whole.narrow(0, slot.Offset, slot.Count).view(slot.Shape);
                var (weight, gradient) = (Part(_parameters.Weights), Part(_parameters.Gradient));
                if (Muon.Takes(slot))
                {
                    Muon.Step(weight, gradient, Part(FirstMoment), learningRate, slot.Decayed ? decay : 0);
                    return;
                }
                if (slot.Decayed)
                    weight.mul_(1 - learningRate * decay);
                _options.Step(weight, gradient, (Part(FirstMoment), Part(SecondMoment)), StepCount, learningRate);
            }
        );
    }

    /// <summary>Back to zero moments, as if no step had been taken.</summary>
    public void Reset()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        FirstMoment.zero_();
        SecondMoment.zero_();
        StepCount = 0;
    }

    /// <summary>Continues a stored run.</summary>
    /// <param name="stepCount">Updates taken before.</param>
    /// <param name="firstMoment">m [P]; copied.</param>
    /// <param name="secondMoment">v [P]; copied.</param>
    public void Restore(long stepCount, Tensor firstMoment, Tensor secondMoment)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(stepCount);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        FirstMoment.copy_(firstMoment);
        SecondMoment.copy_(secondMoment);
        StepCount = stepCount;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
    }
}
