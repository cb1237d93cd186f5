namespace EditUnlearn.Methods.Shared;

/// <summary>
/// The rows of a value optimisation: for each edit every context prefix, the prompt and all target tokens but the last;
/// then the essence sentence.
/// </summary>
/// <param name="Rows">In that order, edit after edit.</param>
/// <param name="Contexts">Context rows of each edit.</param>
internal sealed record ValueRows(IReadOnlyList<ValueRow> Rows, int Contexts)
{
    /// <summary>The rows of some edits.</summary>
    public static ValueRows Of(
        IReadOnlyList<EditRequest> requests,
        IReadOnlyList<IReadOnlyList<int>> contexts,
        bool essence
    )
    {
        ArgumentNullException.ThrowIfNull(requests);
        ArgumentNullException.ThrowIfNull(contexts);
        var rows = new List<ValueRow>();
        for (var e = 0; e < requests.Count; e++)
        {
            var request = requests[e];
            if (request.TargetIds.Count == 0)
                throw new ArgumentException($"{request.Id} has no target.", nameof(requests));
            var rest = request.Continuation ?? [.. request.TargetIds.SkipLast(1)];
            foreach (var prompt in Prompts.InContext(request, contexts))
                rows.Add(new ValueRow(e, [.. prompt.Ids, .. rest], prompt.SubjectLast, request.TargetIds));
            if (essence)
                rows.Add(new ValueRow(e, request.EssenceIds, request.EssenceLast, []));
        }
        return new ValueRows(rows, contexts.Count);
    }
}

/// <summary>One row.</summary>
/// <param name="Edit">Index of its edit.</param>
/// <param name="Ids">BOS first.</param>
/// <param name="Lookup">Position of the subject's last token, where the offset is added.</param>
/// <param name="Targets">Scored at the last positions of the row, the last of them at the last; empty for the essence
/// row, which is read at <paramref name="Lookup"/>.</param>
internal sealed record ValueRow(int Edit, IReadOnlyList<int> Ids, int Lookup, IReadOnlyList<int> Targets)
{
    /// <summary>Whether this is the essence row.</summary>
    public bool IsEssence => Targets.Count == 0;

    /// <summary>Tokens that matter: nothing after the essence row's lookup position is read.</summary>
    public int Length => IsEssence ? Lookup + 1 : Ids.Count;

    /// <summary>Where each target is scored.</summary>
    public int Scored(int target) => Ids.Count - Targets.Count + target;
}

/// <summary>Prompts with a context prefix.</summary>
internal static class Prompts
{
    /// <summary>The prompt behind every prefix, in their order.</summary>
    public static IReadOnlyList<PrefixedPrompt> InContext(
        EditRequest request,
        IReadOnlyList<IReadOnlyList<int>> contexts
    )
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(contexts);
        return request.Prefixed
            ?? [.. contexts.Select(c => new PrefixedPrompt(WithPrefix(request, c), request.SubjectLast + c.Count))];
    }

    /// <summary>Tokens that the longest prefix adds to a prompt.</summary>
    public static int LongestPrefix(EditRequest request, IReadOnlyList<IReadOnlyList<int>> contexts) =>
        request.Prefixed is { } prompts
            ? prompts.Select(p => p.Ids.Count - request.PromptIds.Count).DefaultIfEmpty().Max()
            : contexts.Select(c => c.Count).DefaultIfEmpty().Max();

    /// <summary>What opens the prompt, the prefix, the rest of the prompt.</summary>
    public static IReadOnlyList<int> WithPrefix(EditRequest request, IReadOnlyList<int> prefix)
    {
        ArgumentNullException.ThrowIfNull(request);
        return [.. request.PromptIds.Take(request.PrefixAt), .. prefix, .. request.PromptIds.Skip(request.PrefixAt)];
    }
}
