using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// AlphaEdit's keys of one block: those of earlier edits, and the right factor of the next update beside them. All in
/// float64.
/// </summary>
/// <remarks>
/// Source: Fang et al. (2025), equation 12; docs/methods.md, "AlphaEdit": P K_all (L2 I + K_all^T P K_all)^-1 E, E
/// selecting the new columns. Equal by the push-through identity to the transpose of K^T P ((K K^T + M) P + L2 I)^-1
/// with M = K_prev K_prev^T, an F by F unsymmetric solve in the reference.
/// The Cholesky factor of the earlier keys' matrix grows by a few rows with every edit and is never made anew, so an
/// edit costs what its new columns cost: F p b, p earlier keys, b new ones.
/// </remarks>
/// <param name="ridge">L2, above 0.</param>
internal sealed class ProjectedKeys(double ridge) : IDisposable
{
    private const string KeysPart = "keys",
        FactorPart = "factor";
    private Tensor? _earlier, // Y = P K_prev [F, p]
        _lower; // L L^T = L2 I + Y^T Y [p, p]

    /// <summary>A [F, b] of Delta W = R A^T.</summary>
    /// <param name="projected">X = P K [F, b].</param>
    public Tensor Factor(Tensor projected)
    {
        ArgumentNullException.ThrowIfNull(projected);
        using var scope = NewDisposeScope();
        var (beside, left) = Eliminated(projected);
        // The lower part of the inverse's columns is the inverse of what is left, the upper -G^-1 Y^T X times that.
        var apart = beside is null
            ? projected
            : projected - matmul(_earlier!, linalg.solve_triangular(_lower!.t(), beside, upper: true));
        return LeastSquares
            .SolveWith(linalg.cholesky(left), apart.t())
            .t()
            .contiguous()
            .MoveToOuterDisposeScope();
    }

    /// <summary>Remembers keys of an edit that was made.</summary>
    /// <param name="projected">P K, measured behind it [F, b].</param>
    public void Add(Tensor projected)
    {
        ArgumentNullException.ThrowIfNull(projected);
        using var scope = NewDisposeScope();
        var (beside, left) = Eliminated(projected);
        var corner = linalg.cholesky(left);
        if (beside is null)
        {
            (_earlier, _lower) = (Kept(projected.clone()), Kept(corner));
            return;
        }
        long p = beside.shape[0],
            b = beside.shape[1];
        var above = zeros(p, b, dtype: ScalarType.Float64, device: beside.device);
        var (keys, lower) = (_earlier!, _lower!);
        (_earlier, _lower) = (
            Kept(cat([keys, projected], 1)),
            Kept(cat([cat([lower, above], 1), cat([beside.t(), corner], 1)], 0))
        );
        keys.Dispose();
        lower.Dispose();
    }

    /// <summary>What a killed run needs to go on with the same bits, by name.</summary>
    /// <param name="name">Of the block.</param>
    public IEnumerable<KeyValuePair<string, Tensor>> State(string name) =>
        _earlier is null
            ? []
            :
            [
                KeyValuePair.Create($"{name}/{KeysPart}", _earlier),
                KeyValuePair.Create($"{name}/{FactorPart}", _lower!),
            ];

    /// <summary>Takes back what <see cref="State"/> gave; nothing where no edit had been made.</summary>
    /// <param name="state">The file.</param>
    /// <param name="name">Of the block.</param>
    /// <param name="device">Where the tensors live.</param>
    public void Restore(SafetensorsFile state, string name, Device device)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!state.Entries.ContainsKey($"{name}/{KeysPart}"))
            return;
        Tensor Read(string part) => Kept(state.Read($"{name}/{part}").to(device));
        (_earlier, _lower) = (Read(KeysPart), Read(FactorPart));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _earlier?.Dispose();
        _lower?.Dispose();
    }

    // U = L^-1 Y^T X [p, b], null without earlier keys, and what it leaves of the new block, L2 I + X^T X - U^T U.
    private (Tensor? Beside, Tensor Left) Eliminated(Tensor projected)
    {
        var own =
            matmul(projected.t(), projected) // P P = P
            + ridge * eye(projected.shape[1], dtype: ScalarType.Float64, device: projected.device);
        if (_earlier is null)
            return (null, own);
        var beside = linalg.solve_triangular(_lower!, matmul(_earlier.t(), projected), upper: false);
        return (beside, own - matmul(beside.t(), beside));
    }

    private static Tensor Kept(Tensor t) => t.DetachFromDisposeScope();
}
