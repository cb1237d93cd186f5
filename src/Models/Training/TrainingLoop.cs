using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>
/// Takes updates: pass, clip, AdamW. Keeps the curve, stores and resumes its state, and steps back where the numbers
/// stop being finite.
/// </summary>
/// <remarks>
/// Whatever is random in a run is a function of its seed and the step's number, so the state is weights, moments, step
/// and curve: a resumed run meets the same rows and masks as an undisturbed one and ends with the same bits.
/// </remarks>
public sealed class TrainingLoop : IDisposable
{
    private const int Columns = 8;
    private readonly FlatParameters _parameters;
    private readonly AdamW _optimiser;
    private readonly double? _clip;
    private readonly TrainingStore? _store;
    private readonly Action _reset;
    private readonly List<CurvePoint> _curve = [];

    /// <summary>Begins, or goes on where a stored state ends.</summary>
    /// <param name="parameters">What is trained; owned by the caller.</param>
    /// <param name="optimiser">Its constants.</param>
    /// <param name="clip">Bound of the gradient's global L2 norm, or null.</param>
    /// <param name="reset">Puts the weights back to where the run began; called when a run that diverged must be taken
    /// again up to the update before.</param>
    /// <param name="store">Where states are kept, or null.</param>
    public TrainingLoop(
        FlatParameters parameters,
        AdamW.Options optimiser,
        double? clip,
        Action reset,
        TrainingStore? store = null
    )
    {
        (_parameters, _clip, _reset, _store) = (parameters, clip, reset, store);
        _optimiser = new AdamW(parameters, optimiser);
        ResumedAt = Resume(int.MaxValue);
        if (ResumedAt > 0)
            _store!.Used(ResumedAt);
    }

    /// <summary>Updates taken.</summary>
    public int Step => _curve.Count;

    /// <summary>Updates a stored state spared.</summary>
    public int ResumedAt { get; }

    /// <summary>One point an update.</summary>
    public IReadOnlyList<CurvePoint> Curve => _curve;

    /// <summary>Takes updates until there are <paramref name="end"/>.</summary>
    /// <param name="end">Updates in all.</param>
    /// <param name="pass">Leaves the gradient of update n, 0-based, in the parameters.</param>
    /// <param name="rate">Step size of update n, 0-based.</param>
    /// <param name="after">Told of every update; returns false to stop there.</param>
    /// <param name="cancelled">Looked at before every update.</param>
    /// <returns>Null, or where the loss stopped being finite; the weights are then those before the update that led
    /// there.</returns>
    /// <exception cref="ArithmeticException">The loss is not finite before any update: the model itself is
    /// broken.</exception>
    public Divergence? Run(
        int end,
        Func<int, PassOutcome> pass,
        Func<int, double> rate,
        Func<CurvePoint, bool>? after = null,
        CancellationToken cancelled = default
    )
    {
        while (Step < end)
        {
            cancelled.ThrowIfCancellationRequested();
            if (Update(pass, rate) is { } divergence)
            {
                if (Step == 0)
                    throw new ArithmeticException(
                        $"the loss is {divergence.Loss} and its gradient norm "
                            + $"{divergence.GradientNorm} before the first update"
                    );
                StepBackTo(Step - 1, pass, rate, cancelled);
                return divergence;
            }
            var goOn = after?.Invoke(_curve[^1]) ?? true;
            if (_store is { } store && store.IsDue(Step))
                Save(store);
            if (!goOn)
                break;
        }
        return null;
    }

    /// <summary>Adds what was measured after the latest update to its point.</summary>
    public void Measured(double rouge1) => _curve[^1] = _curve[^1] with { Rouge1 = rouge1 };

    /// <inheritdoc/>
    public void Dispose() => _optimiser.Dispose();

