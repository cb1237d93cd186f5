using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// A run of edits on one model: writes on copies of the edited weights, and remembers every update as two thin factors.
/// The model itself is only read.
/// </summary>
/// <remarks>
/// The copies are masters in float32 whatever the model's type is: updates add up there, and a pass rounds their sum
/// once, as the patch will (defect S16). So a session holds the model and its edited matrices, nothing twice.
/// Whatever edits leave behind for later ones belongs to the session, never to the process (defects A3, S7).
/// </remarks>
internal class EditSession : IDisposable
{
    private readonly CausalLm _unedited;
    private readonly Dictionary<string, Tensor> _masters;
    private readonly Dictionary<int, List<(Tensor Left, Tensor Right)>> _updates;
    private readonly Dictionary<int, double> _norms;
    private readonly IDisposable _held;

    /// <summary>Opens a session.</summary>
    /// <param name="model">Only read; must not change until disposal.</param>
    /// <param name="inputs">Contexts, moments, whom to tell.</param>
    /// <param name="layers">The layers that will be written.</param>
    public EditSession(CausalLm model, MethodInputs inputs, IReadOnlyList<int> layers)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(layers);
        EditChecks.Check(model, inputs, layers);
        (_unedited, Inputs, Layers) = (model, inputs, layers);
        using var quiet = no_grad();
        _masters = layers.ToDictionary(CausalLm.DownProjName, l => Master(Unedited(l)), StringComparer.Ordinal);
        Model = model.Over(
            model.Weights.ToDictionary(
                w => w.Key,
                w => _masters.GetValueOrDefault(w.Key) ?? w.Value,
                StringComparer.Ordinal
            )
        );
        _held = Model.Hold();
        _updates = layers.ToDictionary(l => l, _ => new List<(Tensor, Tensor)>());
        _norms = layers.ToDictionary(l => l, l => Norm(Unedited(l)));
    }

    /// <summary>The model as edited so far: the edited weights are the session's masters.</summary>
    public CausalLm Model { get; }

    /// <summary>What the method was given.</summary>
    public MethodInputs Inputs { get; }

    /// <summary>The layers that are written, ascending.</summary>
    public IReadOnlyList<int> Layers { get; }

    /// <summary>What the edits did.</summary>
    public HealthReport Health { get; } = new();

    /// <summary>W += L R^T at one layer, and remembers it.</summary>
    /// <param name="layer">The block.</param>
    /// <param name="left">L [D, n].</param>
    /// <param name="right">R [F, n].</param>
    /// <returns>|W now - W unedited| / |W unedited|.</returns>
    public double Write(int layer, Tensor left, Tensor right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var weight = Model.Weight(CausalLm.DownProjName(layer)); // the master
        weight.add_(matmul(left, right.t()).to(weight.device).to(weight.dtype));
        Model.Changed(CausalLm.DownProjName(layer));
        Tensor Kept(Tensor t) => t.to(weight.device).to(ScalarType.Float32).clone().DetachFromDisposeScope();
        _updates[layer].Add((Kept(left), Kept(right)));
        var drift = Norm(weight - Unedited(layer).to(weight.dtype)) / _norms[layer];
        if (!double.IsFinite(drift))
            throw new MethodFailedException(
                "edit",
                $"layer {layer}",
                "the update is not finite",
                "gentler edits, or more directions in the null space"
            );
        return drift;
    }

    /// <summary>|W| of the unedited weight.</summary>
    public double UneditedNorm(int layer) => _norms[layer];

    /// <summary>W of the unedited model, which owns it.</summary>
    public Tensor Unedited(int layer) => _unedited.Weight(CausalLm.DownProjName(layer));

    /// <summary>
    /// Geometric mean of the target tokens' probabilities after the bare prompts, on the weights as they are; of the
    /// tokens that stand in text (<see cref="EditRequest.Answer"/>).
    /// </summary>
    public IReadOnlyList<double> TargetProbabilities(IReadOnlyList<EditRequest> requests) =>
        [
            .. Scorer
                .Score(Model, [.. requests.Select(r => new TokenRow([.. r.PromptIds, .. r.Answer], r.PromptIds.Count))])
                .Select(s => Math.Exp(s.LogProbabilities.Average())),
        ];

    /// <summary>Goes on where a killed attempt was.</summary>
    /// <returns>Edits that need not be made again.</returns>
    public int Resume() => Checkpoint.Resume<IReadOnlyList<EditHealth>>(Restore);

    /// <summary>Keeps the state for a killed attempt, where it is time to.</summary>
    /// <param name="done">Edits made.</param>
    public void Keep(int done) => Checkpoint.Keep(done, () => (State(), Health.Edits));

    /// <summary>What edits leave behind for later ones.</summary>
    protected virtual IEnumerable<KeyValuePair<string, Tensor>> State()
    {
        foreach (var (name, master) in _masters)
            yield return new("weight/" + name, master);
        foreach (var (layer, updates) in _updates.Where(u => u.Value.Count > 0))
        {
            yield return new($"left/{layer}", cat([.. updates.Select(u => u.Left)], 1));
            yield return new($"right/{layer}", cat([.. updates.Select(u => u.Right)], 1));
        }
    }

    /// <summary>Puts a state in force.</summary>
    /// <param name="state">As <see cref="State"/> gave it.</param>
    /// <param name="health">Of the edits made.</param>
    protected virtual void Restore(SafetensorsFile state, IReadOnlyList<EditHealth> health)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(health);
        foreach (var (name, master) in _masters)
        {
            master.copy_(state.Read("weight/" + name));
            Model.Changed(name);
        }
        foreach (var (layer, updates) in _updates.Where(u => state.Entries.ContainsKey($"left/{u.Key}")))
        {
            Tensor Kept(string name) => state.Read(name).to(Unedited(layer).device).DetachFromDisposeScope();
            updates.Add((Kept($"left/{layer}"), Kept($"right/{layer}")));
        }
        foreach (var edit in health)
            Health.Add(edit);
    }

    private EditCheckpoint Checkpoint => new(Inputs.Store);

    /// <summary>All edits so far as one patch: for each layer one pair of factors, however many edits.</summary>
    public WeightPatch ToPatch()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return new WeightPatch(
            _updates
                .Where(u => u.Value.Count > 0)
                .Select(u =>
                    KeyValuePair.Create<string, WeightChange>(CausalLm.DownProjName(u.Key), Compressed(u.Value))
                )
        )
        {
            Health = Health.ToJson(),
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the session holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        _held.Dispose();
        foreach (var master in _masters.Values)
            master.Dispose();
        foreach (var (left, right) in _updates.Values.SelectMany(u => u))
        {
            left.Dispose();
            right.Dispose();
        }
        _updates.Clear();
    }

    private static Tensor Master(Tensor weight)
    {
        using var scope = NewDisposeScope();
        // TorchSharp's conversion to the type it has is that tensor and no copy.
        return weight.detach().to(CausalLm.MasterType(weight.dtype)).clone().DetachFromDisposeScope();
    }

    // More columns than the weight has rows say no more than the product itself: I (R L^T)^T.
    private static LowRankChange Compressed(List<(Tensor Left, Tensor Right)> updates)
    {
        var left = cat([.. updates.Select(u => u.Left)], 1);
        var right = cat([.. updates.Select(u => u.Right)], 1);
        if (left.shape[1] > left.shape[0])
            (left, right) = (eye(left.shape[0], device: left.device), matmul(right, left.t()));
        return new LowRankChange(
            left.contiguous().DetachFromDisposeScope(),
            right.contiguous().DetachFromDisposeScope()
        );
    }

    private static double Norm(Tensor t)
    {
        using var scope = NewDisposeScope();
        return t.to(ScalarType.Float32).norm().ToDouble();
    }
}
