using System.Text.Json;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;

namespace EditUnlearn.Tests.Golden.Evaluation;

/// <summary>
/// The paper's profile against the public evaluation code: ranks along the model's own answer, and the mean of largest
/// probabilities.
/// </summary>
[Trait("Category", "Golden")]
public sealed class FreeRunningGoldenTests
{
    private const string Part = "metrics/public_eval.json";

    public static TheoryData<string> Batches() =>
        Goldens.Missing(Part) is null
            ?
            [
                .. Goldens
                    .Json("metrics", "public_eval.json")
                    .EnumerateObject()
                    .Where(p =>
                        p.Value.ValueKind == JsonValueKind.Object && p.Value.TryGetProperty("prompt_ids", out _)
                    )
                    .Select(p => p.Name),
            ]
            : [];

    [GoldenTheory(Part)]
    [MemberData(nameof(Batches))]
    public void Ranks_and_probabilities_of_the_public_code_agree(string batch)
    {
        using var scope = torch.NewDisposeScope();
        var recorded = Goldens.Json("metrics", "public_eval.json");
        var values = Goldens.Values("metrics", "public_eval.safetensors");
        using var model = Model(recorded, values, batch);
        var expected = recorded.GetProperty(batch);
        var generated = values.Read($"{batch}.generated");
        var eos = model.Config.EosIds[0];
        var prompts = Lists(expected, "prompt_ids");
        var targets = Lists(expected, "ground_truth_ids");
        var rows = prompts
            .Select(
                (p, i) =>
                {
                    var said = UpTo(eos, [.. generated[i].data<long>().Select(x => (int)x)]);
                    return new FreeRunning.Answered(p, said, targets[i], targets[i], (batch, 0));
                }
            )
            .ToList();
        Assert.Equal(rows.Select(r => r.Said.Ids), Decoded(model, prompts, generated));

        var seen = FreeRunning.Read(model, rows, null, eos);
        for (var i = 0; i < rows.Count; i++)
        {
            Assert.Equal(
                expected.GetProperty("mrr")[i].GetDouble(),
                MeanReciprocalRank.Of(seen[i].CompatRanks)!.Value,
                1e-6
            );
            Assert.Equal(
                expected.GetProperty("hit_rate")[i].GetDouble(),
                HitRate.Of(seen[i].CompatRanks, HitRate.Cutoff)!.Value,
                1e-6
            );
            int[] row = [.. prompts[i], .. targets[i], eos];
            var n = expected.GetProperty("num_token_gt")[i].GetInt32();
            Assert.Equal(targets[i].Count + 1, n);
            var fromTheStart = Enumerable.Range(0, n).Select(t => new LogitProbe.Point(t, row[t + 1]));
            var maxima = Probe(model, row, prompts[i].Count, fromTheStart).Select(r => r.Maximum);
            Assert.Equal(expected.GetProperty("probs")[i].GetDouble(), maxima.Average(), 1e-5);
            var strict = expected.GetProperty("paper_teacher_forced")[i];
            var labels = targets[i].Select((id, t) => new LogitProbe.Point(prompts[i].Count - 1 + t, id));
            var forced = Probe(model, row, prompts[i].Count, labels);
            Assert.Equal(
                strict.GetProperty("ranks").EnumerateArray().Select(r => r.GetInt32()),
                forced.Select(r => r.Rank)
            );
            Assert.Equal(strict.GetProperty("log_prob_sum").GetDouble(), forced.Sum(r => r.LogProbability), 1e-3);
        }
    }

    // What was said before the token that ends an answer.
    private static Generated UpTo(int eos, int[] ids)
    {
        var end = Array.IndexOf(ids, eos);
        return new Generated(end < 0 ? ids : ids[..end], end < 0 ? StopReason.Limit : StopReason.StopToken);
    }

    private static IReadOnlyList<LogitProbe.Reading> Probe(
        CausalLm model,
        int[] row,
        int promptLength,
        IEnumerable<LogitProbe.Point> points
    ) => LogitProbe.Read(model, [new LogitProbe.Row(row, promptLength, [.. points])])[0];

    // The manifest may leave the model's name out: then it is the checkpoint that says what was recorded.
    private static CausalLm Model(JsonElement recorded, SafetensorsFile values, string batch)
    {
        var generated = values.Read($"{batch}.generated");
        var prompts = Lists(recorded.GetProperty(batch), "prompt_ids");
        bool Gives(CausalLm model) =>
            Decoded(model, prompts, generated)
                .Index()
                .All(row =>
                    row.Item.SequenceEqual(generated[row.Index].data<long>().Take(row.Item.Count).Select(id => (int)id))
                );
        return Goldens.Model(recorded, Gives, values.Entries[$"{batch}.teacher_forced_logits_last"].Shape[^1]);
    }

    private static List<IReadOnlyList<int>> Decoded(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        torch.Tensor generated
    ) =>
        [
            .. GreedyDecoder
                .Decode(model, prompts, new GreedyDecoder.Options { MaxNewTokens = (int)generated.shape[1] })
                .Select(d => d.Ids),
        ];

    private static List<IReadOnlyList<int>> Lists(JsonElement e, string name) =>
        [
            .. e.GetProperty(name)
                .EnumerateArray()
                .Select(r => (IReadOnlyList<int>)[.. r.EnumerateArray().Select(x => x.GetInt32())]),
        ];
}