    private Divergence? Update(Func<int, PassOutcome> pass, Func<int, double> rate)
    {
        var outcome = pass(Step);
        var norm = _parameters.GradientNorm();
        if (!double.IsFinite(outcome.Loss) || !double.IsFinite(norm))
            return new Divergence(Step + 1, outcome.Loss, norm);
        if (_clip is { } bound)
            _parameters.ClipGradient(norm, bound);
        var size = rate(Step);
        _optimiser.Step(size);
        _curve.Add(
            new CurvePoint(Step + 1, outcome.Loss, norm, size, outcome.Tokens, outcome.ForgetLoss, outcome.RetainLoss)
        );
        return null;
    }

    // The weights that gave the last finite loss are gone; keeping a copy of them in every step would cost as much
    // memory as the model.
    // A run that diverged is rare, so it is taken again from the last stored state, or from the start, up to one update
    // less.
    private void StepBackTo(int step, Func<int, PassOutcome> pass, Func<int, double> rate, CancellationToken cancelled)
    {
        var measured = _curve.ToDictionary(p => p.Step, p => p.Rouge1);
        _curve.Clear();
        if (Resume(step) == 0)
        {
            _reset();
            _optimiser.Reset();
        }
        while (Step < step)
        {
            cancelled.ThrowIfCancellationRequested();
            if (Update(pass, rate) is not null)
                throw new ArithmeticException(
                    $"step {Step + 1} was finite and is no longer: the passes of this run are not deterministic"
                );
            Measured(measured[Step]);
        }
    }

    private void Save(TrainingStore store)
    {
        using var curve = tensor(
            _curve
                .SelectMany(p =>
                    new double[]
                    {
                        p.Step,
                        p.Loss,
                        p.GradientNorm,
                        p.Rate,
                        p.Tokens,
                        p.ForgetLoss,
                        p.RetainLoss,
                        p.Rouge1,
                    }
                )
                .ToArray(),
            [_curve.Count, Columns],
            dtype: ScalarType.Float64
        );
        store.Save(
            Step,
            [
                new("weights", _parameters.Weights),
                new("first-moment", _optimiser.FirstMoment),
                new("second-moment", _optimiser.SecondMoment),
                new("curve", curve),
            ]
        );
    }

    // Returns the number of updates restored; 0 where no state of at most that many can be used, and then nothing was
    // touched.
    private int Resume(int atMost)
    {
        if (_store?.Load() is not { } found || found.Step > atMost)
            return 0;
        try
        {
            using var scope = NewDisposeScope();
            var shape = _parameters.Weights.shape;
            (string Name, long[] Shape, ScalarType Type)[] expected =
            [
                ("weights", shape, _parameters.Weights.dtype),
                ("first-moment", shape, _optimiser.FirstMoment.dtype),
                ("second-moment", shape, _optimiser.SecondMoment.dtype),
                ("curve", [found.Step, Columns], ScalarType.Float64),
            ];
            foreach (var (name, size, type) in expected)
                if (
                    !found.Tensors.Entries.TryGetValue(name, out var entry)
                    || entry.Type != type
                    || !entry.Shape.SequenceEqual(size)
                )
                {
                    _store.Aside($"its '{name}' does not fit this run");
                    return 0;
                }
            var values = found.Tensors.Read("curve").data<double>().ToArray();
            using (no_grad())
                _parameters.Weights.copy_(found.Tensors.Read("weights"));
            _optimiser.Restore(found.Step, found.Tensors.Read("first-moment"), found.Tensors.Read("second-moment"));
            _curve.AddRange(
                values
                    .Chunk(Columns)
                    .Select(c => new CurvePoint((int)c[0], c[1], c[2], c[3], (long)c[4], c[5], c[6], c[7]))
            );
            return found.Step;
        }
        catch (DamagedFileException e)
        {
            // The hash was right an instant ago; nothing but a change of the file in between leads here.
            _store.Aside(e.Message);
            _reset();
            _optimiser.Reset();
            _curve.Clear();
            return 0;
        }
    }
}
