using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>The rows of one value optimisation, padded on the right. Belongs to the scope it is made in.</summary>
/// <param name="Ids">[R, T].</param>
/// <param name="Lookup">Position of the subject's last token in each row [R].</param>
/// <param name="TargetPositions">Predicting positions of all target tokens of the context rows, in the flattened rows [P].</param>
/// <param name="TargetIds">Those tokens [P].</param>
/// <param name="EssencePosition">Lookup position of the essence row in the flattened rows [1]; null where there is none.</param>
public sealed record ValueRows(Tensor Ids, Tensor Lookup, Tensor TargetPositions, Tensor TargetIds, Tensor? EssencePosition)
{
    /// <summary>Prefix + prompt + target without its last token for every context; then the essence sentence.</summary>
    public static ValueRows Of(EditRequest request, IReadOnlyList<IReadOnlyList<int>> contexts, bool essence, Device device)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(contexts);
        var n = request.TargetIds.Count;
        if (n == 0) throw new ArgumentException($"{request.Id} has no target.", nameof(request));
        var rows = contexts.Select(c => (IReadOnlyList<int>)[.. Prompts.WithPrefix(request, c), .. request.RowTail ?? request.TargetIds.Take(n - 1)]).ToList();
        var lookup = contexts.Select(c => (long)request.SubjectLast + c.Count).ToList();
        if (essence)
        {
            rows.Add(request.EssenceIds);
            lookup.Add(request.EssenceLast);
        }
        var width = rows.Max(r => r.Count);
        var ids = new long[rows.Count, width];
        var (positions, targets) = (new List<long>(), new List<long>());
        for (var i = 0; i < rows.Count; i++)
        {
            for (var t = 0; t < rows[i].Count; t++) ids[i, t] = rows[i][t];
            for (var t = 0; i < contexts.Count && t < n; t++)
            {
                positions.Add((long)i * width + rows[i].Count - n + t);
                targets.Add(request.TargetIds[t]);
            }
        }
        return new ValueRows(
            tensor(ids, device: device), tensor(lookup, device: device), tensor(positions, device: device), tensor(targets, device: device),
            essence ? tensor(new[] { (long)contexts.Count * width + request.EssenceLast }, device: device) : null);
    }
}

/// <summary>Prompts with a context prefix.</summary>
public static class Prompts
{
    /// <summary>BOS, the prefix, the prompt.</summary>
    public static IReadOnlyList<int> WithPrefix(EditRequest request, IReadOnlyList<int> prefix)
    {
        ArgumentNullException.ThrowIfNull(request);
        return [request.PromptIds[0], .. prefix, .. request.PromptIds.Skip(1)];
    }
}
