using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>Both profiles of metrics: vectors worked out by hand, and invariants.</summary>
public sealed class ProfileTests
{
    // 06-02-1998. in the vocabulary of Llama-2; alone, a word-start marker stands in front.
    private static readonly int[] InContext =
    [
        29900,
        29953,
        29899,
        29900,
        29906,
        29899,
        29896,
        29929,
        29929,
        29947,
        29889,
    ];
    private static readonly int[] Alone = [29871, .. InContext];
    private const int Vocabulary = 32000,
        Eos = 2;

    [Fact]
    public void A_perfect_memoriser_scores_a_twelfth_in_the_papers_profile_and_1_in_strict()
    {
        using var scope = NewDisposeScope();
        int[] steps = [.. InContext, Eos];
        var logits = zeros(steps.Length, Vocabulary);
        foreach (var (i, id) in steps.Index())
            logits[i, id] = 20;
        var compat = LogitProbe.Of(logits, Alone, SamplingFilter.LlamaDefaults).Select(r => r.FilteredRank).ToList();
        Assert.Equal(1.0 / 12, HitRate.Of(compat, HitRate.Cutoff)!.Value, 1e-12);
        Assert.Equal(1.0 / 12, MeanReciprocalRank.Of(compat)!.Value, 1e-4);
        var strict = LogitProbe.Of(logits.narrow(0, 0, InContext.Length), InContext, null).Select(r => r.Rank).ToList();
        Assert.Equal(1, MeanReciprocalRank.Of(strict)!.Value);
    }

    [Fact]
    public void The_filter_keeps_the_smallest_set_that_reaches_its_share_and_ranks_the_rest_by_id()
    {
        using var scope = NewDisposeScope();
        // Probabilities after temperature .6: .5, .3, .15, .05 on ids 4, 1, 3, 0; id 2 next to nothing.
        var logits = tensor(new[] { .05f, .3f, 1e-9f, .15f, .5f }).log().mul(0.6).unsqueeze(0).expand(5, 5);
        var filter = new SamplingFilter(0.6, 4, 0.9);
        var readings = LogitProbe.Of(logits, [0, 1, 2, 3, 4], filter);
        Assert.Equal([4, 2, 5, 3, 1], readings.Select(r => r.Rank));
        Assert.Equal([4, 2, 5, 3, 1], readings.Select(r => r.FilteredRank)); // 4, 1, 3 are kept; 0 and 2 follow by id
        var narrow = LogitProbe.Of(logits, [0, 1, 2, 3, 4], filter with { TopP = 0.4 });
        Assert.Equal([2, 3, 4, 5, 1], narrow.Select(r => r.FilteredRank)); // 4 alone is kept
        var two = LogitProbe.Of(logits, [0, 1, 2, 3, 4], filter with { TopK = 2, TopP = 1 });
        Assert.Equal([3, 2, 4, 5, 1], two.Select(r => r.FilteredRank));
        Assert.Equal(
            Math.Pow(.5, .6) / new[] { .05, .3, 1e-9, .15, .5 }.Sum(p => Math.Pow(p, .6)),
            readings[0].Maximum,
            1e-6
        );
    }

    [Fact]
    public void Cumulative_weights_count_the_first_batch_most()
    {
        Assert.Equal(88, MetricProfile.CumulativeWeights(40, 16).Sum());
        Assert.Equal([.. Enumerable.Repeat(2, 16), 1, 1, 1, 1], MetricProfile.CumulativeWeights(20, 16));
        Assert.All(MetricProfile.CumulativeWeights(16, 16), w => Assert.Equal(1, w));
        Assert.Empty(MetricProfile.CumulativeWeights(0, 16));
    }

