using EditUnlearn.Foundation;
using EditUnlearn.Models;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// Refuses edits that no adapter beside a memory could make, all problems at once, before anything is computed.
/// </summary>
internal static class AdapterChecks
{
    /// <summary>Checks requests against the model.</summary>
    /// <exception cref="InputException">The model lacks the block, a target is empty, a row does not fit into the
    /// window, or an edit occurs twice.</exception>
    public static void Check(CausalLm model, MethodInputs inputs, int layer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(inputs);
        var config = model.Config;
        var problems = new List<InputProblem>();
        if (layer < 0 || layer >= config.Layers)
            problems.Add(
                new InputProblem(
                    "options.layer",
                    0,
                    0,
                    $"names block {layer}, but the model has blocks 0 to {config.Layers - 1}",
                    "give a block of the model"
                )
            );
        if (inputs.Edits.Count == 0)
            problems.Add(new InputProblem("edits", 0, 0, "there are none", "give at least one question to forget"));
        if (inputs.Contexts.Count == 0)
            problems.Add(new InputProblem("contexts", 0, 0, "there are none, not even the empty prefix"));
        foreach (var edit in inputs.Edits)
        {
            InputProblem Problem(string message, string hint) => edit.Problem(message, hint);
            if (edit.PromptIds.Count == 0)
                problems.Add(Problem("has an empty prompt", "give a question"));
            if (edit.TargetIds.Count == 0)
                problems.Add(Problem("has an empty target", "give a sentence that the model shall answer"));
            if (edit.Prefixed is { } prompts && prompts.Count != inputs.Contexts.Count)
                problems.Add(EditChecks.Uneven(edit, inputs.Contexts.Count));
            var length = Prompts.LongestPrefix(edit, inputs.Contexts) + edit.PromptIds.Count + edit.TargetIds.Count;
            if (length > config.MaxPositions)
                problems.Add(
                    Problem(
                        $"takes {length} tokens with its longest context prefix and its target, but the model has "
                            + $"{config.MaxPositions} positions",
                        "a shorter question or target"
                    )
                );
            var foreign = edit
                .PromptIds.Concat(edit.TargetIds)
                .Where(i => i < 0 || i >= config.VocabSize)
                .Distinct()
                .ToList();
            if (foreign.Count > 0)
                problems.Add(
                    Problem(
                        $"holds tokens the model does not have: {string.Join(", ", foreign)}",
                        $"its vocabulary goes from 0 to {config.VocabSize - 1}"
                    )
                );
        }
        problems.AddRange(
            inputs
                .Edits.GroupBy(e => e.Id)
                .Where(g => g.Count() > 1)
                .Select(g =>
                    g.Last().Problem($"occurs {g.Count()} times", "ids name edits, so that one can be taken out again")
                )
        );
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    /// <summary>A number for people to read: five digits, null where it is not finite.</summary>
    internal static System.Text.Json.Nodes.JsonNode? Number(double value) =>
        double.IsFinite(value)
            ? System.Text.Json.Nodes.JsonValue.Create(
                double.Parse(
                    value.ToString("g5", System.Globalization.CultureInfo.InvariantCulture),
                    System.Globalization.CultureInfo.InvariantCulture
                )
            )
            : null;
}
