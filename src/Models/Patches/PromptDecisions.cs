namespace EditUnlearn.Models.Patches;

/// <summary>What answers a prompt, and by how much it was chosen.</summary>
/// <param name="Choice">Index of what answers; -1 where the model itself does.</param>
/// <param name="Reading">What was compared.</param>
internal readonly record struct PromptDecision(int Choice, RouteReading Reading);

/// <summary>What a tap decided for prompts, each by itself; nothing in it changes.</summary>
internal sealed class PromptDecisions
{
    private readonly Dictionary<IReadOnlyList<int>, PromptDecision> _known;

    private PromptDecisions(Dictionary<IReadOnlyList<int>, PromptDecision> known) => _known = known;

    /// <summary>Nothing is decided.</summary>
    public static PromptDecisions None { get; } = new(new(SameTokens.Instance));

    /// <summary>The same with some prompts added; itself where all are known.</summary>
    /// <param name="prompts">Token ids.</param>
    /// <param name="decide">Decides for prompts that are not known yet.</param>
    public PromptDecisions With(
        IReadOnlyList<IReadOnlyList<int>> prompts,
        Func<IReadOnlyList<IReadOnlyList<int>>, IReadOnlyList<PromptDecision>> decide
    )
    {
        var missing = prompts.Where(p => !_known.ContainsKey(p)).Distinct(SameTokens.Instance).ToList();
        if (missing.Count == 0)
            return this;
        var all = new Dictionary<IReadOnlyList<int>, PromptDecision>(_known, SameTokens.Instance);
        foreach (var (prompt, decision) in missing.Zip(decide(missing)))
            all.Add(prompt, decision);
        return new PromptDecisions(all);
    }

    /// <summary>For each row of a batch; null where the batch does not say its prompts, or one is not known.</summary>
    public IReadOnlyList<int>? Of(BatchLayout layout) =>
        layout.PromptIds is { } prompts && prompts.All(_known.ContainsKey)
            ? [.. prompts.Select(p => _known[p].Choice)]
            : null;

    /// <summary>What was compared for each prompt; null where one is not known.</summary>
    public IReadOnlyList<RouteReading>? Readings(IReadOnlyList<IReadOnlyList<int>> prompts) =>
        prompts.All(_known.ContainsKey) ? [.. prompts.Select(p => _known[p].Reading)] : null;

    private sealed class SameTokens : IEqualityComparer<IReadOnlyList<int>>
    {
        public static SameTokens Instance { get; } = new();

        public bool Equals(IReadOnlyList<int>? x, IReadOnlyList<int>? y) => x!.SequenceEqual(y!);

        public int GetHashCode(IReadOnlyList<int> tokens)
        {
            var hash = new HashCode();
            foreach (var token in tokens)
                hash.Add(token);
            return hash.ToHashCode();
        }
    }
}