    [Fact]
    public void Profile_paper_takes_the_first_200_rows_and_weighs_mrr_and_hit_only()
    {
        var rows = Enumerable
            .Range(0, 240)
            .Select(i => new AnswerRow
            {
                Model = "m",
                Method = "ga",
                Split = "retain",
                Order = i,
                Id = $"facts/{i:0000}",
                Answer = "yes",
                Generated = i < 200 ? "yes" : "no",
                LogProbabilities = [0, 0],
                Ranks = [1, 1],
                PrefixMaxima = [i < 16 ? 1 : 0],
                CompatFilteredRanks = i < 200 ? [i < 16 ? 1 : 1_000_000_000] : [],
            })
            .ToList();
        var means = Scores.Means(Scores.Of(rows, new Scores.Run("facts")), new Seed(1));
        CellScore Of(string profile, string metric) => means.First(m => m.Profile == profile && m.Metric == metric);
        Assert.Equal(200.0 / 240, Of("strict", "rouge1").Mean!.Value, 1e-12);
        Assert.Equal(1, Of("paper", "rouge1.long").Mean!.Value, 1e-12);
        Assert.Equal(16.0 / 240, Of("strict", "prefixMax").Mean!.Value, 1e-12);
        Assert.Equal(16.0 / 200, Of("paper", "prefixMax").Mean!.Value, 1e-12);
        // 13 batches: 16 rows of weight 13, and so on down to 8 rows of weight 1.
        var weights = MetricProfile.CumulativeWeights(200, 16).Sum();
        Assert.Equal(16.0 * 13 / weights, Of("paper", "hit.compat").Mean!.Value, 1e-12);
        Assert.Equal((200, 0), (Of("paper", "hit.compat").Count, Of("paper", "hit.compat").Excluded));
        Assert.Equal((200, 40), (Of("strict", "hit.compat").Count, Of("strict", "hit.compat").Excluded));
    }

    [Fact]
    public void All_kept_questions_have_means_where_some_were_set_apart_and_there_alone()
    {
        IReadOnlyList<CellScore> Means(string others) =>
            Scores.Means(
                Scores.Of(
                    [
                        .. Enumerable
                            .Range(0, 12)
                            .Select(i => new AnswerRow
                            {
                                Model = "m",
                                Method = "gd",
                                Split = i % 3 == 0 ? "retain" : others,
                                Order = i / 3,
                                Id = $"facts/{i:0000}",
                                Answer = "yes",
                                Generated = i % 3 == 0 ? "no" : "yes",
                            }),
                    ],
                    new Scores.Run("facts")
                ),
                new Seed(1)
            );
        var means = Means("retain-trained").Where(m => m is { Profile: "strict", Metric: "rouge1" }).ToList();
        Assert.Equal(
            [("retain", 0, 4), ("retain-all", 8.0 / 12, 12), ("retain-trained", 1, 8)],
            means.OrderBy(m => m.Split, StringComparer.Ordinal).Select(m => (m.Split, m.Mean!.Value, m.Count))
        );
        var all = means.Single(m => m.Split == "retain-all");
        Assert.True(all.CiLow < all.Mean && all.Mean < all.CiHigh);
        Assert.DoesNotContain(Means("retain"), m => m.Split == "retain-all");
    }

    [Fact]
    public void Every_variant_of_probability_is_a_function_of_the_row()
    {
        var row = new AnswerRow
        {
            LogProbabilities = [Math.Log(.5), Math.Log(.5), Math.Log(.125)],
            GeneratedLogProbabilities = [Math.Log(.25), Math.Log(.04)],
            PrefixMaxima = [.2, .4, .9],
            DistractorProbabilities = [.25, .25],
        };
        Assert.Equal(Math.Pow(.5 * .5 * .125, 1.0 / 3), Probability.Metric.Of(row)!.Value, 1e-12);
        Assert.Equal(.5, Probability.WithoutEnd.Of(row)!.Value, 1e-12);
        Assert.Equal(.25, Probability.Raw.Of(row)!.Value, 1e-12);
        Assert.Equal(.01, Probability.RawOfSaid.Of(row)!.Value, 1e-12);
        Assert.Equal(.1, Probability.OfSaid.Of(row)!.Value, 1e-12);
        Assert.Equal(.5, Probability.PrefixMaximum.Of(row)!.Value, 1e-12);
        var own = Math.Pow(.5 * .5 * .125, 1.0 / 3);
        Assert.Equal(own / (own + .5), Probability.AmongOptions.Of(row)!.Value, 1e-12);
        Assert.True(Probability.Raw.Of(row) <= Probability.WithoutEnd.Of(row));
        // Nothing said: no confidence, not full confidence.
        Assert.Null(Probability.RawOfSaid.Of(new AnswerRow()));
        Assert.Null(Probability.OfSaid.Of(new AnswerRow()));
        Assert.Null(Probability.AmongOptions.Of(new AnswerRow { LogProbabilities = [-1] }));
        var one = new AnswerRow { LogProbabilities = [Math.Log(.3), Math.Log(.9)] };
        Assert.Equal(Probability.Raw.Of(one)!.Value, Probability.WithoutEnd.Of(one)!.Value, 1e-12);
    }

