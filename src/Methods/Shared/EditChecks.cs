using System.Globalization;
using EditUnlearn.Models;

namespace EditUnlearn.Methods.Shared;

/// <summary>What no adapter can work on, found before any work is done.</summary>
internal static class EditChecks
{
    /// <summary>Refuses a layer the model does not have, empty targets and rows that do not fit into the model's window.</summary>
    /// <exception cref="MethodFailedException">Names every edit that will not do.</exception>
    public static void Check(string method, CausalLm model, IReadOnlyList<EditRequest> edits, int layer)
    {
        if (edits.Count == 0) throw new MethodFailedException(method, "edits", "there is nothing to edit", "a forget set with at least one question");
        if (layer < 0 || layer >= model.Config.Layers)
            throw new MethodFailedException(
                method, string.Create(CultureInfo.InvariantCulture, $"layer {layer}"), string.Create(CultureInfo.InvariantCulture, $"the model has blocks 0 to {model.Config.Layers - 1}"), "set options.<method>.layer");
        var problems = edits.Where(e => e.TargetIds.Count == 0).Select(e => $"{e.Id} has an empty target")
            .Concat(edits.Where(e => e.PromptIds.Count + e.TargetIds.Count > model.Config.MaxPositions).Select(e => string.Create(
                CultureInfo.InvariantCulture, $"{e.Id} takes {e.PromptIds.Count + e.TargetIds.Count} tokens, the model's window {model.Config.MaxPositions}"))).ToList();
        if (problems.Count > 0) throw new MethodFailedException(method, "edits", string.Join("; ", problems), "a target for every question, and shorter questions");
    }
}
