using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>The rows that meet in one forward pass of a gradient method.</summary>
/// <param name="Forget">Questions with the answers to be forgotten.</param>
/// <param name="Retain">As many retain rows, or null where the method uses none.</param>
/// <param name="Refusals">The forget questions with refusals, or null where the method uses none.</param>
public sealed record UnlearnBatch(RowBatch Forget, RowBatch? Retain, RowBatch? Refusals) : IDisposable
{
    /// <summary>Puts the drawn rows together.</summary>
    /// <param name="inputs">Where the indices point.</param>
    /// <param name="places">The rows of this pass.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <param name="wholeUpdate">All rows of the update, so that means divide by all its labels and rows; null to
    /// divide by those of this pass.</param>
    public static UnlearnBatch Of(
        MethodInputs inputs,
        IReadOnlyList<PairedRow> places,
        Device device,
        IReadOnlyList<PairedRow>? wholeUpdate
    )
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(places);
        RowBatch? Rows(Func<PairedRow, TokenRow?> pick) =>
            pick(places[0]) is null
                ? null
                : RowBatch.Of(
                    [.. places.Select(p => pick(p)!)],
                    device,
                    labelDivisor: wholeUpdate?.Sum(p => pick(p)!.LabelCount),
                    rowDivisor: wholeUpdate?.Count,
                    positionDivisor: wholeUpdate?.Sum(p => pick(p)!.LengthWithoutEnd)
                );
        return new UnlearnBatch(
            Rows(p => inputs.Forget[p.Forget])!,
            Rows(p => p.Retain < 0 ? null : inputs.Retain[p.Retain]),
            Rows(p => p.Refusal < 0 ? null : inputs.Refusals[p.Forget][p.Refusal])
        );
    }

    /// <summary>Real tokens of all rows.</summary>
    public long TokenCount => Forget.TokenCount + (Retain?.TokenCount ?? 0) + (Refusals?.TokenCount ?? 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget.Dispose();
        Retain?.Dispose();
        Refusals?.Dispose();
    }
}
