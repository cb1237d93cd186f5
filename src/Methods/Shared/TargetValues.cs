using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>The value of one edit; the caller owns the tensors.</summary>
/// <param name="Initial">v0 [D].</param>
/// <param name="Value">v0 + delta [D].</param>
/// <param name="Losses">Before each update; one more where the optimisation stopped early.</param>
/// <param name="Clamped">Whether an update had to be put back onto the ball.</param>
internal sealed record TargetValue(Tensor Initial, Tensor Value, IReadOnlyList<ValueLoss> Losses, bool Clamped);

/// <summary>
/// Finds the values that make a model say the targets: v0 + delta by gradient descent on delta alone, for several edits
/// at once on the same weights.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2022), equation 4; docs/methods.md, "Target values". delta is added at the lookup
/// position of every row of its edit. Edits do not see each other: each has its own loss, its own stop, its own bound.
/// What delta cannot reach is computed once: the blocks up to the edited one, and all positions before the
/// lookup; both sites are then the same addition to the stream after the edited block. The output map runs at scored
/// positions only.
/// </remarks>
internal static class TargetValues
{
    /// <summary>Optimises the values of some edits.</summary>
    /// <param name="model">Its weights get no gradient and must not change.</param>
    /// <param name="requests">Prompt, lookup position, target of each.</param>
    /// <param name="contexts">Prefixes.</param>
    /// <param name="layer">The block.</param>
    /// <param name="site">Where in it.</param>
    /// <param name="options">Constants.</param>
    /// <param name="anchors">|v0| of each edit in the unedited model, where <see cref="ValueOptions.ClampTo"/> asks for
    /// it.</param>
    /// <param name="observe">Told the edit's index, its delta before an update, and the gradient.</param>
    /// <param name="cancelled">Looked at in every step.</param>
    /// <exception cref="MethodFailedException">A loss is no longer finite.</exception>
    public static IReadOnlyList<TargetValue> Optimise(
        CausalLm model,
        IReadOnlyList<EditRequest> requests,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        int layer,
        ValueSite site,
        ValueOptions options,
        IReadOnlyList<double>? anchors = null,
        Action<int, Tensor, Tensor>? observe = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(contexts);
        ArgumentNullException.ThrowIfNull(options);
        using var held = model.Hold();
        var together = Math.Max(1, IEditingOptions.RowsTogether / (contexts.Count + 1));
        var found = new List<TargetValue>();
        for (var first = 0; first < requests.Count; first += together)
        {
            var (at, count) = (first, Math.Min(together, requests.Count - first));
            using var scope = NewDisposeScope();
            using var search = new ValueSearch(
                model,
                [.. requests.Skip(at).Take(count)],
                contexts,
                layer,
                site,
                options,
                anchors?.Skip(at).Take(count).ToArray()
            );
            while (search.Step(observe is null ? null : (e, delta, gradient) => observe(at + e, delta, gradient)))
                cancelled.ThrowIfCancellationRequested();
            found.AddRange(
                search
                    .Results()
                    .Select(r =>
                        r with
                        {
                            Initial = r.Initial.MoveToOuterDisposeScope(),
                            Value = r.Value.MoveToOuterDisposeScope(),
                        }
                    )
            );
        }
        return found;
    }
}
