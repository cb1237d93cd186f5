using System.Text.Json;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>One case of an editing method on the real model: its requests in words, and what came of them.</summary>
internal sealed class RealEditGolden
{
    private const string Slot = "{}";

    // Of all layers that the goldens speak of; whoever needs one waits for all.
    private static readonly Lazy<(IReadOnlyDictionary<int, Tensor> Moments, long Tokens)> Collected = new(Collect);

    /// <param name="method">Folder of the method.</param>
    /// <param name="name">Of the case.</param>
    public RealEditGolden(string method, string name)
    {
        Name = name;
        Manifest = Goldens.Json("real", "edit", method, name + ".json");
        Values = Goldens.Values("real", "edit", method, name + ".safetensors");
        Prefixes = Manifest.TryGetProperty("templates", out var templates)
            ? [.. templates.EnumerateArray().Select(t => Prefix(t.GetString()!))]
            : [];
    }

    /// <summary>Of the case.</summary>
    public string Name { get; }

    /// <summary>Settings and small results.</summary>
    public JsonElement Manifest { get; }

    /// <summary>Tensors.</summary>
    public SafetensorsFile Values { get; }

    /// <summary>The untouched model; only read.</summary>
    public Checkpoint Checkpoint => RealModels.Load();

    /// <summary>Its weights.</summary>
    public CausalLm Model => Checkpoint.Model;

    /// <summary>Texts before the question.</summary>
    public IReadOnlyList<ContextPrefix> Prefixes { get; }

    /// <summary>The same as a method takes them.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Contexts => [.. Prefixes.Select(p => p.Ids)];

    /// <summary>The settings.</summary>
    public JsonElement Settings => Manifest.GetProperty("hparams");

    /// <summary>See <see cref="EditGoldens.Bound"/>.</summary>
    public double Bound(string what) => EditGoldens.Bound(Manifest.GetProperty("sensitivity"), what);

    /// <summary>The manifest of what the methods share.</summary>
    public static JsonElement Common => Goldens.Json("real", "edit", "common", "inputs.json");

    /// <summary>C of each layer, recomputed from the stored text, and how many tokens that has.</summary>
    public static (IReadOnlyDictionary<int, Tensor> Moments, long Tokens) SecondMoments => Collected.Value;

    /// <summary>Requests made from the words, whose tokens are the stored ones.</summary>
    public IReadOnlyList<EditRequest> Requests()
    {
        JsonElement[] stored = Manifest.TryGetProperty("requests", out var all)
            ? [.. all.EnumerateArray()]
            : [Manifest.GetProperty("request")];
        return [.. stored.Select((r, i) => Request(r, stored.Length == 1 ? Name : $"edit{i}"))];
    }

    /// <summary>The stored rows of a value optimisation are those of the request.</summary>
    public void RowsAgree(EditRequest request, string prefix)
    {
        using var scope = NewDisposeScope();
        var (ids, mask, lookup) = (
            Values.Read(prefix + "batch.input_ids"),
            Values.Read(prefix + "batch.attention_mask").to(ScalarType.Bool),
            Values.Read(prefix + "batch.lookup_idx").data<long>().ToArray()
        );
        var rows = ValueRows.Of([request], Contexts, essence: true).Rows;
        Assert.Equal(lookup.Select(l => (int)l), rows.Select(r => r.Lookup));
        foreach (var (i, row) in rows.Index())
            Assert.Equal(ids[i][mask[i]].data<long>().ToArray().Select(x => (int)x), row.Ids);
    }

    /// <summary>Greedy answers in chat and after the bare question, before or after the edits.</summary>
    /// <param name="when">Which of them.</param>
    /// <param name="model">The model then.</param>
    /// <param name="tap">The intervention then.</param>
    /// <param name="batchRows">Rows that are asked together.</param>
    public void AnswersAgree(string when, CausalLm model, ForwardTap? tap = null, int batchRows = 24)
    {
        var stored = Manifest.GetProperty("answers").EnumerateArray().ToList();
        var prompts = stored.Select(a => Checkpoint.Prompt(a.GetProperty("question").GetString()!)).ToList();
        foreach (var (answer, prompt) in stored.Zip(prompts))
            Assert.Equal(Goldens.Ints(answer.GetProperty("chat_prompt_ids")), prompt);
        _ = RealGoldens.Said(
            Checkpoint,
            model,
            [
                .. stored.Zip(
                    prompts,
                    (a, p) => RealGoldens.Answer.Of(p, a.GetProperty(when), "ids", "gaps")
                ),
            ],
            $"{Name} answer {when}",
            tap,
            batchRows
        );
    }

    private EditRequest Request(JsonElement stored, string id)
    {
        string Text(string name) => stored.GetProperty(name).GetString()!;
        var request = EditRequests.FromText(
            Checkpoint,
            id,
            Text("question"),
            Text("subject"),
            stored.GetProperty("subject_chars")[0].GetInt32(),
            Text("target"),
            new EditRequests.Options { Format = PromptFormat.Raw, Prefixes = Prefixes }
        );
        Assert.Equal(Goldens.Ints(stored.GetProperty("prompt_ids")), request.PromptIds);
        Assert.Equal(Goldens.Ints(stored.GetProperty("target_with_space_ids")), request.TargetIds);
        Assert.Equal(stored.GetProperty("subject_last_index").GetInt32(), request.SubjectLast);
        return request;
    }

    // A template is a prefix, a space and the slot of the question.
    private ContextPrefix Prefix(string template)
    {
        Assert.EndsWith(Slot, template, StringComparison.Ordinal);
        var text = template[..^Slot.Length].TrimEnd(' ');
        return new ContextPrefix(text, Checkpoint.Tokenizer.Encode(text));
    }

    private static (IReadOnlyDictionary<int, Tensor> Moments, long Tokens) Collect()
    {
        using var scope = NewDisposeScope();
        var stored = Common.GetProperty("second_moment");
        var (moments, tokens) = EditUnlearn.Methods.Shared.SecondMoments.Collect(
            RealModels.Load().Model,
            [.. stored.GetProperty("texts").EnumerateArray().Select(t => new TokenRow(Ids(t), 1))],
            [.. stored.GetProperty("layers").EnumerateObject().Select(l => int.Parse(l.Name))]
        );
        foreach (var c in moments.Values)
            c.DetachFromDisposeScope();
        return (moments, tokens);

        static int[] Ids(JsonElement text)
        {
            var ids = RealModels.Load().Tokenizer.Encode(text.GetProperty("text").GetString()!);
            Assert.Equal(Goldens.Ints(text.GetProperty("ids")), ids);
            return [.. ids];
        }
    }
}
