using System.Text.Json;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>What the goldens of MEMIT and AlphaEdit have in common.</summary>
internal sealed class SpreadGolden(
    SafetensorsFile golden,
    string name,
    Func<string, double> bound,
    int steps,
    string update
)
{
    /// <summary>Bound of the keys of the first layer, which no update has reached.</summary>
    public double FirstKeys { get; init; } = 1e-5;

    public SpreadWatch Watch(Tensor zs, Action<SpreadStep, int>? more = null, Action<int, Tensor>? keysAfter = null)
    {
        var (taken, layers) = (new Dictionary<int, int>(), 0);
        return new SpreadWatch
        {
            Gradient = (e, delta, gradient) =>
            {
                var step = taken[e] = taken.GetValueOrDefault(e, -1) + 1;
                if (!golden.Entries.ContainsKey($"edit{e}.grad"))
                    return;
                if (step > 0)
                    Tensors.Near(
                        golden.Read($"edit{e}.delta_before_step")[step],
                        delta,
                        10 * bound("zs"),
                        $"{name} edit {e} delta before step {step}"
                    );
                Tensors.Near(
                    golden.Read($"edit{e}.grad")[step],
                    gradient,
                    10 * bound("zs"),
                    $"{name} edit {e} gradient {step}"
                );
            },
            Values = values =>
            {
                Assert.Equal(zs.shape[1], values.Count);
                for (var e = 0; e < values.Count; e++)
                {
                    // One evaluation more than updates; of some edits the gradients are left out.
                    Assert.Equal(golden.Entries[$"edit{e}.losses"].Shape[0], taken[e] + 2);
                    Tensors.Near(golden.Read($"edit{e}.target_init"), values[e].Initial, 1e-5, $"{name} edit {e} v0");
                    Tensors.Near(zs.select(1, e), values[e].Value, bound("zs"), $"{name} edit {e} z");
                    EditGoldens.SameLosses(golden.Read($"edit{e}.losses"), values[e].Losses, steps, $"{name} edit {e}");
                }
            },
            Step = step =>
            {
                StepAgrees(step, layers == 0 ? FirstKeys : bound($"layer{step.Layer}.K"));
                more?.Invoke(step, layers++);
            },
            KeysAfter = keysAfter,
        };
    }

    private void StepAgrees(SpreadStep step, double near)
    {
        Tensors.Near(golden.Read($"layer{step.Layer}.K"), step.Keys, near, $"{name} K {step.Layer}");
        Tensors.Near(golden.Read($"layer{step.Layer}.cur_zs"), step.Output, near, $"{name} H {step.Layer}");
        Tensors.Near(
            golden.Read($"layer{step.Layer}.targets"),
            step.Residual,
            Math.Max(bound("zs"), bound($"layer{step.Layer}.targets")),
            $"{name} residual {step.Layer}"
        );
        if (golden.Entries.ContainsKey($"layer{step.Layer}.{update}"))
            Tensors.Near(
                golden.Read($"layer{step.Layer}.{update}"),
                matmul(step.Share, step.Factor.t()),
                bound($"layer{step.Layer}.{update}"),
                $"{name} update {step.Layer}"
            );
    }

    public void WeightsAndLogits(CausalLm model, IReadOnlyList<int> layers, JsonElement common)
    {
        foreach (var layer in layers)
            Tensors.Near(
                golden.Read($"layer{layer}.new_weight"),
                model.Weight(CausalLm.DownProjName(layer)),
                bound($"layer{layer}.{update}"),
                $"{name} weight {layer}"
            );
        Tensors.Near(
            golden.Read("probe_logits_after"),
            EditGoldens.LastLogits(model, common),
            bound("probe_logits_after"),
            $"{name} probes"
        );
    }
}
