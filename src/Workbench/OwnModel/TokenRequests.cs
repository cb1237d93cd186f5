using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>
/// Edit requests as token ids, for exact work without a tokenizer: what the reference's runs were given can be given
/// again, draws included.
/// </summary>
/// <remarks>
/// JSON Lines. A request: <c>prompt_ids</c>, <c>subject_last</c>, <c>target_ids</c>; may have <c>id</c>,
/// <c>subject_first</c>, <c>essence_ids</c> with <c>essence_last</c>, <c>prefix_at</c>, <c>continuation_ids</c>,
/// <c>initial_value</c> (GRACE: numbers, or a tensor's name), <c>locality_ids</c> (WISE). The first line may be a
/// header with <c>"format": "token-requests/1"</c>: <c>context_prefixes</c>, <c>tensors</c> (a safetensors file beside
/// this one), and names of its tensors: <c>second_moments</c> by block, <c>masks</c>
/// of WISE's memories in turn. Fields are described in docs/apply.md.
/// </remarks>
internal sealed class TokenRequests
{
    private const string Format = "token-requests/1";
    private static readonly string[] HeaderFields =
    [
        "format",
        "context_prefixes",
        "tensors",
        "second_moments",
        "masks",
    ];
    private static readonly string[] RequestFields =
    [
        "id",
        "prompt_ids",
        "subject_first",
        "subject_last",
        "target_ids",
        "essence_ids",
        "essence_last",
        "prefix_at",
        "continuation_ids",
        "initial_value",
        "locality_ids",
    ];

    private readonly string _path;
    private readonly List<(string Purpose, string? Tensor, float[]? Values, int Line)> _draws = [];
    private readonly Dictionary<int, string> _moments = [];
    private string? _tensors;

    private TokenRequests(string path) => _path = path;

    /// <summary>The requests in order.</summary>
    public IReadOnlyList<EditRequest> Edits { get; private set; } = [];

    /// <summary>Context prefixes of the header; null where they are left to the model.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? Contexts { get; private set; }

    /// <summary>Texts that must not change, of the requests that have one.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Locality { get; private set; } = [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">Everything that is wrong with its form, with lines and fields.</exception>
    public static TokenRequests Read(string path)
    {
        var problems = new List<InputProblem>();
        var read = new TokenRequests(path);
        var (edits, locality) = (new List<EditRequest>(), new List<IReadOnlyList<int>>());
        foreach (var (line, value) in JsonLines.Read(path))
        {
            if (value is null)
            {
                problems.Add(
                    new InputProblem(
                        path,
                        line,
                        0,
                        "is not a JSON object",
                        "one {\"prompt_ids\": [..], \"subject_last\": 4, \"target_ids\": [..]} a line"
                    )
                );
                continue;
            }
            var fields = new Fields(path, line, value, problems);
            if (value.ContainsKey("format") && edits.Count == 0)
                read.Header(fields);
            else
                edits.Add(read.Request(fields, edits.Count, locality));
        }
        if (edits.Count == 0 && problems.Count == 0)
            problems.Add(new InputProblem(path, 0, 0, "holds no request"));
        problems.AddRange(
            edits
                .GroupBy(e => e.Id)
                .Where(g => g.Count() > 1)
                .Select(g => g.Last().Problem("names a request that stands already further up", "ids are distinct"))
        );
        if (problems.Count > 0)
            throw new InputException([.. problems.OrderBy(p => p.Line)]);
        (read.Edits, read.Locality) = (edits, locality);
        return read;
    }

    /// <summary>The draws whose outcome the file gives; the caller's dispose scope owns the tensors.</summary>
    /// <exception cref="InputException">A tensor it names is not there.</exception>
    public IReadOnlyDictionary<string, Tensor> Draws() =>
        _draws.ToDictionary(
            d => d.Purpose,
            d => d.Values is { } values ? tensor(values) : Tensor(d.Tensor!, d.Line).squeeze().to(ScalarType.Float32),
            StringComparer.Ordinal
        );

