using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>
/// New values or low-rank additions for named weights. Source of the low-rank form: every locate-and-edit update is a
/// sum of outer products.
/// </summary>
/// <remarks>
/// What is stored is float32 whatever the model's type is; old weight and change are added in float32, and the sum is
/// rounded once, when it is written (defect S16).
/// </remarks>
public sealed class WeightPatch : ModelPatch
{
    internal const string Kind = "weights";
    private const string TensorFile = "patch.safetensors";
    private const string InfoFile = "patch.json";
    private const string LeftSuffix = ".left",
        RightSuffix = ".right",
        FullSuffix = ".full";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
    private readonly Dictionary<string, WeightChange> _changes;

    /// <summary>Takes ownership of the changes' tensors.</summary>
    public WeightPatch(IEnumerable<KeyValuePair<string, WeightChange>> changes)
    {
        _changes = new Dictionary<string, WeightChange>(changes, StringComparer.Ordinal);
        foreach (var change in _changes.Values)
            change.Detach();
    }

    /// <summary>The changed weights by checkpoint name.</summary>
    public IReadOnlyDictionary<string, WeightChange> Changes => _changes;

    /// <inheritdoc/>
    public override IDisposable ApplyTo(CausalLm model)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (var (name, change) in _changes)
        {
            if (!model.Weights.TryGetValue(name, out var weight))
                throw new ArgumentException($"The patch changes {name}, which the model does not have.", nameof(model));
            if (!weight.shape.SequenceEqual(change.Shape))
                throw new ArgumentException(
                    $"The patch changes {name} as [{string.Join(", ", change.Shape)}], but the model's is "
                        + $"[{string.Join(", ", weight.shape)}].",
                    nameof(model)
                );
        }
        var restore = new WeightSnapshot(model, _changes.Keys);
        using var quiet = no_grad();
        foreach (var (name, change) in _changes)
            change.AddTo(model.Weight(name));
        return restore;
    }

    /// <inheritdoc/>
    public override void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        var tensors = new List<KeyValuePair<string, Tensor>>();
        foreach (var (name, change) in _changes.OrderBy(p => p.Key, StringComparer.Ordinal))
            switch (change)
            {
                case LowRankChange low:
                    tensors.Add(new(name + LeftSuffix, low.Left));
                    tensors.Add(new(name + RightSuffix, low.Right));
                    break;
                case FullChange full:
                    tensors.Add(new(name + FullSuffix, full.Value));
                    break;
            }
        SafetensorsWriter.Write(Path.Combine(folder, TensorFile), tensors);
        var description = new JsonObject { ["format"] = "patch/1", ["kind"] = Kind };
        if (Health is not null)
            description["edits"] = Health.DeepClone();
        File.WriteAllText(Path.Combine(folder, InfoFile), description.ToJsonString(Indented) + "\n");
    }

    /// <summary>Reads a saved patch.</summary>
    /// <exception cref="InputException">There is no patch in the folder.</exception>
    /// <exception cref="DamagedFileException">A file of it breaks its format.</exception>
    public static new WeightPatch Load(string folder)
    {
        var info = Path.Combine(folder, InfoFile);
        if (!File.Exists(info))
            throw new InputException(folder, $"holds no patch: there is no {InfoFile}");
        JsonArray? health;
        try
        {
            var json = JsonNode.Parse(File.ReadAllBytes(info));
            if ((string?)json?["format"] != "patch/1" || (string?)json["kind"] != Kind)
                throw new JsonException("it does not describe a patch of weights in format patch/1");
            health = (JsonArray?)json["edits"]?.DeepClone();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or InvalidCastException)
        {
            throw new DamagedFileException(info, "is not a patch description: " + e.Message, inner: e);
        }
        var path = Path.Combine(folder, TensorFile);
        var file = SafetensorsFile.Open(path);
        var changes = new Dictionary<string, WeightChange>(StringComparer.Ordinal);
        foreach (var name in file.Entries.Keys)
            if (name.EndsWith(FullSuffix, StringComparison.Ordinal))
                changes.Add(name[..^FullSuffix.Length], new FullChange(file.Read(name)));
            else if (name.EndsWith(LeftSuffix, StringComparison.Ordinal))
            {
                var weight = name[..^LeftSuffix.Length];
                if (
                    !file.Entries.TryGetValue(weight + RightSuffix, out var right)
                    || right.Shape.Length != 2
                    || file.Entries[name].Shape.Length != 2
                    || right.Shape[1] != file.Entries[name].Shape[1]
                )
                    throw new DamagedFileException(path, $"the factors of {weight} do not fit together");
                changes.Add(weight, new LowRankChange(file.Read(name), file.Read(weight + RightSuffix)));
            }
            else if (!name.EndsWith(RightSuffix, StringComparison.Ordinal))
                throw new DamagedFileException(path, $"'{name}' is no part of a patch");
        return new WeightPatch(changes) { Health = health };
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var change in _changes.Values)
            change.Dispose();
    }
}

/// <summary>The change of one weight [out, in].</summary>
public abstract class WeightChange : IDisposable
{
    /// <summary>Shape of the weight.</summary>
    public abstract long[] Shape { get; }

    /// <summary>Changes a weight in place; what comes out is rounded once to its type.</summary>
    public abstract void AddTo(Tensor weight);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in Tensors)
            t.Dispose();
        GC.SuppressFinalize(this);
    }

    internal abstract IEnumerable<Tensor> Tensors { get; }

    internal void Detach()
    {
        foreach (var t in Tensors)
            t.DetachFromDisposeScope();
    }
}

/// <summary>W + Left Right^T.</summary>
/// <param name="left">[out, r].</param>
/// <param name="right">[in, r].</param>
public sealed class LowRankChange(Tensor left, Tensor right) : WeightChange
{
    /// <summary>[out, r].</summary>
    public Tensor Left => left;

    /// <summary>[in, r].</summary>
    public Tensor Right => right;

    /// <inheritdoc/>
    public override long[] Shape => [left.shape[0], right.shape[0]];

    internal override IEnumerable<Tensor> Tensors => [left, right];

    /// <inheritdoc/>
    public override void AddTo(Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        var master = CausalLm.MasterType(weight.dtype);
        var update = matmul(left, right.t()).to(master).to(weight.device);
        if (weight.dtype == master)
            weight.add_(update);
        else
            weight.copy_(update.add_(weight.to(master)));
    }
}

/// <summary>A weight's new value.</summary>
/// <param name="value">[out, in] or [size].</param>
public sealed class FullChange(Tensor value) : WeightChange
{
    /// <summary>The new value.</summary>
    public Tensor Value => value;

    /// <inheritdoc/>
    public override long[] Shape => value.shape;

    internal override IEnumerable<Tensor> Tensors => [value];

    /// <inheritdoc/>
    public override void AddTo(Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        weight.copy_(value);
    }
}

/// <summary>Copies of weights, put back on disposal.</summary>
internal sealed class WeightSnapshot : IDisposable
{
    private readonly Dictionary<string, (Tensor Weight, Tensor Copy)> _kept = new(StringComparer.Ordinal);

    /// <summary>Copies the named weights.</summary>
    public WeightSnapshot(CausalLm model, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(names);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        foreach (var name in names)
            _kept[name] = (model.Weight(name), model.Weight(name).detach().clone().DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        using var quiet = no_grad();
        foreach (var (weight, copy) in _kept.Values)
        {
            weight.copy_(copy);
            copy.Dispose();
        }
        _kept.Clear();
    }
}