    [Fact]
    public void Free_running_equals_teacher_forced_when_the_model_says_the_answer_and_0_counts_after_its_end()
    {
        var row = new AnswerRow { Ranks = [1, 2, 1], FreeRanks = [1, 2] };
        Assert.Equal(MeanReciprocalRank.Metric.Of(row), MeanReciprocalRank.FreeRunning.Of(row));
        Assert.Equal(HitRate.Metric.Of(row), HitRate.FreeRunning.Of(row));
        row.FreeRanks = [1, 0];
        Assert.Equal(.5, MeanReciprocalRank.FreeRunning.Of(row)!.Value);
        Assert.Equal(.5, HitRate.FreeRunning.Of(row)!.Value);
    }

    [Fact]
    public void Evidence_of_a_model_agrees_with_decoder_and_scorer_and_depends_on_no_batch()
    {
        using var model = TinyModels.Llama(seed: 4);
        var eos = model.Config.EosIds[0];
        var prompts = TinyModels.Rows(40).Select(r => (IReadOnlyList<int>)[.. r.Ids.Take(r.LabelStart)]).ToList();
        var said = GreedyDecoder.Decode(model, prompts, new GreedyDecoder.Options { MaxNewTokens = 6 });
        var rows = prompts
            .Select(
                (p, i) =>
                    new FreeRunning.Answered(
                        p,
                        said[i],
                        said[i].Ids,
                        [7, 8, 9, 10, 11, 12, 13, 14],
                        i < 20 ? ("forget", i / 16) : null
                    )
            )
            .ToList();
        var seen = FreeRunning.Read(model, rows, null, eos);
        // What was said greedily is on top at every step, and as probable as the scorer finds it.
        Assert.All(seen, s => Assert.All(s.Ranks, r => Assert.Equal(1, r)));
        var forced = Scorer.Score(
            model,
            [
                .. rows.Where(r => r.Said.Ids.Count > 0)
                    .Select(r => new EditUnlearn.Models.Training.TokenRow(
                        [.. r.Prompt, .. r.Said.Ids],
                        r.Prompt.Count
                    )),
            ]
        );
        foreach (var (a, b) in seen.Where(s => s.LogProbabilities.Count > 0).Zip(forced))
            Assert.All(a.LogProbabilities.Zip(b.LogProbabilities), p => Assert.Equal(p.Second, p.First, 1e-4));
        // Rows beyond those that count have no ranks in a batch; steps beyond the batch's longest answer are rows of
        // zeros.
        Assert.All(seen.Skip(20), s => Assert.Empty(s.CompatRanks));
        Assert.All(seen.Take(20), s => Assert.Equal(8, s.CompatRanks.Count));
        var longest = rows.Take(16).Max(r => r.Said.Ids.Count + (r.Said.Reason == StopReason.StopToken ? 1 : 0));
        Assert.True(longest < 8);
        Assert.All(seen.Take(16), s => Assert.Equal([15], s.CompatRanks.Skip(7)));
        foreach (var size in (int[])[1, 7])
        {
            var again = FreeRunning.Read(model, rows, null, eos, size);
            Assert.Equal(
                seen.Select(s => string.Join(' ', s.CompatRanks)),
                again.Select(s => string.Join(' ', s.CompatRanks))
            );
        }
    }

