using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Methods.Shared;

/// <summary>Refuses edits that no method could make, all problems at once, before anything is computed.</summary>
internal static class EditChecks
{
    /// <summary>Checks requests against the model.</summary>
    /// <exception cref="InputException">An edit is impossible: no target, too long, a position outside the prompt, a
    /// token the model does not have.</exception>
    public static void Check(CausalLm model, MethodInputs inputs, IReadOnlyList<int> layers)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(layers);
        var problems = new List<InputProblem>();
        if (layers.Count == 0 || layers.Any(l => l < 0 || l >= model.Config.Layers))
            problems.Add(
                new InputProblem(
                    "options.layers",
                    0,
                    0,
                    $"names blocks [{string.Join(", ", layers)}], but the model has blocks 0 to "
                        + $"{model.Config.Layers - 1}",
                    "give at least one block of the model"
                )
            );
        if (layers.Zip(layers.Skip(1)).Any(p => p.First >= p.Second))
            problems.Add(
                new InputProblem(
                    "options.layers",
                    0,
                    0,
                    $"names blocks [{string.Join(", ", layers)}] that do not ascend"
                )
            );
        if (inputs.Contexts.Count == 0 || inputs.Contexts[0].Count > 0)
            problems.Add(new InputProblem("contexts", 0, 0, "do not begin with the empty prefix"));
        foreach (var edit in inputs.Edits)
            problems.AddRange(Of(edit, model.Config, inputs.Contexts));
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    /// <summary>An edit that was written behind other prefixes than the method is given.</summary>
    public static InputProblem Uneven(EditRequest edit, int contexts)
    {
        ArgumentNullException.ThrowIfNull(edit);
        return edit.Problem($"is written behind {edit.Prefixed?.Count} prefixes, but there are {contexts}");
    }

    private static IEnumerable<InputProblem> Of(
        EditRequest edit,
        ModelConfig config,
        IReadOnlyList<IReadOnlyList<int>> contexts
    )
    {
        InputProblem Problem(string message, string? hint = null) => edit.Problem(message, hint);
        if (edit.TargetIds.Count == 0)
            yield return Problem("has an empty target", "give a sentence that the model shall answer");
        if (edit.SubjectLast < 0 || edit.SubjectLast >= edit.PromptIds.Count)
            yield return Problem(
                $"looks up position {edit.SubjectLast} of a prompt of {edit.PromptIds.Count} tokens",
                "the subject must stand in the question"
            );
        else if (edit.PrefixAt < 0 || edit.PrefixAt > edit.SubjectLast)
            yield return Problem(
                $"puts context prefixes before position {edit.PrefixAt}, behind its lookup position {edit.SubjectLast}"
            );
        if (edit.EssenceLast < 0 || edit.EssenceLast >= edit.EssenceIds.Count)
            yield return Problem(
                $"looks up position {edit.EssenceLast} of an essence sentence of {edit.EssenceIds.Count} tokens"
            );
        if (edit.Prefixed is { } prompts && prompts.Count != contexts.Count)
            yield return Uneven(edit, contexts.Count);
        var length = Prompts.LongestPrefix(edit, contexts) + edit.PromptIds.Count + edit.TargetIds.Count;
        if (length > config.MaxPositions)
            yield return Problem(
                $"takes {length} tokens with its longest context prefix and its target, but the model has "
                    + $"{config.MaxPositions} positions",
                "a shorter question or target"
            );
        var foreign = edit
            .PromptIds.Concat(edit.TargetIds)
            .Concat(edit.EssenceIds)
            .Concat(edit.Continuation ?? [])
            .Where(i => i < 0 || i >= config.VocabSize)
            .Distinct()
            .ToList();
        if (foreign.Count > 0)
            yield return Problem(
                $"holds tokens the model does not have: {string.Join(", ", foreign)}",
                $"its vocabulary goes from 0 to {config.VocabSize - 1}"
            );
    }
}
