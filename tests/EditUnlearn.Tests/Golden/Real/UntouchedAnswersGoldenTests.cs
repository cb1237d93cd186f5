using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// What a real model knows before anything is done to it: every question asked with our template and decoder, scored
/// with our metric.
/// </summary>
[Trait("Category", "RealModel")]
public sealed class UntouchedAnswersGoldenTests
{
    private const string File = "untouched-answers.json";

    // Rows that may differ, each at a step whose two largest logits are as good as equal.
    private const int MostRows = 5;
    private const double NearTie = 0.02;

    public static TheoryData<string> Sets() =>
        [.. RealModels.Sets.Where(s => Path.Exists(Goldens.At("real", s, File)))];

    [RealModelTheory("real/*/" + File)]
    [MemberData(nameof(Sets))]
    public void The_same_questions_are_known(string set)
    {
        var checkpoint = RealModels.Load();
        var manifest = Goldens.Json("real", set, File);
        var rows = manifest.GetProperty("rows").EnumerateArray().ToList();
        var prompts = rows.Select(r => checkpoint.Prompt(Text(r, "question"))).ToList();
        var options = new GreedyDecoder.Options
        {
            MaxNewTokens = NewTokens(manifest),
            StopIds = checkpoint.StopIds,
            BatchRows = 48,
        };
        var said = GreedyDecoder.Decode(checkpoint.Model, prompts, options);
        var ours = said.Select(s => checkpoint.Decode(s.Ids)).ToList();
        var different = new List<int>();
        for (var i = 0; i < rows.Count; i++)
        {
            var recall = Rouge1.Recall(Text(rows[i], "answer"), ours[i]);
            if (ours[i] == Text(rows[i], "output").Trim())
                RealGoldens.Near(rows[i].GetProperty("rouge1").GetDouble(), recall, 1e-5, $"{set} row {i} recall");
            else
                different.Add(i);
        }
        var told = different.Select(i => $"{i}: '{ours[i]}', not '{Text(rows[i], "output")}'").ToList();
        Assert.True(different.Count <= MostRows, $"{told.Count} rows differ:\n" + string.Join('\n', told));
        foreach (var i in different)
            Assert.True(
                Gap(checkpoint, prompts[i], said[i].Ids, Text(rows[i], "output")) < NearTie,
                "no near tie: " + told[different.IndexOf(i)]
            );
        CountsAgree(rows, ours, different);
    }

    // Known is what was said in full.
    private static void CountsAgree(List<JsonElement> rows, List<string> ours, List<int> different)
    {
        foreach (var part in rows.Index().GroupBy(r => Text(r.Item, "set")))
        {
            var expected = part.Count(r => r.Item.GetProperty("known").GetBoolean());
            var actual = part.Count(r => Rouge1.Recall(Text(r.Item, "answer"), ours[r.Index]) >= 1);
            RealGoldens.Near(expected, actual, part.Count(r => different.Contains(r.Index)), $"{part.Key} known");
        }
    }

    // Between the two largest logits where our answer leaves the expected one.
    private static double Gap(Checkpoint checkpoint, IReadOnlyList<int> prompt, IReadOnlyList<int> ids, string expected)
    {
        using var scope = NewDisposeScope();
        var agreed = Enumerable
            .Range(0, ids.Count)
            .TakeWhile(n => expected.StartsWith(checkpoint.Decode(ids.Take(n + 1)), StringComparison.Ordinal))
            .Count();
        var logits = RealGoldens.Last(checkpoint.Model, [.. prompt, .. ids.Take(agreed)]);
        var top = logits.topk(2).values.data<float>().ToArray();
        return top[0] - top[1];
    }

    // "greedy, 24 new tokens, special tokens dropped"
    private static int NewTokens(JsonElement manifest) =>
        int.Parse(
            Regex.Match(Text(manifest, "decoding"), @"(\d+) new tokens").Groups[1].Value,
            CultureInfo.InvariantCulture
        );

    private static string Text(JsonElement e, string name) => e.GetProperty(name).GetString()!;
}
