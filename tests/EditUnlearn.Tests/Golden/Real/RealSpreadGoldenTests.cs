using System.Text.Json;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>MEMIT and AlphaEdit on a real model against the reference toolkit, stage by stage.</summary>
[Trait("Category", "RealModel")]
public sealed class RealSpreadGoldenTests
{
    public static TheoryData<string> MemitCases() => [.. Goldens.Cases("real/edit/memit")];

    public static TheoryData<string> AlphaEditCases() => [.. Goldens.Cases("real/edit/alphaedit")];

    [RealModelTheory("real/edit/memit/*.json")]
    [MemberData(nameof(MemitCases))]
    public void Memit_agrees_up_to_what_the_edited_model_says(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("memit", name);
        var moments = RealEditGolden.SecondMoments.Moments;
        var options = new Memit.Options
        {
            Layers = Goldens.Ints(golden.Settings.GetProperty("layers")),
            Value = EditGoldens.Value(golden.Settings),
            Lambda = golden.Settings.GetProperty("mom2_update_weight").GetDouble(),
        };
        var edits = golden.Requests();
        var inputs = new MethodInputs
        {
            Edits = edits,
            Contexts = golden.Contexts,
            SecondMoments = moments,
        };
        using var session = new Memit.Session(golden.Model, inputs, options);
        Edit(
            golden,
            session,
            edits,
            options.Value.Steps,
            (step, near) =>
            {
                near("resid_f64", step.Share, "targets");
                near("adj_k_f64", step.Factor, "delta_weight");
                near("C_times_K_f64", matmul(moments[step.Layer], LeastSquares.Wide(step.Keys)), "K");
            }
        );
        After(golden, session.Model, edits);
    }

    [RealModelTheory("real/edit/memit/*.json")]
    [MemberData(nameof(MemitCases))]
    public void Memits_closed_forms_agree_given_the_reference_keys(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("memit", name);
        var lambda = golden.Settings.GetProperty("mom2_update_weight").GetDouble();
        foreach (var layer in Goldens.Ints(golden.Settings.GetProperty("layers")))
        {
            var (c, k) = (RealEditGolden.SecondMoments.Moments[layer], golden.Values.Read($"layer{layer}.K"));
            using var factored = new FactoredMoment(c, lambda);
            Assert.Equal(0, factored.AddedRidge);
            var expected = golden.Values.Read($"layer{layer}.adj_k_f64");
            Tensors.Near(expected, LeastSquares.Direct(c, lambda, k), 1e-4, $"{name} direct factor {layer}");
            Tensors.Near(expected, factored.Solve(k), 1e-4, $"{name} Woodbury factor {layer}");
        }
    }

    [RealModelTheory("real/edit/alphaedit/*.json")]
    [MemberData(nameof(AlphaEditCases))]
    public void AlphaEdit_agrees_up_to_what_the_edited_model_says(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("alphaedit", name);
        var options = new AlphaEdit.Options
        {
            Layers = Goldens.Ints(golden.Settings.GetProperty("layers")),
            Value = EditGoldens.Value(golden.Settings),
            NullSpaceThreshold = golden.Settings.GetProperty("nullspace_threshold").GetDouble(),
            Ridge = golden.Settings.GetProperty("L2").GetDouble(),
        };
        var spaces = options.Layers.ToDictionary(
            l => l,
            l =>
                NullSpace.Of(
                    RealEditGolden.SecondMoments.Moments[l],
                    options.NullSpaceThreshold,
                    options.NullSpaceUnit
                )
        );
        foreach (var (layer, space) in spaces)
            ProjectorAgrees(golden, layer, space);
        var edits = golden.Requests();
        var inputs = new MethodInputs { Contexts = golden.Contexts, NullSpaces = spaces };
        using var session = new AlphaEdit.Session(golden.Model, inputs, options);
        Edit(
            golden,
            session,
            edits,
            options.Value.Steps,
            (step, near) =>
            {
                var keys = LeastSquares.Wide(step.Keys);
                var within = spaces[step.Layer].Project(step.Keys);
                near("resid", step.Share, "targets");
                near("A_f64", step.Factor, "A_f64");
                near("P_times_K", within, "P_times_K");
                near("upd_times_K", matmul(step.Share, matmul(step.Factor.t(), keys)), "upd_times_K");
                Columns(golden, step.Layer, "key_energy", (keys * keys).sum([0L]));
                Columns(golden, step.Layer, "key_energy_in_null_space", (within * keys).sum([0L]));
            },
            (layer, keys) =>
                Tensors.Near(
                    golden.Values.Read($"layer{layer}.K_after_edit"),
                    keys,
                    golden.Bound($"layer{layer}.K_after_edit"),
                    $"{name} keys after {layer}"
                )
        );
        After(golden, session.Model, edits);
        foreach (var space in spaces.Values)
            space.Dispose();
    }

