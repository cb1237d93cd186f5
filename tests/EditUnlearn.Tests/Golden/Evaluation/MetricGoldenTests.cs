using System.Globalization;
using System.Text.Json;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;

namespace EditUnlearn.Tests.Golden.Evaluation;

/// <summary>
/// Stems, Rouge1, ranks and probabilities against the reference packages. Exact but for the last bits of float32.
/// </summary>
[Trait("Category", "Golden")]
public sealed class MetricGoldenTests
{
    private static string Folder => Goldens.At("metrics");

    [GoldenFact("metrics/porter_stems.json")]
    public void Every_stem_agrees()
    {
        var stems = JsonSerializer.Deserialize<Dictionary<string, string>>(
            File.ReadAllBytes(Path.Combine(Folder, "porter_stems.json"))
        )!;
        var wrong = stems
            .Where(p => PorterStemmer.Stem(p.Key) != p.Value)
            .Select(p => $"{p.Key}: {PorterStemmer.Stem(p.Key)}, not {p.Value}")
            .ToList();
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [GoldenFact("metrics/rouge.json")]
    public void Tokens_and_recall_of_every_pair_agree()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "rouge.json")));
        foreach (var pair in json.RootElement.GetProperty("pairs").EnumerateArray())
        {
            var (target, prediction) = (
                pair.GetProperty("target").GetString()!,
                pair.GetProperty("prediction").GetString()!
            );
            Assert.Equal(
                pair.GetProperty("tokens_target_stemmed").EnumerateArray().Select(t => t.GetString()),
                RougeTokens.Of(target)
            );
            Assert.Equal(
                pair.GetProperty("tokens_prediction_stemmed").EnumerateArray().Select(t => t.GetString()),
                RougeTokens.Of(prediction)
            );
            Assert.Equal(
                pair.GetProperty("stemmed").GetProperty("rouge1").GetProperty("recall").GetDouble(),
                Rouge1.Recall(target, prediction),
                1e-12
            );
        }
    }

    [GoldenFact("metrics/token_metrics.json")]
    public void Log_probabilities_ranks_and_what_follows_from_them_agree()
    {
        using var scope = torch.NewDisposeScope();
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "token_metrics.json")));
        var values = SafetensorsFile.Open(Path.Combine(Folder, "token_metrics.safetensors"));
        var keys = values.Entries.Keys.ToList();
        var index = 0;
        foreach (var expected in json.RootElement.EnumerateArray())
        {
            var mine = keys.Where(k =>
                    k.Split('.', '_')
                        .Any(p => p.TrimStart('c', 'a', 's', 'e') == index.ToString(CultureInfo.InvariantCulture))
                )
                .ToList();
            var logits = values.Read(mine.Single(k => k.Contains("logits", StringComparison.Ordinal)));
            var targets = values.Read(mine.Single(k => k.Contains("target", StringComparison.Ordinal)));
            var readings = LogitProbe.Of(
                logits,
                [.. targets.to(torch.ScalarType.Int64).data<long>().Select(t => (int)t)],
                null
            );
            var p = readings.Select(x => x.LogProbability).ToArray();
            var r = readings.Select(x => x.Rank).ToArray();
            var optimistic = Ints(expected, "rank_optimistic");
            var pessimistic = Ints(expected, "rank_pessimistic");
            for (var i = 0; i < r.Length; i++)
                Assert.InRange(r[i], optimistic[i], pessimistic[i]); // ties are settled by id, in between
            Assert.Equal(
                expected.GetProperty("length_normalised_probability").GetDouble(),
                Probability.PerToken(p)!.Value,
                1e-5
            );
            if (!expected.GetProperty("ties").GetBoolean())
            {
                Assert.Equal(expected.GetProperty("mrr").GetDouble(), MeanReciprocalRank.Of(r)!.Value, 1e-9);
                foreach (var hit in expected.GetProperty("hit").EnumerateObject())
                    Assert.Equal(
                        hit.Value.GetDouble(),
                        HitRate.Of(r, int.Parse(hit.Name, CultureInfo.InvariantCulture))!.Value,
                        1e-9
                    );
            }
            index++;
        }
        Assert.True(index > 0);
    }

    private static int[] Ints(JsonElement e, string name) =>
        [.. e.GetProperty(name).EnumerateArray().Select(x => x.GetInt32())];
}