    /// <summary>
    /// Second moments C [F, F] of some blocks, as the file gives them; null where it gives none. They are taken as they
    /// are: nothing says of which model they are.
    /// </summary>
    /// <param name="layers">Blocks.</param>
    /// <param name="size">F.</param>
    /// <exception cref="InputException">A block is missing, a tensor is not there or has another shape.</exception>
    public IReadOnlyDictionary<int, Tensor>? SecondMoments(IReadOnlyList<int> layers, int size)
    {
        ArgumentNullException.ThrowIfNull(layers);
        if (_moments.Count == 0)
            return null;
        return layers.ToDictionary(
            l => l,
            l =>
            {
                if (!_moments.TryGetValue(l, out var name))
                    throw new InputException(
                        new InputProblem(
                            _path,
                            1,
                            0,
                            $"second_moments has no block {l}, which is edited",
                            "name a tensor for every edited block"
                        )
                    );
                var c = Tensor(name, 1);
                return c.shape.SequenceEqual([size, size])
                    ? c
                    : throw new InputException(
                        new InputProblem(
                            _path,
                            1,
                            0,
                            $"second_moments of block {l} is [{string.Join(", ", c.shape)}], not [{size}, {size}]"
                        )
                    );
            }
        );
    }

    /// <summary>Whether the file gives second moments.</summary>
    public bool HasSecondMoments => _moments.Count > 0;

    private Tensor Tensor(string name, int line)
    {
        if (_tensors is null)
            throw new InputException(
                new InputProblem(
                    _path,
                    line,
                    0,
                    $"names the tensor '{name}', but the header names no file of tensors",
                    "\"tensors\": \"FILE.safetensors\" in the header"
                )
            );
        var file = SafetensorsFile.Open(_tensors);
        if (!file.Entries.ContainsKey(name))
            throw new InputException(
                new InputProblem(
                    _path,
                    line,
                    0,
                    $"names the tensor '{name}', which {_tensors} does not hold",
                    Spelling.Nearest(name, file.Entries.Keys) is { } near ? $"did you mean '{near}'?" : null
                )
            );
        return file.Read(name);
    }

