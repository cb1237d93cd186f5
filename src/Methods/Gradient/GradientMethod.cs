using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>
/// What all gradient methods share: which weights move, in which order rows meet, optimiser and schedule. A method is a
/// <see cref="Loss"/> and little else.
/// </summary>
/// <remarks>
/// Source: the study's appendix B.4 and the trainer of PISTOL; docs/methods.md, "Gradient methods". A loss that is no
/// longer finite ends the run with the last finite weights: that is the method's result, and the record says so.
/// </remarks>
public abstract class GradientMethod(string label, TrainingOptions options) : IMethod
{
    private const double BytesPerMegabyte = 1 << 20;

    /// <summary>What it was made with.</summary>
    public TrainingOptions Training => options;

    /// <summary>Told after every update, for tests and logs.</summary>
    public Action<CurvePoint>? Observer { get; init; }

    /// <summary>
    /// The rows that meet in every place, instead of drawn ones: to repeat a run whose batches are known.
    /// </summary>
    public IReadOnlyList<PairedRow>? Places { get; init; }

    /// <inheritdoc/>
    public abstract Needs Needs { get; }

    /// <summary>The model it is compared with; null for none.</summary>
    protected virtual ReferenceSource? Reference => null;

    /// <summary>The loss of one forward pass's rows, to be minimised.</summary>
    /// <param name="model">The model under training.</param>
    /// <param name="batch">The rows that meet.</param>
    protected abstract Tensor Loss(TrainedModel model, UnlearnBatch batch);

    /// <summary>
    /// The rows whose labels' probabilities <see cref="Loss"/> asks for: they go through the model together. By default
    /// all that the method needs.
    /// </summary>
    /// <param name="batch">The rows that meet.</param>
    protected virtual IEnumerable<RowBatch?> Asked(UnlearnBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return [Asks(Needs.ForgetAnswers) ? batch.Forget : null, batch.Retain, batch.Refusals];
    }

    /// <summary>Asks the reference, before training, all that <see cref="Loss"/> will ask.</summary>
    /// <param name="reference">The model.</param>
    /// <param name="meeting">The rows of the whole run.</param>
    protected virtual void Prepare(ReferenceModel reference, Meeting meeting) { }

    /// <summary>
    /// What the loss needs besides rows and what does not change during a run: found once, before it, and read as
    /// <see cref="TrainedModel.Constant"/>. Null for nothing.
    /// </summary>
    /// <param name="model">The model before training.</param>
    /// <param name="inputs">As for <see cref="Edit"/>.</param>
    /// <param name="seed">The run's.</param>
    protected virtual Tensor? Constant(CausalLm model, MethodInputs inputs, Seed seed) => null;

    /// <summary>Rows that meet in the course of a run, each once.</summary>
    /// <param name="Forget">Forget rows.</param>
    /// <param name="Retain">Retain rows.</param>
    /// <param name="Refusals">Forget questions with refusals.</param>
    protected sealed record Meeting(
        IReadOnlyList<TokenRow> Forget,
        IReadOnlyList<TokenRow> Retain,
        IReadOnlyList<TokenRow> Refusals
    );

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        CheckRows(inputs);
        var schedule = options.ScheduleFor(inputs.Forget.Count);
        var perUpdate = options.BatchSize * options.Accumulation;
        var places =
            Places
            ?? Pairing.Draw(
                seed,
                inputs.Forget.Count,
                Asks(Needs.RetainSet) ? inputs.Retain.Count : 0,
                Asks(Needs.Refusals) ? [.. inputs.Refusals.Select(r => r.Count)] : [],
                schedule.TotalSteps * perUpdate
            );