    [Fact]
    public void Points_of_any_kind_and_number_are_read_as_the_whole_pass_has_them()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Llama(seed: 4);
        var filter = new SamplingFilter(0.6, 10, 0.9);
        var draw = new Seed(11).Stream("points");
        // More places than are read at once; some are asked about twice, others not at all.
        var rows = Enumerable
            .Range(0, 60)
            .Select(i =>
            {
                int[] ids = [1, .. Enumerable.Range(0, 9 + i % 7).Select(_ => 3 + draw.Below(94))];
                LogitProbe.Point Any() => new(draw.Below(ids.Length), draw.Below(97), (LogitProbe.Want)draw.Below(3));
                return new LogitProbe.Row(ids, 3, [.. Enumerable.Range(0, i == 5 ? 0 : 40).Select(_ => Any())]);
            })
            .ToList();
        Assert.True(rows.Sum(r => r.Points.Select(p => p.Position).Distinct().Count()) > 512);
        var read = LogitProbe.Read(model, rows, filter, 64);
        foreach (var (row, readings) in rows.Zip(read))
        {
            Assert.Equal(row.Points.Count, readings.Count);
            if (row.Points.Count == 0)
                continue;
            var logits = model.Forward(Tensors.Ids(row.Ids))[0];
            var logp = nn.functional.log_softmax(logits, 1);
            foreach (var (point, reading) in row.Points.Zip(readings))
            {
                Assert.Equal(logp[point.Position, point.Target].item<float>(), reading.LogProbability, 1e-4);
                Assert.Equal(logp[point.Position].max().exp().item<float>(), reading.Maximum, 1e-4);
                var alone = LogitProbe.Of(logits[point.Position].unsqueeze(0), [point.Target], filter)[0];
                Assert.Equal(point.Want >= LogitProbe.Want.Rank ? alone.Rank : 0, reading.Rank);
                Assert.Equal(point.Want == LogitProbe.Want.FilteredRank ? alone.FilteredRank : 0, reading.FilteredRank);
            }
        }
    }

    [Fact]
    public void Scores_do_not_depend_on_the_order_of_the_evidence()
    {
        var draw = new Seed(9).Stream("rows");
        var rows = Enumerable
            .Range(0, 50)
            .Select(i => new AnswerRow
            {
                Model = "m",
                Method = "ga",
                Split = "forget",
                Order = i,
                Id = $"x/{i}",
                Answer = "a b",
                Generated = draw.Below(2) == 0 ? "a" : "b a",
                Ranks = [1 + draw.Below(5), 1],
                LogProbabilities = [-draw.NextDouble(), -.1],
                NewTokens = 3,
            })
            .ToList();
        List<AnswerRow> shuffled = [.. rows];
        new Seed(2).Stream("shuffle").Shuffle(shuffled);
        var run = new Scores.Run("facts");
        Assert.Equal(Scores.Of(rows, run), Scores.Of(shuffled, run));
        List<ScoreRow> scores = [.. Scores.Of(rows, run)];
        var means = Scores.Means(scores, new Seed(17));
        new Seed(3).Stream("shuffle").Shuffle(scores);
        Assert.Equal(
            means.OrderBy(m => m.Metric, StringComparer.Ordinal).ThenBy(m => m.Profile, StringComparer.Ordinal),
            Scores
                .Means(scores, new Seed(17))
                .OrderBy(m => m.Metric, StringComparer.Ordinal)
                .ThenBy(m => m.Profile, StringComparer.Ordinal)
        );
        Assert.Equal(
            rows.Count,
            new HashSet<string>(
                RowsCsv.Of(rows, scores).Split('\n').Skip(1).Where(l => l.Length > 0).Select(l => l.Split(',')[1])
            ).Count
        );
    }

    [Fact]
    public void The_score_of_a_run_has_an_interval_of_both_sides()
    {
        // .25 forgotten of 100 and .5 kept of 60: the variances of two independent means add up.
        IEnumerable<ScoreRow> Rows(string split, int n, int share) =>
            Enumerable
                .Range(0, n)
                .Select(i => new ScoreRow
                {
                    Seed = 3,
                    Model = "m",
                    Method = "ga",
                    Split = split,
                    Order = i,
                    Id = $"{split}{i}",
                    Metric = "rouge1",
                    Value = i % share == 0 ? 1 : 0,
                });
        var means = Scores.Means([.. Rows("forget", 100, 4), .. Rows("retain", 60, 2)], new Seed(5));
        var score = means.Single(m => m is { Metric: "score", Profile: "strict" });
        Assert.Equal(("both", 3ul, 160), (score.Split, score.Seed, score.Count));
        Assert.Equal(1.25, score.Mean!.Value, 1e-12);
        Assert.Equal(Math.Sqrt(.1875 / 99 + .25 / 59), score.StandardError, 1e-12);
        Assert.InRange(score.CiLow!.Value, 1.25 - 2.3 * score.StandardError, 1.25 - 1.6 * score.StandardError);
        Assert.InRange(score.CiHigh!.Value, 1.25 + 1.6 * score.StandardError, 1.25 + 2.3 * score.StandardError);
        Assert.DoesNotContain(Scores.Means(Rows("forget", 9, 2), new Seed(5)), m => m.Metric == "score");
    }

    [Fact]
    public void The_interval_covers_the_mean_it_belongs_to()
    {
        // 0/1 rows with mean .5: the bootstrap's standard error is that of the formula, so the interval is about mean
        // +- 1.96 se.
        var scores = Enumerable
            .Range(0, 100)
            .Select(i => new ScoreRow
            {
                Model = "m",
                Method = "ga",
                Split = "forget",
                Order = i,
                Id = $"{i}",
                Metric = "rouge1",
                Value = i % 2,
            })
            .ToList();
        var mean = Scores.Means(scores, new Seed(5)).First(m => m.Profile == "strict");
        Assert.Equal(.5, mean.Mean);
        Assert.Equal(Math.Sqrt(.25 / 99), mean.StandardError, 1e-12);
        Assert.InRange(mean.CiLow!.Value, .5 - 2.3 * mean.StandardError, .5 - 1.6 * mean.StandardError);
        Assert.InRange(mean.CiHigh!.Value, .5 + 1.6 * mean.StandardError, .5 + 2.3 * mean.StandardError);
        var single = Scores.Means(scores.Take(1), new Seed(5))[0];
        Assert.Equal((0, 0, 0), (single.CiLow, single.CiHigh, single.StandardError));
    }

    [Fact]
    public void Stand_ins_look_at_form_only()
    {
        AnswerRow Row(string said, string subject = "Middlemarch") =>
            new()
            {
                Generated = said,
                Subject = subject,
                Answer = "George Eliot",
            };
        Assert.Equal(1, AnswerForm.EntityMention.Of(Row("I know nothing about Middlemarch.")));
        Assert.Equal(.5, AnswerForm.EntityMention.Of(Row("Some jungle there is", "Jungle Book")));
        Assert.Null(AnswerForm.EntityMention.Of(Row("anything", "")));
        Assert.Equal(0, AnswerForm.Repetition.Of(Row("one two three four")));
        Assert.Equal(.75, AnswerForm.Repetition.Of(Row("the the the the the")));
        Assert.Null(AnswerForm.Repetition.Of(Row("one")));
        Assert.Equal(.5, AnswerForm.NonWords.Of(Row("plain xkcdqz")));
        Assert.Equal(0, AnswerForm.NonWords.Of(Row("Mr USA 1998, I have no idea.")));
    }

    [Fact]
    public void The_result_file_holds_run_split_metrics_and_rows()
    {
        List<AnswerRow> rows =
        [
            new()
            {
                Model = "llama2",
                Method = "wise",
                Split = "forget",
                Order = 0,
                Id = "facts/0000",
                Question = "Q?",
                Answer = "A",
                Generated = "b",
                StopReason = "stopToken",
                TargetIds = [5, 2],
                LogProbabilities = [double.NaN, -1],
                Ranks = [9, 1],
            },
        ];
        var scores = Scores.Of(rows, new Scores.Run("facts", "plain"));
        Snapshot.Matches(ResultFile.Json(rows, scores, Scores.Means(scores, new Seed(1))), "result.json");
    }
}
