using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// The rotary fields of config.json: <c>rope_theta</c> and <c>rope_scaling</c> of transformers 4,
/// <c>rope_parameters</c> of transformers 5.
/// </summary>
/// <param name="json">The config.</param>
/// <param name="seen">Fields that were read; added to.</param>
/// <param name="problems">Complaints; added to.</param>
internal sealed class RopeFields(PlacedJson json, HashSet<string> seen, List<InputProblem> problems)
{
    // What a Llama or Mistral config without a base means: the constant of Su et al. (2021).
    private const double DefaultTheta = 10000;

    private static readonly string[] Common = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
    private const string Factor = "factor";
    private static readonly string[] Llama3 =
    [
        Factor,
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ];

    private sealed record Spec(string Key, double? Theta, RopeScaling? Scaling);

    /// <summary>Base and scaling.</summary>
    public (double Theta, RopeScaling? Scaling) Read()
    {
        seen.UnionWith(["rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor"]);
        if (json.Root["partial_rotary_factor"] is { } part && Positive(part) != 1)
            Complain("partial_rotary_factor", $"is {GenerationFile.Shown(part)}; only whole heads are rotated");
        var specs = new[] { Object("rope_parameters"), Object("rope_scaling") }.OfType<Spec>().ToList();
        if (specs.Count == 2 && specs[0].Scaling != specs[1].Scaling)
            Complain("rope_scaling", "and rope_parameters disagree");
        var thetas = specs
            .Where(s => s.Theta is not null)
            .Select(s => (Key: s.Key + ".rope_theta", Value: s.Theta!.Value))
            .ToList();
        if (json.Root["rope_theta"] is { } node)
        {
            if (Positive(node) is { } theta)
                thetas.Insert(0, ("rope_theta", theta));
            else
                Complain("rope_theta", $"is {GenerationFile.Shown(node)}, not a positive number");
        }
        if (thetas.Find(t => t.Value != thetas[0].Value) is { Key: { } other })
            Complain(other, $"and {thetas[0].Key} disagree");
        return (thetas.Count > 0 ? thetas[0].Value : DefaultTheta, specs.Count > 0 ? specs[0].Scaling : null);
    }

    private Spec? Object(string key)
    {
        if (json.Root[key] is not { } node)
            return null;
        if (node is not JsonObject o)
        {
            Complain(key, $"is {GenerationFile.Shown(node)}, not an object");
            return null;
        }
        var kind = Kind(key, o);
        string[] known = kind switch
        {
            "llama3" => [.. Common, .. Llama3],
            "linear" => [.. Common, Factor],
            _ => Common,
        };
        if (kind is "llama3" or "linear" or "default")
            foreach (var (name, value) in o)
                if (!known.Contains(name) && value is not null)
                    Complain(
                        $"{key}.{name}",
                        $"is not known for the type {kind}, and ignoring it could change results"
                    );
        if (o["partial_rotary_factor"] is { } part && Positive(part) != 1)
            Complain(key + ".partial_rotary_factor", $"is {GenerationFile.Shown(part)}; only whole heads are rotated");
        double? theta = null;
        if (o["rope_theta"] is { } t && (theta = Positive(t)) is null)
            Complain(key + ".rope_theta", $"is {GenerationFile.Shown(t)}, not a positive number");
        return new Spec(
            key,
            theta,
            kind switch
            {
                "llama3" => Stretched(key, o),
                "linear" when Part(key, o, Factor) is var factor && !double.IsNaN(factor) => new LinearRopeScaling(
                    factor
                ),
                _ => null,
            }
        );
    }

    private string? Kind(string key, JsonObject o)
    {
        string? Name(string field)
        {
            if (o[field] is null)
                return null;
            if (o[field] is JsonValue v && v.TryGetValue<string>(out var s))
                return s;
            Complain($"{key}.{field}", $"is {GenerationFile.Shown(o[field])}, not text");
            return "";
        }
        var (kind, older) = (Name("rope_type"), Name("type"));
        if (kind is not null && older is not null && kind != older)
            Complain(key + ".type", $"is '{older}', but rope_type is '{kind}'");
        // rope_parameters without a type is the plain rule; an old rope_scaling without one means nothing.
        kind ??= older ?? (key == "rope_parameters" ? "default" : null);
        if (kind is null)
            Complain(key, "has no rope_type");
        else if (kind is not ("llama3" or "linear" or "default" or ""))
            Complain(key, $"is of type '{kind}'; only llama3, linear and default are supported");
        return kind;
    }

    // Not a number where it is wrong.
    private double Part(string key, JsonObject o, string name)
    {
        if (o[name] is { } node && Positive(node) is { } d)
            return d;
        Complain(
            $"{key}.{name}",
            o[name] is { } wrong ? $"is {GenerationFile.Shown(wrong)}, not a positive number" : "is missing"
        );
        return double.NaN;
    }

    private Llama3RopeScaling? Stretched(string key, JsonObject o)
    {
        double Of(int part) => Part(key, o, Llama3[part]);
        var (factor, low, high, original) = (Of(0), Of(1), Of(2), Of(3));
        if (high <= low)
            Complain($"{key}.high_freq_factor", $"is {high}, not above low_freq_factor {low}");
        if (original % 1 != 0 || original > int.MaxValue)
            Complain($"{key}.original_max_position_embeddings", $"is {original}, not a number of positions");
        return double.IsNaN(factor + low + high + original) || original > int.MaxValue
            ? null
            : new Llama3RopeScaling(factor, low, high, (int)original);
    }

    private static double? Positive(JsonNode node) =>
        node is JsonValue v
        && v.GetValueKind() == JsonValueKind.Number
        && v.TryGetValue<double>(out var d)
        && double.IsFinite(d)
        && d > 0
            ? d
            : null;

    private void Complain(string key, string message) => problems.Add(json.Problem(key, $"{key} {message}"));
}
