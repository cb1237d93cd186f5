using System.Globalization;
using System.Text.Json;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Reads the goldens of the locate-and-edit methods: requests, hyperparameters, bounds. Everything comes from the
/// files.
/// </summary>
internal static class EditGoldens
{
    public static string Folder => Goldens.At("edit");

    /// <summary>Names of the JSON files of a method's folder.</summary>
    public static string[] Cases(string method) => Goldens.Cases("edit/" + method);

    public static JsonElement Read(params string[] path) => Goldens.Json(["edit", .. path]);

    public static CausalLm Model(JsonElement manifest) => Goldens.Model(manifest);

    public static int[] Ints(JsonElement e) => Goldens.Ints(e);

    /// <summary>Names of a manifest's batches, in the order of their numbers.</summary>
    public static string[] Batches(JsonElement manifest) =>
        [
            .. manifest
                .EnumerateObject()
                .Select(p => p.Name)
                .Where(n => n.StartsWith("batch", StringComparison.Ordinal))
                .OrderBy(n => int.Parse(n["batch".Length..], CultureInfo.InvariantCulture)),
        ];

    public static ValueOptions Value(JsonElement h) =>
        new()
        {
            Steps = h.GetProperty("v_num_grad_steps").GetInt32(),
            LearningRate = h.GetProperty("v_lr").GetDouble(),
            WeightDecay = h.GetProperty("v_weight_decay").GetDouble(),
            ClampNormFactor = h.GetProperty("clamp_norm_factor").GetDouble(),
            KlFactor = h.GetProperty("kl_factor").GetDouble(),
        };

    /// <summary>A request; the essence sentence is the last row of its batch.</summary>
    public static EditRequest Request(string id, JsonElement request, SafetensorsFile golden, string prefix)
    {
        using var scope = NewDisposeScope();
        var mask = golden.Read(prefix + "batch.attention_mask")[-1].to(ScalarType.Bool);
        return new EditRequest(
            id,
            Ints(request.GetProperty("prompt_ids")),
            request.GetProperty("subject_last_index").GetInt32(),
            Ints(request.GetProperty("target_ids")),
            [.. golden.Read(prefix + "batch.input_ids")[-1][mask].data<long>().Select(i => (int)i)],
            (int)golden.Read(prefix + "batch.lookup_idx")[-1].ToInt64()
        );
    }

    public static IReadOnlyList<IReadOnlyList<int>> Contexts(JsonElement common, string method) =>
        [.. common.GetProperty(method + "_context_prefixes").EnumerateArray().Select(e => (IReadOnlyList<int>)Ints(e))];

    public static SafetensorsFile Moments =>
        SafetensorsFile.Open(Path.Combine(Folder, "common", "second_moment.safetensors"));

    /// <summary>
    /// Three times what float32 rounding is amplified to, and at least the 1e-4 that the goldens call fair.
    /// </summary>
    public static double Bound(JsonElement sensitivity, string what) =>
        Math.Max(1e-4, 3 * (sensitivity.TryGetProperty(what, out var s) ? s.GetDouble() : 0));

    public static Tensor LastLogits(CausalLm model, JsonElement common)
    {
        using var quiet = no_grad();
        return stack(
            common
                .GetProperty("probes")
                .EnumerateArray()
                .Select(p => model.Forward(Tensors.Ids(Ints(p)))[0, -1])
                .ToArray()
        );
    }

    /// <summary>
    /// Every term of every evaluation that ours makes: the reference's last one, after which nothing moves, may be
    /// missing.
    /// </summary>
    public static void SameLosses(Tensor expected, IReadOnlyList<ValueLoss> actual, int steps, string what)
    {
        Assert.True(
            actual.Count == expected.shape[0] || (expected.shape[0] == steps && actual.Count == steps - 1),
            $"{what}: {actual.Count} evaluations, the reference made {expected.shape[0]}"
        );
        for (var i = 0; i < actual.Count; i++)
        {
            double[] ours = [actual[i].Total, actual[i].Nll, actual[i].Kl, actual[i].Decay];
            for (var c = 0; c < ours.Length; c++)
            {
                var reference = expected[i, c].ToDouble();
                Assert.True(
                    Math.Abs(reference - ours[c]) <= 2e-4 * Math.Max(1, Math.Abs(reference)),
                    $"{what}, evaluation {i}, term {c}: {ours[c]}, the reference has {reference}"
                );
            }
        }
    }
}
