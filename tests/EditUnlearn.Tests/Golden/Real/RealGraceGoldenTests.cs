using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Codebooks;
using EditUnlearn.Models.Patches;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// GRACE on a real model against the reference toolkit: keys, values, losses, and where the codebook answers.
/// </summary>
[Trait("Category", "RealModel")]
public sealed class RealGraceGoldenTests
{
    public static TheoryData<string> Cases() => [.. Goldens.Cases("real/edit/grace")];

    [RealModelTheory("real/edit/grace/*.json")]
    [MemberData(nameof(Cases))]
    public void The_codebook_and_what_the_model_does_with_it_agree(string name)
    {
        using var scope = NewDisposeScope();
        var golden = new RealEditGolden("grace", name);
        var edits = golden.Requests();
        foreach (var edit in edits)
            RowAgrees(golden, edit);
        var layer = golden.Manifest.GetProperty("layer").GetInt32();
        var values = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var method = new Grace(GraceGoldenTests.Options(golden.Manifest, layer, LabelOrder.Aligned))
        {
            Observer = e =>
            {
                values.Add(e.Id, e.Value!.clone().DetachFromDisposeScope());
                LossesAgree(golden, e);
            },
        };
        var starts = edits.ToDictionary(e => "value/" + e.Id, e => golden.Values.Read($"{e.Id}.initial_value"));
        using var patch = (CodebookPatch)
            method.Edit(golden.Model, new MethodInputs { Edits = edits, Draws = starts }, new Seed(0));
        CodebookAgrees(golden, edits, values, patch.Codebook);
        RecordAgrees(golden, edits, patch);
        ProbesAgree(golden, patch);
        ContinuationsAgree(golden, patch);
        golden.AnswersAgree("before", golden.Model);
        golden.AnswersAgree("after", golden.Model, patch.Tap);
    }

    private static void RowAgrees(RealEditGolden golden, EditRequest edit)
    {
        IEnumerable<int> Row(string what) =>
            golden.Values.Read($"{edit.Id}.{what}").data<long>().ToArray().Select(i => (int)i);
        Assert.Equal(Row("input_ids"), edit.PromptIds.Concat(edit.TargetIds));
        Assert.Equal(Row("labels"), edit.PromptIds.Select(_ => -100).Concat(edit.TargetIds));
    }

    private static void LossesAgree(RealEditGolden golden, Grace.Edited edit)
    {
        var expected = golden.Values.Read($"{edit.Id}.losses").data<float>().ToArray();
        Assert.Equal(expected.Length, edit.Losses.Count);
        foreach (var (i, (e, a)) in expected.Zip(edit.Losses).Index())
            RealGoldens.Near(e, a, golden.Bound($"{edit.Id}.losses") * Math.Max(1, Math.Abs(e)), $"{edit.Id} loss {i}");
    }

    private static void CodebookAgrees(
        RealEditGolden golden,
        IReadOnlyList<EditRequest> edits,
        Dictionary<string, Tensor> values,
        Codebook codebook
    )
    {
        void Near(string what, string sensitivity, Tensor actual) =>
            Tensors.Near(golden.Values.Read(what), actual, golden.Bound(sensitivity), $"{golden.Name} {what}");
        Near("keys", "keys", codebook.Keys);
        Near("values", "values", codebook.Values);
        foreach (var (i, edit) in edits.Index())
        {
            Near($"{edit.Id}.key", "keys", codebook.Keys[i]);
            Near($"{edit.Id}.value", "values", values[edit.Id]);
        }
    }

    private static void RecordAgrees(RealEditGolden golden, IReadOnlyList<EditRequest> edits, CodebookPatch patch)
    {
        var record = golden.Manifest.GetProperty("record").GetProperty("edits");
        foreach (var (i, edit) in edits.Index())
        {
            Assert.True(record[i].GetProperty("new_key").GetBoolean());
            Assert.Equal(record[i].GetProperty("nkeys").GetInt32(), i + 1);
            Assert.Equal(record[i].GetProperty("chosen_key").GetInt32(), i);
            Assert.Equal(record[i].GetProperty("key_position").GetInt32(), edit.PromptIds.Count - 1);
            Assert.Equal(edit.Id, Assert.Single(patch.Codebook.Entries[i].Ids));
        }
        var radii = RealGoldens.Numbers(record[edits.Count - 1].GetProperty("epsilons"));
        foreach (var (e, a) in radii.Zip(patch.Codebook.Radii))
            RealGoldens.Near(e, a, 1e-5, "radius");
    }

    private static void ProbesAgree(RealEditGolden golden, CodebookPatch patch)
    {
        var seen = new Dictionary<string, List<Tensor>>(StringComparer.Ordinal);
        foreach (var (i, probe) in golden.Manifest.GetProperty("record").GetProperty("probes").EnumerateArray().Index())
        {
            var what = $"{golden.Name} probe {i}";
            var (ids, mode) = (Goldens.Ints(probe.GetProperty("ids")), probe.GetProperty("mode").GetString()!);
            var spy = new AdapterGoldens.Spy(patch.Tap, patch.Layer);
            var after = RealGoldens.Last(golden.Model, ids, spy);
            var query = spy.Key[0, -1];
            if (!seen.TryGetValue(mode, out var keys))
                seen[mode] = keys = [];
            keys.Add(query);
            Distances(probe, query, patch.Codebook, what);
            RealGoldens.LastPosition(
                probe.GetProperty("last_position_before"),
                RealGoldens.Last(golden.Model, ids),
                1e-4,
                what + " before"
            );
            RealGoldens.LastPosition(probe.GetProperty("last_position_after"), after, golden.Bound("values"), what);
        }
        foreach (var (mode, keys) in seen)
            Tensors.Near(
                golden.Values.Read("query_keys_" + mode),
                stack(keys.ToArray()),
                golden.Bound("keys"),
                $"{golden.Name} keys {mode}"
            );
    }

    private static void Distances(JsonElement probe, Tensor query, Codebook codebook, string what)
    {
        var expected = RealGoldens.Numbers(probe.GetProperty("dists"));
        var actual = (codebook.Keys - query).norm(1).data<float>().ToArray();
        foreach (var (e, a) in expected.Zip(actual))
            RealGoldens.Near(e, a, 1e-3, what + " distance");
        var (nearest, distance) = codebook.Nearest(query);
        Assert.Equal(probe.GetProperty("nearest").GetInt32(), nearest);
        RealGoldens.Near(probe.GetProperty("dist").GetDouble(), distance, 1e-3, what + " nearest distance");
        Assert.Equal(probe.GetProperty("hit").GetBoolean(), codebook.Hit(query) >= 0);
    }

    private static void ContinuationsAgree(RealEditGolden golden, CodebookPatch patch)
    {
        var stored = golden
            .Manifest.GetProperty("record")
            .GetProperty("continuation_of_raw_prompt")
            .EnumerateArray()
            .ToList();
        var answers = stored.Select(s =>
            RealGoldens.Answer.Of(
                golden.Checkpoint.Tokenizer.Encode(s.GetProperty("question").GetString()!),
                s,
                "after",
                "after_gaps"
            )
        );
        _ = RealGoldens.Said(golden.Checkpoint, golden.Model, [.. answers], $"{golden.Name} continuation", patch.Tap);
    }
}