    private static void Edit(
        RealEditGolden golden,
        SpreadSession session,
        IReadOnlyList<EditRequest> edits,
        int steps,
        Action<SpreadStep, Action<string, Tensor, string>> more,
        Action<int, Tensor>? keysAfter = null
    )
    {
        foreach (var (i, edit) in edits.Index())
            golden.RowsAgree(edit, $"edit{i}.");
        var check = new SpreadGolden(golden.Values, golden.Name, golden.Bound, steps, "upd") { FirstKeys = 1e-4 };
        session.Edit(
            edits,
            check.Watch(
                golden.Values.Read("zs"),
                (step, _) =>
                {
                    UpdateAgrees(golden, step);
                    more(
                        step,
                        (what, actual, sensitivity) =>
                            Tensors.Near(
                                golden.Values.Read($"layer{step.Layer}.{what}"),
                                actual,
                                golden.Bound($"layer{step.Layer}.{sensitivity}"),
                                $"{golden.Name} {what} {step.Layer}"
                            )
                    );
                },
                keysAfter
            )
        );
    }

    private static JsonElement Layer(RealEditGolden golden, int layer) =>
        golden.Manifest.GetProperty("per_layer").GetProperty($"{layer}");

    private static double UpdateBound(RealEditGolden golden, int layer) =>
        Math.Max(golden.Bound($"layer{layer}.delta_weight"), golden.Bound($"layer{layer}.upd_times_K"));

    private static void UpdateAgrees(RealEditGolden golden, SpreadStep step)
    {
        var update = matmul(step.Share, step.Factor.t());
        var layer = Layer(golden, step.Layer);
        // As it was solved, as it was solved in double, and as it was added.
        foreach (var stored in layer.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Object))
            RealGoldens.Statistics(
                stored.Value,
                update,
                UpdateBound(golden, step.Layer),
                $"{golden.Name} {stored.Name} {step.Layer}"
            );
        var applied = (step.Factor * LeastSquares.Wide(step.Keys)).sum([0L]); // a_j k_j
        Columns(golden, step.Layer, "applied_fraction", applied);
    }

    private static void Columns(RealEditGolden golden, int layer, string what, Tensor actual) =>
        Tensors.Near(
            tensor(RealGoldens.Numbers(Layer(golden, layer).GetProperty(what))),
            actual,
            golden.Bound($"layer{layer}.K"),
            $"{golden.Name} {what} {layer}"
        );

    private static void ProjectorAgrees(RealEditGolden golden, int layer, NullSpace space)
    {
        Assert.Equal(golden.Manifest.GetProperty("null_space_rank").GetProperty($"{layer}").GetInt32(), space.Kept);
        var stored = Layer(golden, layer);
        RealGoldens.Near(stored.GetProperty("P_trace").GetDouble(), space.Kept, 1e-3, $"trace of P {layer}");
        var (row, diagonal) = (
            RealGoldens.Numbers(stored.GetProperty("P_first8")),
            RealGoldens.Numbers(stored.GetProperty("P_diag_first8"))
        );
        var columns = space.Project(eye(space.Size).narrow(1, 0, Math.Max(row.Length, diagonal.Length)));
        Tensors.Near(tensor(row), columns[0].narrow(0, 0, row.Length), 1e-4, $"first row of P {layer}");
        Tensors.Near(
            tensor(diagonal),
            columns.diagonal().narrow(0, 0, diagonal.Length),
            1e-4,
            $"diagonal of P {layer}"
        );
    }

    private static void After(RealEditGolden golden, CausalLm edited, IReadOnlyList<EditRequest> edits)
    {
        var bound = golden.Settings.GetProperty("layers").EnumerateArray().Max(l => UpdateBound(golden, l.GetInt32()));
        foreach (var (when, model) in ((string, CausalLm)[])[("before", golden.Model), ("after", edited)])
        {
            foreach (
                var (i, (stored, edit)) in golden
                    .Manifest.GetProperty("last_position_" + when)
                    .EnumerateArray()
                    .Zip(edits)
                    .Index()
            )
                RealGoldens.LastPosition(
                    stored,
                    RealGoldens.Last(model, edit.PromptIds),
                    bound,
                    $"{golden.Name} {when} {i}"
                );
            golden.AnswersAgree(when, model);
        }
    }
}
