using System.Text.Json;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// A real model against the reference implementation: tokens, logits, ranks, the stream after every block, greedy
/// answers.
/// </summary>
/// <remarks>1e-4 relative is the goldens' bound for float32 in another order of summation.</remarks>
[Trait("Category", "RealModel")]
public sealed class RealForwardGoldenTests
{
    private const string Values = "real/*/forward.json";
    private const double Bound = 1e-4;

    // Of numbers that are stored in float16.
    private const double Half = 1e-3;

    public static TheoryData<string> Sets() => [.. RealModels.Sets];

    [RealModelTheory(Values)]
    [MemberData(nameof(Sets))]
    public void Tokens_log_probabilities_ranks_and_logits_agree(string set)
    {
        using var quiet = no_grad();
        var checkpoint = RealModels.Load();
        var golden = Golden(set);
        foreach (var (j, single) in Manifest(set).GetProperty("single").EnumerateArray().Index())
        {
            using var scope = NewDisposeScope();
            var what = $"{set} single.{j}";
            int[] ids = [.. golden.Read($"single.{j}.input_ids").data<long>().ToArray().Select(i => (int)i)];
            // The text of the long input is not stored.
            if (single.GetProperty("text").GetString() is { } text)
                Assert.Equal(ids, checkpoint.Tokenizer.ParseSpecial(text).Select(s => s.Id));
            Assert.Equal(single.GetProperty("length").GetInt32(), ids.Length);
            var scores = Assert.Single(Scorer.Score(checkpoint.Model, [new TokenRow(ids, 1)]));
            Tensors.Near(
                golden.Read($"single.{j}.next_logprob"),
                tensor(scores.LogProbabilities.ToArray()),
                Bound,
                $"{what} log-probabilities"
            );
            var mean = single.GetProperty("mean_nll").GetDouble();
            RealGoldens.Near(mean, -scores.LogProbabilities.Average(), Bound * mean, $"{what} mean loss");
            RanksAgree(golden.Read($"single.{j}.next_rank").data<long>().ToArray(), scores.Ranks, what);
            LastLogitsAgree(golden, j, single, RealGoldens.Last(checkpoint.Model, ids), what);
        }
    }

    // Near-equal logits deep in the list may swap: there are thousands of words in a unit of logit.
    private static void RanksAgree(long[] expected, IReadOnlyList<int> actual, string what)
    {
        foreach (var (i, (e, a)) in expected.Zip(actual).Index())
            RealGoldens.Near(e, a, e <= 10 ? 0 : 1 + e / 1000, $"{what} rank {i}");
    }

    private static void LastLogitsAgree(SafetensorsFile golden, int j, JsonElement single, Tensor logits, string what)
    {
        var expected = golden.Read($"single.{j}.last_logits_f16");
        Tensors.Near(expected, logits.narrow(0, 0, expected.shape[0]), Half, $"{what} last logits");
        var pairs = single.GetProperty("last_top20").EnumerateArray().ToList();
        var top = logits.index_select(0, tensor(pairs.Select(p => p[0].GetInt64()).ToArray()));
        Tensors.Near(tensor(pairs.Select(p => p[1].GetDouble()).ToArray()), top, Bound, $"{what} largest logits");
        var (sum, l2) = (single.GetProperty("last_logsumexp").GetDouble(), single.GetProperty("last_logits_l2"));
        var wide = logits.to(ScalarType.Float64);
        RealGoldens.Near(sum, wide.logsumexp(0).ToDouble(), Bound * sum, $"{what} log-sum-exp");
        RealGoldens.Near(l2.GetDouble(), wide.norm().ToDouble(), Bound * l2.GetDouble(), $"{what} norm of the logits");
    }

