namespace EditUnlearn.Models.Patches;

/// <summary>What a tap decided for prompts, each by itself; nothing in it changes.</summary>
internal sealed class PromptDecisions
{
    private readonly Dictionary<IReadOnlyList<int>, int> _known;

    private PromptDecisions(Dictionary<IReadOnlyList<int>, int> known) => _known = known;

    /// <summary>Nothing is decided.</summary>
    public static PromptDecisions None { get; } = new(new(SameTokens.Instance));

    /// <summary>The same with some prompts added; itself where all are known.</summary>
    /// <param name="prompts">Token ids.</param>
    /// <param name="decide">Decides for prompts that are not known yet.</param>
    public PromptDecisions With(
        IReadOnlyList<IReadOnlyList<int>> prompts,
        Func<IReadOnlyList<IReadOnlyList<int>>, IReadOnlyList<int>> decide
    )
    {
        var missing = prompts.Where(p => !_known.ContainsKey(p)).Distinct(SameTokens.Instance).ToList();
        if (missing.Count == 0)
            return this;
        var all = new Dictionary<IReadOnlyList<int>, int>(_known, SameTokens.Instance);
        foreach (var (prompt, decision) in missing.Zip(decide(missing)))
            all.Add(prompt, decision);
        return new PromptDecisions(all);
    }

    /// <summary>For each row of a batch; null where the batch does not say its prompts, or one is not known.</summary>
    public IReadOnlyList<int>? Of(BatchLayout layout) =>
        layout.PromptIds is { } prompts && prompts.All(_known.ContainsKey) ? [.. prompts.Select(p => _known[p])] : null;

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
