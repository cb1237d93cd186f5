using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>In which unit the bound on eigenvalues is given.</summary>
public enum EigenvalueUnit
{
    /// <summary>As they come: the reference.</summary>
    Absolute,

    /// <summary>In units of their mean, which makes the bound independent of a model's scale.</summary>
    Mean,
}

/// <summary>
/// P = U U^T over the eigenvectors of C [F, F] whose eigenvalue lies below a bound: the directions that ordinary keys
/// hardly use.
/// </summary>
/// <remarks>
/// Source: Fang et al. (2025), equation 8; docs/methods.md, "AlphaEdit". Eigenvectors in float64 (the reference:
/// float32 SVD of the same symmetric matrix). Of the kept and the discarded eigenvectors the fewer are stored: P k = U
/// (U^T k), or k - V (V^T k).
/// </remarks>
public sealed class NullSpace : IDisposable
{
    private const string KeptSuffix = ".kept",
        DroppedSuffix = ".dropped";

    private NullSpace(Tensor factor, bool isDropped, double threshold, EigenvalueUnit unit)
    {
        Factor = factor.DetachFromDisposeScope();
        IsDropped = isDropped;
        Threshold = threshold;
        Unit = unit;
    }

    /// <summary>U or V, orthonormal columns [F, m], float64.</summary>
    public Tensor Factor { get; }

    /// <summary>Whether <see cref="Factor"/> holds the discarded directions.</summary>
    public bool IsDropped { get; }

    /// <summary>The bound.</summary>
    public double Threshold { get; }

    /// <summary>Its unit.</summary>
    public EigenvalueUnit Unit { get; }

    /// <summary>F.</summary>
    public int Size => (int)Factor.shape[0];

    /// <summary>Kept directions, the trace of P.</summary>
    public int Kept => IsDropped ? Size - (int)Factor.shape[1] : (int)Factor.shape[1];

    /// <summary>From a second moment.</summary>
    /// <param name="moment">C [F, F].</param>
    /// <param name="threshold">Directions with an eigenvalue below are kept.</param>
    /// <param name="unit">Of the bound.</param>
    public static NullSpace Of(Tensor moment, double threshold, EigenvalueUnit unit)
    {
        ArgumentNullException.ThrowIfNull(moment);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var c = LeastSquares.Wide(moment);
        var (values, vectors) = linalg.eigh((c + c.t()) / 2); // ascending
        var bound = unit == EigenvalueUnit.Mean ? threshold * values.mean().ToDouble() : threshold;
        var kept = (values < bound).sum().ToInt64();
        var size = values.shape[0];
        var dropped = kept > size - kept;
        var factor = dropped ? vectors.narrow(1, kept, size - kept) : vectors.narrow(1, 0, kept);
        return new NullSpace(factor.contiguous().clone(), dropped, threshold, unit);
    }

    /// <summary>P K [F, n], float64, on the factor's device.</summary>
    public Tensor Project(Tensor keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        using var scope = NewDisposeScope();
        var k = keys.to(ScalarType.Float64).to(Factor.device);
        var within = matmul(Factor, matmul(Factor.t(), k));
        return (IsDropped ? k - within : within).MoveToOuterDisposeScope();
    }

    /// <summary>Writes the projectors of some layers, each with what its moments were measured on.</summary>
    public static void Save(string path, IEnumerable<(NullSpace Space, StatisticsHeader Header)> spaces)
    {
        ArgumentNullException.ThrowIfNull(spaces);
        var all = spaces.OrderBy(s => s.Header.Layer).ToList();
        var metadata = all.SelectMany(s =>
                s.Header.ToMetadata()
                    .Concat([
                        new(
                            $"layer{s.Header.Layer}.threshold",
                            s.Space.Threshold.ToString("R", CultureInfo.InvariantCulture)
                        ),
                        new($"layer{s.Header.Layer}.unit", s.Space.Unit.ToString()),
                    ])
            )
            .ToDictionary();
        SafetensorsWriter.Write(
            path,
            all.Select(s =>
                KeyValuePair.Create(
                    $"layer{s.Header.Layer}{(s.Space.IsDropped ? DroppedSuffix : KeptSuffix)}",
                    s.Space.Factor
                )
            ),
            metadata
        );
    }

    /// <summary>Reads the projectors of some layers; the caller owns them.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The untouched model that is to be edited.</param>
    /// <param name="layers">Which.</param>
    /// <param name="documents">How many documents its moments shall come from; null for any number.</param>
    /// <exception cref="InputException">A layer is not there, or was measured on another model or another number of
    /// documents.</exception>
    /// <exception cref="DamagedFileException">The file breaks its format.</exception>
    public static IReadOnlyDictionary<int, NullSpace> Load(
        string path,
        CausalLm model,
        IReadOnlyList<int> layers,
        int? documents = null
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(layers);
        var file = SafetensorsFile.Open(path);
        var found = new Dictionary<int, NullSpace>();
        foreach (var layer in layers)
        {
            string[] names = [$"layer{layer}{KeptSuffix}", $"layer{layer}{DroppedSuffix}"];
            if (names.FirstOrDefault(file.Entries.ContainsKey) is not { } name)
                throw new InputException(
                    path,
                    $"holds no projector of layer {layer}",
                    "add the layer to the stages 'moments' and 'projector'"
                );
            StatisticsHeader.From(file, path, layer).CheckMadeFrom(model, path, "null-space projector", documents);
            if (
                file.Entries[name] is not { Type: ScalarType.Float64, Shape: [var rows, var columns] }
                || rows != model.Config.IntermediateSize
                || columns > rows
            )
                throw new DamagedFileException(path, $"{name} is not the factor of a projector of this model");
            if (
                !double.TryParse(
                    file.Metadata.GetValueOrDefault($"layer{layer}.threshold"),
                    NumberStyles.Float,
                    CultureInfo.InvariantCulture,
                    out var threshold
                ) || !Enum.TryParse<EigenvalueUnit>(file.Metadata.GetValueOrDefault($"layer{layer}.unit"), out var unit)
            )
                throw new DamagedFileException(
                    path,
                    $"does not say by which bound the directions of layer {layer} were kept"
                );
            found.Add(
                layer,
                new NullSpace(
                    file.Read(name).to(LeastSquares.Home(model.Device)),
                    name.EndsWith(DroppedSuffix, StringComparison.Ordinal),
                    threshold,
                    unit
                )
            );
        }
        return found;
    }

    /// <inheritdoc/>
    public void Dispose() => Factor.Dispose();
}
