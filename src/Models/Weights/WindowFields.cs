using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// The fields of config.json that say within which window blocks attend: <c>sliding_window</c>,
/// <c>use_sliding_window</c> and <c>max_window_layers</c>, and <c>layer_types</c> of transformers 5.
/// </summary>
/// <param name="json">The config.</param>
/// <param name="seen">Fields that were read; added to.</param>
/// <param name="problems">Complaints; added to.</param>
internal sealed class WindowFields(PlacedJson json, HashSet<string> seen, List<InputProblem> problems)
{
    private const string Size = "sliding_window";
    private const string Use = "use_sliding_window";
    private const string First = "max_window_layers";
    private const string Types = "layer_types";
    private const string Sliding = "sliding_attention";
    private const string Full = "full_attention";

    /// <summary>The window, null for none, and the first block that has it.</summary>
    /// <param name="family">Null where it is not known.</param>
    /// <param name="layers">Blocks of the model.</param>
    public (int? Window, int From) Read(Family? family, int layers)
    {
        seen.UnionWith([Size, Use, First, Types]);
        var (window, from) = family?.Window == WindowRule.Above ? Above(layers) : (Every(family), 0);
        if (window is not null && from >= layers)
            (window, from) = (null, 0);
        LayerTypes(layers, window, from);
        return (window, from);
    }

    private int? Every(Family? family)
    {
        if (Flag(Use))
            Complain(Use, "is true; models of this type have no windows in some blocks only");
        if (json.Root[Size] is not null)
        {
            var window = Number(Size, 1, int.MaxValue);
            if (family is { Window: WindowRule.None })
                Complain(Size, $"is {window}, but models of type {family.ModelType} have none");
            return window;
        }
        if (family is { Window: WindowRule.Every } && !json.Root.ContainsKey(Size))
            Complain(Size, "is missing", "write the window (4096 for Mistral 7B v0.1) or null for none (v0.2, v0.3)");
        return null;
    }

    // Without `use_sliding_window` the number of the window means nothing.
    private (int? Window, int From) Above(int layers)
    {
        if (!Flag(Use) || (json.Root.ContainsKey(Size) && json.Root[Size] is null))
            return (null, 0);
        return (Number(Size, 1, int.MaxValue), Number(First, 0, Math.Max(layers, 1 << 10)));
    }

    private void LayerTypes(int layers, int? window, int from)
    {
        if (json.Root[Types] is not { } node)
            return;
        if (node is not JsonArray a || !a.All(t => t is JsonValue v && v.TryGetValue<string>(out _)))
        {
            Complain(Types, $"is {GenerationFile.Shown(node)}, not a list of texts");
            return;
        }
        if (a.Count != layers)
        {
            Complain(Types, $"has {a.Count} entries for num_hidden_layers {layers}");
            return;
        }
        for (var i = 0; i < a.Count; i++)
        {
            var expected = window is not null && i >= from ? Sliding : Full;
            if (a[i]!.GetValue<string>() == expected)
                continue;
            Complain(
                Types,
                $"has {GenerationFile.Shown(a[i])} for block {i}, which has '{expected}' by the other fields; "
                    + "other mixtures are not supported"
            );
            return;
        }
    }

    private int Number(string key, int least, int most)
    {
        var node = json.Root[key];
        if (
            node is JsonValue v
            && v.GetValueKind() == JsonValueKind.Number
            && v.TryGetValue<int>(out var n)
            && n >= least
            && n <= most
        )
            return n;
        Complain(
            key,
            node is null
                ? "is missing"
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"is {GenerationFile.Shown(node)}, not a whole number from {least} to {most}"
                )
        );
        return least;
    }

    private bool Flag(string key)
    {
        if (json.Root[key] is not { } node)
            return false;
        if (node is JsonValue v && v.TryGetValue<bool>(out var b))
            return b;
        Complain(key, $"is {GenerationFile.Shown(node)}, not true or false");
        return false;
    }

    private void Complain(string key, string message, string? hint = null) =>
        problems.Add(json.Problem(key, $"{key} {message}", hint));
}
