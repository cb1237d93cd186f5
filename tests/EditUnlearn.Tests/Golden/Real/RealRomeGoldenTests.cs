using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// ROME on a real model against the reference toolkit: from the words of a request to what the edited model says.
/// </summary>
[Trait("Category", "RealModel")]
public sealed class RealRomeGoldenTests
{
    private const string Part = "real/edit/rome";

    public static TheoryData<string> Cases() => [.. Goldens.Cases(Part)];

    [RealModelTheory(Part + "/*.json")]
    [MemberData(nameof(Cases))]
    public void The_update_and_all_that_leads_to_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("rome", name);
        var layer = golden.Manifest.GetProperty("layer").GetInt32();
        var edit = Assert.Single(golden.Requests());
        golden.RowsAgree(edit, "");
        var options = new Rome.Options
        {
            Layers = [layer],
            SecondMoments = golden.Settings.GetProperty("mom2_adjustment").GetBoolean(),
            Value = EditGoldens.Value(golden.Settings),
        };
        var inputs = new MethodInputs
        {
            Edits = [edit],
            Contexts = golden.Contexts,
            SecondMoments = RealEditGolden.SecondMoments.Moments,
        };
        KeysAgree(golden, edit, layer);
        RomeGoldenTests.ValueAgrees(
            name,
            golden.Values,
            golden.Model,
            inputs,
            layer,
            options.Value,
            golden.Bound
        );
        using var patch = (WeightPatch)new Rome(options).Edit(golden.Model, inputs, new Seed(0));
        ChangeAgrees(golden, Assert.IsType<LowRankChange>(Assert.Single(patch.Changes).Value), layer);
        LastPositionsAgree(golden, "before", edit, golden.Model);
        golden.AnswersAgree("before", golden.Model);
        var edited = RealGoldens.Edited(golden.Model, patch);
        LastPositionsAgree(golden, "after", edit, edited);
        golden.AnswersAgree("after", edited);
    }

    private static void KeysAgree(RealEditGolden golden, EditRequest edit, int layer)
    {
        void Near(string what, Tensor actual) =>
            Tensors.Near(golden.Values.Read(what), actual, golden.Bound(what), $"{golden.Name} {what}");
        using var states = new LookupStates(golden.Model, [edit], golden.Contexts, layer);
        var keys = states.KeysAt(layer);
        Near("u.keys_per_template", keys);
        Near("u.mean_key", states.MeanOverContexts(keys).squeeze(1));
        var bare = states.Bare(keys).squeeze(1);
        Near("k_star", bare);
        using var quiet = no_grad();
        Near("cur_output", matmul(golden.Model.Weight(CausalLm.DownProjName(layer)), bare));
    }

    private static void ChangeAgrees(RealEditGolden golden, LowRankChange change, int layer)
    {
        void Near(string what, Tensor actual) =>
            Tensors.Near(golden.Values.Read(what), actual, golden.Bound(what), $"{golden.Name} {what}");
        using var quiet = no_grad();
        var u = change.Right.squeeze(1);
        Near("u", u);
        Tensors.Near(golden.Values.Read("u_f64"), u, golden.Bound("u"), $"{golden.Name} exact u");
        Near("right_vector", change.Left.squeeze(1));
        // C u is the mean key but for its length.
        Near("C_times_u_f64", matmul(RealEditGolden.SecondMoments.Moments[layer], LeastSquares.Wide(u)));
        RealGoldens.Statistics(
            golden.Manifest.GetProperty("delta_weight"),
            matmul(change.Left, change.Right.t()),
            golden.Bound("delta_weight"),
            $"{golden.Name} update"
        );
    }

    // After the bare question and after the question in chat.
    private static void LastPositionsAgree(RealEditGolden golden, string when, EditRequest edit, CausalLm model)
    {
        var question = golden.Manifest.GetProperty("request").GetProperty("question").GetString()!;
        foreach (var place in golden.Manifest.GetProperty("last_position_" + when).EnumerateObject())
            RealGoldens.LastPosition(
                place.Value,
                RealGoldens.Last(model, place.Name == "raw" ? edit.PromptIds : golden.Checkpoint.Prompt(question)),
                golden.Bound("delta_weight"),
                $"{golden.Name} {place.Name} {when}"
            );
    }
}