    [RealModelTheory(Values)]
    [MemberData(nameof(Sets))]
    public void The_stream_agrees_after_every_block(string set)
    {
        using var quiet = no_grad();
        var model = RealModels.Load().Model;
        var golden = Golden(set);
        for (var j = 0; golden.Entries.ContainsKey($"single.{j}.hidden_l2"); j++)
        {
            using var scope = NewDisposeScope();
            var ids = golden.Read($"single.{j}.input_ids").unsqueeze(0);
            var tap = new Recorder([0, ids.shape[1] / 2, ids.shape[1] - 1]);
            var embedded = model.Embed(ids);
            var final = model.Hidden(ids, new ForwardOptions { Tap = tap });
            // After the last block the reference keeps what the final norm makes of it.
            Tensor[] states = [tap.Read(embedded), .. tap.Post.SkipLast(1), tap.Read(final)];
            var expected = golden.Read($"single.{j}.hidden_l2");
            Assert.Equal(expected.shape[0], states.Length);
            Tensors.Near(expected, stack(states).norm(-1), Bound, $"{set} single.{j} norms of the stream");
            if (j > 0)
                continue;
            const string Block = "hidden.block_out.";
            foreach (var name in golden.Entries.Keys.Where(k => k.StartsWith(Block, StringComparison.Ordinal)))
            {
                var last = states[int.Parse(name[Block.Length..]) + 1][-1];
                Tensors.Near(golden.Read(name), last, Bound, $"{set} {name}");
            }
        }
        using var frequencies = tensor(Rope.InverseFrequencies(model.Config));
        Tensors.Near(golden.Read("rope.inv_freq"), frequencies, 1e-6, $"{set} inverse frequencies");
    }

    [RealModelTheory(Values)]
    [MemberData(nameof(Sets))]
    public void Greedy_answers_agree_whoever_shares_the_batch(string set)
    {
        var checkpoint = RealModels.Load();
        var manifest = Manifest(set);
        var stored = manifest.GetProperty("greedy").EnumerateArray().ToList();
        var answers = stored
            .Select(g =>
                RealGoldens.Answer.Of(Goldens.Ints(g.GetProperty("prompt_ids")), g, "output_ids", "top2_gap")
            )
            .ToList();
        var asked = 0;
        foreach (var (entry, answer) in stored.Zip(answers))
        {
            // Other forms leave the template's default system text out.
            if (entry.GetProperty("form").GetString() != "chat")
                continue;
            Assert.Equal(answer.Prompt, checkpoint.Prompt(entry.GetProperty("question").GetString()!));
            asked++;
        }
        Assert.True(asked > 0);
        var together = RealGoldens.Said(checkpoint, checkpoint.Model, answers, $"{set} answer");
        // The shortest, since a lone row takes as long as a batch.
        var few = manifest.GetProperty("batch_left").GetProperty("rows").GetInt32() / 2;
        int[] lone = [.. Enumerable.Range(0, answers.Count).OrderBy(i => answers[i].Ids.Count).Take(few)];
        var alone = RealGoldens.Said(
            checkpoint,
            checkpoint.Model,
            [.. lone.Select(i => answers[i])],
            $"{set} lone answer",
            batchRows: 1
        );
        foreach (var (one, i) in alone.Zip(lone))
            if (answers[i].Gaps.Min() >= RealGoldens.NearTie)
                Assert.Equal(one.Ids, together[i].Ids.Take(one.Ids.Count));
    }

    private static JsonElement Manifest(string set) => Goldens.Json("real", set, "forward.json");

    private static SafetensorsFile Golden(string set) => Goldens.Values("real", set, "forward.safetensors");

    // Keeps some positions of what each block leaves.
    private sealed class Recorder(long[] positions) : ForwardTap
    {
        public List<Tensor> Post { get; } = [];

        public Tensor Read(Tensor h) => h[0].index_select(0, tensor(positions));

        public override Tensor ResidPost(int layer, Tensor h)
        {
            Post.Add(Read(h).DetachFromDisposeScope());
            return h;
        }
    }
}
