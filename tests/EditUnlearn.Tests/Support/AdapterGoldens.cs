using System.Text.Json;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>What the goldens of the adapter methods have in common.</summary>
public static class AdapterGoldens
{
    /// <summary>Names of the cases of one method: its JSON files.</summary>
    public static TheoryData<string> Cases(string method) => [.. Goldens.Cases("edit/" + method)];

    /// <summary>A case's manifest.</summary>
    public static JsonDocument Manifest(string method, string name) =>
        JsonDocument.Parse(File.ReadAllBytes(Goldens.At("edit", method, name + ".json")));

    /// <summary>A case's tensors.</summary>
    public static SafetensorsFile Tensors(string method, string name) =>
        Goldens.Values("edit", method, name + ".safetensors");

    /// <summary>The model of a case.</summary>
    public static CausalLm Model(JsonElement manifest) => Goldens.Model(manifest);

    /// <summary>Requests in order; ids are their numbers.</summary>
    public static IReadOnlyList<EditRequest> Requests(JsonElement manifest) =>
        [
            .. manifest
                .GetProperty("requests")
                .EnumerateArray()
                .Select(
                    (r, i) =>
                        new EditRequest(
                            $"edit{i}",
                            Ints(r.GetProperty("prompt_ids")),
                            r.GetProperty("subject_last_index").GetInt32(),
                            Ints(r.GetProperty("target_ids")),
                            [],
                            0
                        )
                ),
        ];

    /// <summary>A list of ids.</summary>
    public static int[] Ints(JsonElement e) => Goldens.Ints(e);

    /// <summary>
    /// Three times the manifest's sensitivity, which is what float32 rounding is amplified to, and at least the 1e-4
    /// that the goldens call fair.
    /// </summary>
    public static double Bound(JsonElement manifest, string section, string what) =>
        Math.Max(1e-4, manifest.GetProperty(section).TryGetProperty(what, out var s) ? 3 * s.GetDouble() : 0);

    /// <summary>
    /// Hands on what another tap does to one block's memory, and remembers what went in and came out.
    /// </summary>
    public sealed class Spy(ForwardTap? inner, int block) : ForwardTap
    {
        /// <summary>Input [B, T, F].</summary>
        public Tensor Key { get; private set; } = null!;

        /// <summary>Output of the main memory [B, T, D].</summary>
        public Tensor Main { get; private set; } = null!;

        /// <summary>What the block goes on with [B, T, D].</summary>
        public Tensor Output { get; private set; } = null!;

        /// <inheritdoc/>
        public override Tensor MlpOut(int layer, Tensor key, Tensor value)
        {
            var output = inner?.MlpOut(layer, key, value) ?? value;
            if (layer == block)
                (Key, Main, Output) = (
                    key.clone().DetachFromDisposeScope(),
                    value.clone().DetachFromDisposeScope(),
                    output.clone().DetachFromDisposeScope()
                );
            return output;
        }
    }
}
