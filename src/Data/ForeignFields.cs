namespace EditUnlearn.Data;

/// <summary>What fields of other tools' files are called here.</summary>
internal static class ForeignFields
{
    // Other tools' names by ours, the likeliest first.
    private static readonly Dictionary<string, string[]> Names = new(StringComparer.Ordinal)
    {
        ["question"] = ["prompt", "src", "query", "instruction", "input", "problem"],
        ["answer"] = ["ground_truth", "target_true", "answers", "output", "response", "completion", "label"],
        ["target"] = ["target_new", "alt", "new_answer", "refusal"],
        ["rephrasings"] = ["rephrase_prompt", "rephrase", "paraphrase_prompts", "paraphrases"],
        ["id"] = ["case_id", "idx", "index", "task_id"],
    };

    // What pandas calls a column of row numbers.
    private static readonly string[] Indices = ["__index_level_", "Unnamed: "];

    private static readonly Dictionary<string, string> Meanings = Names
        .SelectMany(n => n.Value.Select(other => (other, n.Key)))
        .ToDictionary(n => n.other, n => n.Key, StringComparer.Ordinal);

    /// <summary>The name that a row uses for a field of ours, or null.</summary>
    /// <param name="field">Ours.</param>
    /// <param name="keys">Of the row.</param>
    public static string? NameFor(string field, IEnumerable<string> keys)
    {
        var there = keys.ToHashSet(StringComparer.Ordinal);
        return Names.TryGetValue(field, out var others) ? others.FirstOrDefault(there.Contains) : null;
    }

    /// <summary>What a field of another tool is called here, for a hint; null where it is not known.</summary>
    public static string? Meaning(string key) =>
        Meanings.TryGetValue(key, out var ours) ? $"it is called {ours} here"
        : Indices.Any(i => key.StartsWith(i, StringComparison.Ordinal))
            ? "pandas wrote its index; save with index=False"
        : null;
}
