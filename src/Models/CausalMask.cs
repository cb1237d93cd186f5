using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Which positions each position of a pass looks at, as numbers that are added to the scores of attention: 0 for yes,
/// very low for no.
/// </summary>
/// <remarks>
/// A masked score is very low but finite: a padded row that may look at nothing would otherwise become NaN and spread
/// through its values.
/// </remarks>
internal static class CausalMask
{
    /// <summary>
    /// The mask [B or 1, 1, T - skip, past + T] of a pass whose rows all begin after the same number of positions, or
    /// null where the causal flag (or a single new token) says all.
    /// </summary>
    /// <param name="window">See <see cref="ModelConfig.WindowOf"/>.</param>
    /// <param name="past">Positions before those of the pass.</param>
    /// <param name="h">The stream of the pass [B, T, D].</param>
    /// <param name="skip">Positions of the pass, from the first, that nobody asks for.</param>
    /// <param name="real">1 where a token is real, 0 where it is padding [B, past + T]; null when all are.</param>
    public static Tensor? Of(int? window, int past, Tensor h, int skip, Tensor? real)
    {
        var (batch, count) = (h.shape[0], (int)h.shape[1]);
        var all = past + count;
        var windowed = all > window;
        if (real is null && !windowed && (count - skip == 1 || (past == 0 && skip == 0)))
            return null;
        if (real is not null && (real.shape[0] != batch || real.shape[1] != all))
            throw new ArgumentException(
                $"The attention mask is [{string.Join(", ", real.shape)}], not [{batch}, {all}].",
                nameof(real)
            );
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return Additive(
                arange(past + skip, all, device: h.device).view(1, -1, 1),
                arange(all, device: h.device).view(1, 1, -1),
                windowed ? window : null,
                real?.to(ScalarType.Bool).view(batch, 1, all),
                h.dtype
            )
            .MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The mask [R, 1, T, S + T] of rows that are continued from a position of their own each. Their beginnings lie
    /// side by side, padded on the right, and their ends follow.
    /// </summary>
    /// <param name="window">See <see cref="ModelConfig.WindowOf"/>.</param>
    /// <param name="starts">First position of each row's end [R].</param>
    /// <param name="before">S, positions of the longest beginning.</param>
    /// <param name="width">T, positions of the longest end.</param>
    /// <param name="dtype">Of the scores.</param>
    public static Tensor OfEnds(int? window, Tensor starts, int before, int width, ScalarType dtype)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var rows = starts.shape[0];
        var first = starts.view(-1, 1, 1); // [R, 1, 1]
        var begun = arange(before, device: starts.device).view(1, 1, -1); // [1, 1, S]
        var ends = first + arange(width, device: starts.device).view(1, 1, -1); // [R, 1, T] positions
        return Additive(
                ends.transpose(1, 2),
                cat([begun.expand(rows, 1, before), ends], -1),
                window,
                cat([begun < first, ones_like(ends).to(ScalarType.Bool)], -1),
                dtype
            )
            .MoveToOuterDisposeScope();
    }

    // From positions of queries [R or 1, Q, 1] and of keys [R or 1, 1, K].
    private static Tensor Additive(Tensor queries, Tensor keys, int? window, Tensor? real, ScalarType dtype)
    {
        var allowed = keys <= queries;
        if (window is { } reach)
            allowed = allowed.logical_and(keys > queries - reach);
        if (real is not null)
            allowed = allowed.logical_and(real);
        allowed = allowed.unsqueeze(1);
        var lowest = dtype == ScalarType.Float16 ? -65504.0 : -1e30;
        return zeros(allowed.shape, dtype: dtype, device: allowed.device).masked_fill_(allowed.logical_not(), lowest);
    }
}
