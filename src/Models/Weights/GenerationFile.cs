using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// What <c>generation_config.json</c> says about where an answer begins and ends, and how text is drawn. The study's
/// answers are greedy all the same; context prefixes of WISE are drawn as the file says.
/// </summary>
/// <param name="EosIds">Each ends an answer; null where it is silent.</param>
/// <param name="BosId">Begins every prompt, or null.</param>
/// <param name="PadId">Fills short rows in other programs, or null; padding is masked here.</param>
/// <param name="StopStrings">Texts that end an answer in other programs; not honoured here, and said so when a model is
/// loaded.</param>
/// <param name="Sampling">How the next token is drawn; null where the likeliest is taken.</param>
internal sealed record GenerationSettings(
    IReadOnlyList<int>? EosIds,
    int? BosId,
    int? PadId,
    IReadOnlyList<string> StopStrings,
    SamplingFilter? Sampling
);

/// <summary>Reads <c>generation_config.json</c>.</summary>
internal static class GenerationFile
{
    /// <summary>Its name in a model folder.</summary>
    public const string Name = "generation_config.json";

    /// <summary>The settings; null where the folder has no such file.</summary>
    /// <exception cref="InputException">The file breaks its format; all problems at once.</exception>
    public static GenerationSettings? Read(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var path = Path.Combine(folder, Name);
        if (!File.Exists(path))
            return null;
        var json = PlacedJson.Read(path);
        var problems = new List<InputProblem>();
        var eos = Ids(json, "eos_token_id", problems);
        var bos = Ids(json, "bos_token_id", problems);
        var pad = Ids(json, "pad_token_id", problems, least: -1); // -1 is an older way to say "none"
        if (bos is { Count: > 1 })
            problems.Add(json.Problem("bos_token_id", "bos_token_id is a list; a prompt begins with one token"));
        var stops = Texts(json, "stop_strings", problems);
        var sampling = Sampling(json, problems);
        return problems.Count == 0
            ? new GenerationSettings(eos, bos?[0], pad?[0] is >= 0 ? pad[0] : null, stops, sampling)
            : throw new InputException(problems);
    }

    /// <summary>Writes what a model's config knows of such a file; nothing where it knows nothing.</summary>
    public static void Write(string folder, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (config.GenerationEosIds is null && config.Sampling is null)
            return;
        var json = new JsonObject { ["bos_token_id"] = config.BosId };
        if (config.GenerationEosIds is { } eos)
            json["eos_token_id"] = new JsonArray([.. eos.Select(i => (JsonNode)i)]);
        if (config.Sampling is { } s)
        {
            json["do_sample"] = true;
            json["temperature"] = s.Temperature;
            json["top_k"] = s.TopK;
            json["top_p"] = s.TopP;
        }
        File.WriteAllText(
            Path.Combine(folder, Name),
            json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n"
        );
    }

    // Values that are not used are not looked at: greedy checkpoints often keep a temperature of 0. Where the file is
    // silent, other programs take temperature 1, the 50 likeliest tokens and all of their probability; 0 stands for all
    // tokens.
    private static SamplingFilter? Sampling(PlacedJson json, List<InputProblem> problems)
    {
        switch (json.Root["do_sample"])
        {
            case null:
                return null;
            case JsonValue v when v.TryGetValue<bool>(out var sample):
                if (!sample)
                    return null;
                break;
            case { } other:
                problems.Add(json.Problem("do_sample", $"do_sample is {Shown(other)}, not true or false"));
                return null;
        }
        double Number(string key, double absent, Func<double, bool> fits, string what)
        {
            if (json.Root[key] is not { } node)
                return absent;
            if (
                node is JsonValue v
                && v.GetValueKind() == JsonValueKind.Number
                && v.TryGetValue<double>(out var number)
                && fits(number)
            )
                return number;
            problems.Add(json.Problem(key, $"{key} is {Shown(node)}, not {what}"));
            return absent;
        }
        var k = Number("top_k", 50, n => n is >= 0 and <= int.MaxValue && n % 1 == 0, "a whole number from 0");
        return new SamplingFilter(
            Number("temperature", 1, n => n > 0 && double.IsFinite(n), "a number above 0"),
            k == 0 ? int.MaxValue : (int)k,
            Number("top_p", 1, n => n is > 0 and <= 1, "a number above 0 and at most 1")
        );
    }

    /// <summary>
    /// A token id or a list of them; null where the field is absent, null or, with a complaint, something else.
    /// </summary>
    internal static IReadOnlyList<int>? Ids(PlacedJson json, string key, List<InputProblem> problems, int least = 0)
    {
        var node = json.Root[key];
        if (node is null)
            return null;
        var items = node is JsonArray a ? a.ToList() : [node];
        var ids = new List<int>();
        foreach (var item in items)
            if (
                item is JsonValue v
                && v.GetValueKind() == JsonValueKind.Number
                && v.TryGetValue<int>(out var id)
                && id >= least
            )
                ids.Add(id);
            else
            {
                problems.Add(json.Problem(key, $"{key} is {Shown(node)}, not a token id or a list of them"));
                return null;
            }
        if (ids.Count > 0)
            return ids;
        problems.Add(json.Problem(key, $"{key} is an empty list"));
        return null;
    }

    /// <summary>A value as it stands in the file, cut where it is long.</summary>
    internal static string Shown(JsonNode? node)
    {
        var text = node?.ToJsonString() ?? "null";
        return text.Length <= 80 ? text : text[..77] + "...";
    }

    private static IReadOnlyList<string> Texts(PlacedJson json, string key, List<InputProblem> problems)
    {
        var node = json.Root[key];
        if (node is null)
            return [];
        var items = node is JsonArray a ? a.ToList() : [node];
        var texts = items.Select(i => i is JsonValue v && v.TryGetValue<string>(out var s) ? s : null).ToList();
        if (texts.TrueForAll(t => t is not null))
            return texts!;
        problems.Add(json.Problem(key, $"{key} is {Shown(node)}, not a text or a list of texts"));
        return [];
    }
}