        using var reference = OpenReference(model, inputs, places);
        using var constant = Constant(model, inputs, seed);
        using var trained = TrainedModel.Of(model, options, seed, reference, constant);
        using var loop = new TrainingLoop(
            trained.Parameters,
            new AdamW.Options { WeightDecay = options.WeightDecay },
            options.ClipNorm,
            trained.Reset,
            inputs.Store
        );
        bool After(CurvePoint point)
        {
            Observer?.Invoke(point);
            inputs.Progress?.Invoke(
                new MethodProgress(
                    point.Step,
                    schedule.TotalSteps,
                    string.Create(CultureInfo.InvariantCulture, $"loss {point.Loss:0.000}")
                )
            );
            return IsWithin(point);
        }
        Divergence? diverged = null;
        try
        {
            // A run that was killed after it had passed the bound must not go on.
            if (loop.Step == 0 || IsWithin(loop.Curve[^1]))
                diverged = loop.Run(
                    schedule.TotalSteps,
                    step => Accumulate(trained, inputs, [.. places.Skip(step * perUpdate).Take(perUpdate)], step),
                    schedule.At,
                    After,
                    inputs.Cancelled
                );
        }
        catch (ArithmeticException e)
        {
            throw new MethodFailedException(label, "the first step", e.Message, "an undamaged model");
        }
        inputs.Trained?.Invoke(new TrainingRecord([.. loop.Curve], schedule.TotalSteps, diverged, loop.ResumedAt));
        return trained.ToPatch();
    }

    private void CheckRows(MethodInputs inputs)
    {
        if (inputs.Forget.Count == 0)
            throw new ArgumentException("There is nothing to forget.", nameof(inputs));
        if (Asks(Needs.RetainSet) && inputs.Retain.Count == 0)
            throw new ArgumentException($"{label} needs retain rows.", nameof(inputs));
        if (Asks(Needs.Refusals) && inputs.Refusals.Count != inputs.Forget.Count)
            throw new ArgumentException($"{label} needs refusals for every forget row.", nameof(inputs));
    }

    /// <summary>What the run will need at its peak, from the options and rows alone.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="inputs">As for <see cref="Edit"/>.</param>
    /// <param name="weightBytes">Bytes of a weight.</param>
    public TrainingMemory MemoryFor(ModelConfig config, MethodInputs inputs, int weightBytes = 4)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(inputs);
        List<IReadOnlyList<TokenRow>> sets = [];
        if (Asks(Needs.ForgetAnswers))
            sets.Add(inputs.Forget);
        if (Asks(Needs.RetainSet))
            sets.Add(inputs.Retain);
        if (Asks(Needs.Refusals))
            sets.Add([.. inputs.Refusals.SelectMany(r => r)]);
        var compared = Compared(inputs);
        var labels = sets.Sum(s => options.BatchSize * s.Max(r => r.LabelCount));
        return TrainingMemory.Of(
            new TrainingPlan
            {
                Config = config,
                Moves = options.Moving(),
                Rows = options.BatchSize,
                Width = sets.SelectMany(s => s).Max(r => r.Ids.Count),
                Forwards = sets.Count,
                Labels = labels,
                Read = labels + compared.AtOnce,
                Compared = Math.Min(compared.AtOnce, TrainedModel.PositionsAtOnce(config.VocabSize)),
                ReferenceBytes = Math.Min(
                    TrainingMemory.ReferenceStates(config, compared.Kept, weightBytes),
                    (long)(options.ReferenceCacheMegabytes * BytesPerMegabyte)
                ),
                WeightBytes = weightBytes,
            }
        );
    }

    /// <summary>Positions compared with a reference: in one pass at most, and all that are kept.</summary>
    protected virtual (long AtOnce, long Kept) Compared(MethodInputs inputs) => (0, 0);

    private bool Asks(Needs need) => Needs.HasFlag(need);

    private bool IsWithin(CurvePoint point) => options.MaxForgetLoss is not { } limit || !(point.ForgetLoss > limit);

    private ReferenceModel? OpenReference(CausalLm model, MethodInputs inputs, IReadOnlyList<PairedRow> places)
    {
        if (Reference is not { } source)
            return null;
        var own = source.Needed() != Needs.None;
        if (own && inputs.OpenReference is null)
            throw new ArgumentException(
                $"{label} is compared with a model that is not the one it starts from, but none was given.",
                nameof(inputs)
            );
        var opened = own ? inputs.OpenReference!() : model;
        if (opened.Config.VocabSize != model.Config.VocabSize)
        {
            var vocabulary = opened.Config.VocabSize;
            opened.Dispose();
            throw new ArgumentException(
                $"{label} is compared with a model of {vocabulary} words, but this one has {model.Config.VocabSize}.",
                nameof(inputs)
            );
        }
        var reference = new ReferenceModel(opened, own, (long)(options.ReferenceCacheMegabytes * BytesPerMegabyte));
        Prepare(
            reference,
            new Meeting(
                [.. places.Select(p => p.Forget).Distinct().Select(i => inputs.Forget[i])],
                [.. places.Where(p => p.Retain >= 0).Select(p => p.Retain).Distinct().Select(i => inputs.Retain[i])],
                [
                    .. places
                        .Where(p => p.Refusal >= 0)
                        .Select(p => (p.Forget, p.Refusal))
                        .Distinct()
                        .Select(p => inputs.Refusals[p.Forget][p.Refusal]),
                ]
            )
        );
        return reference;
    }

    // The gradients of one update's passes, added up in the parameters; returns the joined loss.
    private PassOutcome Accumulate(TrainedModel trained, MethodInputs inputs, IReadOnlyList<PairedRow> places, int step)
    {
        trained.Parameters.ZeroGradient();
        var exact = options.AccumulationMode == AccumulationMode.Exact;
        var (total, tokens) = (0.0, 0L);
        for (var pass = 0; pass < options.Accumulation; pass++)
        {
            using var scope = NewDisposeScope();
            using var batch = UnlearnBatch.Of(
                inputs,
                [.. places.Skip(pass * options.BatchSize).Take(options.BatchSize)],
                trained.Device,
                exact ? places : null
            );
            using var dropout = trained.TrainingPass(string.Create(CultureInfo.InvariantCulture, $"{step}/{pass}"));
            trained.AskTogether([.. Asked(batch).OfType<RowBatch>()]);
            var loss = Loss(trained, batch);
            // Exact means carry the whole update's divisors themselves.
            if (!exact)
                loss = loss / options.Accumulation;
            trained.Backward(loss);
            total += loss.detach().ToDouble();
            tokens += batch.TokenCount;
        }
        var (forget, retain) = trained.TakeNoted();
        return new PassOutcome(total, tokens, forget, retain);
    }
}