    private void Header(Fields fields)
    {
        if (fields.Text("format") is not Format)
            fields.Complain("format", $"is not {Format}");
        fields.Unknown(HeaderFields, "the header");
        Contexts = fields.Lists("context_prefixes");
        if (fields.Text("tensors") is { } tensors)
        {
            _tensors = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(_path))!, tensors);
            if (!File.Exists(_tensors))
                fields.Complain("tensors", $"names {tensors}, which is not there");
        }
        if (fields.Value("second_moments") is JsonObject moments)
            foreach (var (block, name) in moments)
                if (
                    int.TryParse(block, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
                    && name is JsonValue v
                    && v.TryGetValue<string>(out var text)
                )
                    _moments[layer] = text;
                else
                    fields.Complain("second_moments", $"has '{block}', which is not a block with the name of a tensor");
        else if (fields.Value("second_moments") is not null)
            fields.Complain("second_moments", "is not an object from block to name");
        if (fields.Value("masks") is JsonArray masks)
            foreach (var (i, name) in masks.Index())
                if (name is JsonValue v && v.TryGetValue<string>(out var text))
                    _draws.Add(($"mask/{i}", text, null, fields.Line));
                else
                    fields.Complain("masks", "is not a list of names");
    }

    private EditRequest Request(Fields fields, int index, List<IReadOnlyList<int>> locality)
    {
        fields.Unknown(RequestFields, "a request");
        var id = fields.Text("id") ?? string.Create(CultureInfo.InvariantCulture, $"edit{index}");
        var prompt = fields.Ids("prompt_ids", required: true) ?? [];
        var last = fields.Number("subject_last", required: true) ?? 0;
        var target = fields.Ids("target_ids", required: true) ?? [];
        if (target.Count == 0 && fields.Value("target_ids") is JsonArray)
            fields.Complain("target_ids", "is empty", "give what the model shall answer");
        if (prompt.Count > 0 && (last < 0 || last >= prompt.Count))
            fields.Complain(
                "subject_last",
                $"is {last}, outside a prompt of {prompt.Count} tokens",
                "the index of the subject's last token in prompt_ids, from 0"
            );
        // Without a sentence of its own the essence is the subject alone after BOS; where not even its first token is
        // known, all before it too.
        var first = fields.Number("subject_first");
        if (first < 0 || first > last)
            fields.Complain("subject_first", $"is {first}, which does not lie before subject_last");
        var subject =
            last < 0 || last >= prompt.Count || first < 0 || first > last ? []
            : first is { } f && f > 0 ? [prompt[0], .. prompt.Take(last + 1).Skip(f)]
            : (IReadOnlyList<int>)[.. prompt.Take(last + 1)];
        var essence = fields.Ids("essence_ids");
        var essenceLast = fields.Number("essence_last");
        if (essence is not null != essenceLast is not null)
            fields.Complain("essence_ids", "and essence_last go together");
        switch (fields.Value("initial_value"))
        {
            case JsonArray numbers when numbers.All(n => n is JsonValue v && v.TryGetValue<double>(out _)):
                _draws.Add(("value/" + id, null, [.. numbers.Select(n => (float)n!.GetValue<double>())], fields.Line));
                break;
            case JsonValue v when v.TryGetValue<string>(out var name):
                _draws.Add(("value/" + id, name, null, fields.Line));
                break;
            case not null:
                fields.Complain("initial_value", "is neither a list of numbers nor the name of a tensor");
                break;
        }
        if (fields.Ids("locality_ids") is { } text)
            locality.Add(text);
        return new EditRequest(id, prompt, last, target, essence ?? subject, essenceLast ?? subject.Count - 1)
        {
            PrefixAt = fields.Number("prefix_at") ?? Math.Min(1, Math.Max(0, last)),
            Continuation = fields.Ids("continuation_ids"),
            Place = (_path, fields.Line),
        };
    }

    private sealed class Fields(string path, int line, JsonObject value, List<InputProblem> problems)
    {
        public int Line => line;

        public void Complain(string field, string message, string? hint = null) =>
            problems.Add(new InputProblem(path, line, 0, $"{field} {message}", hint));

        public JsonNode? Value(string field) => value[field];

        public string? Text(string field)
        {
            if (value[field] is null)
                return null;
            if (value[field] is JsonValue v && v.TryGetValue<string>(out var text))
                return text;
            Complain(field, "is not text");
            return null;
        }

        public int? Number(string field, bool required = false)
        {
            if (value[field] is null)
            {
                if (required)
                    Complain(field, "is missing");
                return null;
            }
            if (value[field] is JsonValue v && v.TryGetValue<int>(out var number))
                return number;
            Complain(field, "is not a whole number");
            return null;
        }

        public IReadOnlyList<int>? Ids(string field, bool required = false)
        {
            if (value[field] is null && required)
                Complain(field, "is missing");
            return value[field] is { } node ? List(field, node) : null;
        }

        public IReadOnlyList<IReadOnlyList<int>>? Lists(string field)
        {
            switch (value[field])
            {
                case null:
                    return null;
                case JsonArray rows:
                    return [.. rows.Select(r => r is null ? [] : List(field, r))];
                default:
                    Complain(field, "is not a list of lists of token ids");
                    return null;
            }
        }

        public void Unknown(string[] known, string what)
        {
            foreach (var (key, _) in value)
                if (!known.Contains(key))
                    Complain(
                        key,
                        $"is not a field of {what}",
                        Spelling.Nearest(key, known) is { } near
                            ? $"did you mean '{near}'?"
                            : "known: " + string.Join(", ", known)
                    );
        }

        private IReadOnlyList<int> List(string field, JsonNode node)
        {
            if (node is JsonArray array && array.All(i => i is JsonValue v && v.TryGetValue<int>(out _)))
                return [.. array.Select(i => i!.GetValue<int>())];
            Complain(field, "is not a list of token ids");
            return [];
        }
    }
}
