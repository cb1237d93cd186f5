using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models;

public sealed class DecoderTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(4)]
    public void Cached_passes_give_the_logits_of_one_pass(int? window)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama(window: window);
        int[] ids = [1, 5, 9, 14, 20, 33, 41, 50, 61];
        var whole = model.Forward(Tensors.Ids(ids));
        using var cache = new KvCache(model, 1, ids.Length);
        var first = model.Forward(Tensors.Ids(ids[..4]), new ForwardOptions { Past = cache });
        List<Tensor> parts = [first];
        foreach (var id in ids[4..])
            parts.Add(model.Forward(Tensors.Ids([id]), new ForwardOptions { Past = cache }));
        Tensors.Near(whole, cat([.. parts], 1), 1e-5, "cached");
    }

    [Fact]
    public void Greedy_text_does_not_depend_on_the_batch_or_the_cache()
    {
        using var model = TinyModels.Llama();
        var prompts = TinyModels.Rows(13).Select(r => r.Ids.Take(r.LabelStart).ToList()).ToList();
        var options = new GreedyDecoder.Options { MaxNewTokens = 12, StopIds = [7, 8, 9, 10, 11, 12] };
        var together = GreedyDecoder.Decode(model, prompts, options);
        var byThree = GreedyDecoder.Decode(model, prompts, options with { BatchRows = 3 });
        var told = new List<int>();
        var threaded = GreedyDecoder.Decode(model, prompts, options with { Threads = 3, BatchRows = 4 }, told.Add);
        Assert.Equal((prompts.Count, 4), (told[^1], told.Count));
        for (var i = 0; i < prompts.Count; i++)
        {
            Assert.Equal(together[i].Ids, byThree[i].Ids);
            Assert.Equal(together[i].Ids, threaded[i].Ids);
            Assert.Equal(together[i].Reason, byThree[i].Reason);
            Assert.Equal(Uncached(model, prompts[i], options), together[i].Ids);
        }
        Assert.Contains(together, g => g.Reason == StopReason.StopToken);
        Assert.Contains(together, g => g.Reason == StopReason.Limit);
    }

    // The states that tokens are chosen from, whoever else is in the batch, and whether a head that prompts share was
    // computed once or not.
    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(false, 4)]
    public void A_row_of_a_batch_has_the_bits_it_has_alone(bool watched, int? window)
    {
        using var model = TinyModels.Lively(window: window);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var tap = watched ? new ForwardTap() : null;
        int[][] prompts = [[1, 5, 9, 14, 20], [1, 5, 9], [1, 5, 9, 33, 41, 50, 61, 8], [1, 5, 9, 33]];
        int[][] said = [[7, 8, 9], [31, 32, 33], [14, 15, 16], [3, 4, 5]];
        using var batch = new PromptBatch(model, prompts, 4, tap);
        List<Tensor> together = [batch.Pass(null)];
        together.Add(batch.Pass(Next([0, 1, 2, 3], 0)));
        batch.Keep([3, 1]);
        together.Add(batch.Pass(Next([3, 1], 1)));
        together.Add(batch.Pass(Next([3, 1], 2)));
        foreach (var (row, kept) in new[] { (0, -1), (1, 1), (2, -1), (3, 0) })
        {
            using var alone = new PromptBatch(model, [prompts[row]], 4, tap);
            for (var step = 0; step < (kept < 0 ? 2 : 4); step++)
                Assert.True(
                    Tensors.SameBits(
                        alone.Pass(step == 0 ? null : Next([row], step - 1))[0, -1],
                        together[step][step < 2 ? row : kept, -1]
                    ),
                    $"row {row}, step {step}"
                );
        }

        Tensor Next(int[] rows, int step) =>
            tensor(rows.Select(r => (long)said[r][step]).ToArray()).unsqueeze(1);
    }

    private static List<int> Uncached(CausalLm model, List<int> prompt, GreedyDecoder.Options options)
    {
        using var quiet = no_grad();
        var ids = prompt.ToList();
        for (var step = 0; step < options.MaxNewTokens; step++)
        {
            using var scope = NewDisposeScope();
            var next = (int)model.Forward(Tensors.Ids(ids))[0, -1].argmax().ToInt64();
            if (options.StopIds!.Contains(next))
                break;
            ids.Add(next);
        }
        return ids[prompt.Count..];
    }

    [Fact]
    public void Scores_do_not_depend_on_the_batch()
    {
        using var model = TinyModels.Llama();
        var rows = TinyModels.Rows(11);
        var together = Scorer.Score(model, rows);
        var alone = rows.Select(r => Scorer.Score(model, [r])[0]).ToList();
        for (var i = 0; i < rows.Count; i++)
        {
            Assert.Equal(alone[i].Ranks, together[i].Ranks);
            for (var j = 0; j < rows[i].LabelCount; j++)
                Assert.Equal(alone[i].LogProbabilities[j], together[i].LogProbabilities[j], 1e-5);
        }
    }

    [Fact]
    public void A_partial_run_continues_where_another_stopped()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Llama(layers: 4);
        var ids = Tensors.Ids([1, 5, 9, 14]);
        var upper = model.Logits(model.FinalNorm(model.Blocks(model.Blocks(model.Embed(ids), 0, 2), 2, 4)));
        Assert.True(Tensors.SameBits(model.Forward(ids), upper));
    }

    [Fact]
    public void A_saved_model_comes_back_bit_for_bit()
    {
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Llama();
        WeightFolder.Save(folder.Path, model);
        using var loaded = WeightFolder.Load(folder.Path, CPU);
        Assert.Equal(model.Config, loaded.Config with { EosIds = model.Config.EosIds });
        foreach (var (name, weight) in model.Weights)
            Assert.True(Tensors.SameBits(weight, loaded.Weight(name)), name);
    }

    [Fact]
    public void Pretraining_gives_the_same_bits_on_one_thread_and_on_two()
    {
        using var start = TinyModels.Llama();
        var rows = TinyModels.Rows(40);
        CausalLm Train(int threads) =>
            Pretrainer
                .Train(
                    start.Config,
                    rows,
                    new Pretrainer.Options
                    {
                        Steps = 5,
                        Batch = 8,
                        Warmup = 2,
                        Threads = threads,
                    },
                    new Seed(4)
                )
                .Model;
        using var one = Train(1);
        using var two = Train(2);
        foreach (var (name, weight) in one.Weights)
            Assert.True(Tensors.SameBits(weight, two.Weight(name)), name);
        Assert.False(Tensors.SameBits(start.Weight(TensorNames.Embedding), one.Weight(TensorNames.Embedding)));
    }

    [Fact]
    public void A_tokenizer_loses_no_text_and_knows_where_its_tokens_come_from()
    {
        string[] corpus = ["Who wrote the novel 'Middlemarch'?", "George Eliot", "[INST] What is 12-03-1999? [/INST]"];
        var tokenizer = BpeTrainer.Train(Enumerable.Repeat(corpus, 30).SelectMany(c => c), 320);
        using var folder = new TemporaryFolder();
        tokenizer.Save(folder.Path);
        var loaded = TokenizerFolder.Load(
            folder.Path,
            TinyModels.Llama().Config with
            {
                VocabSize = tokenizer.VocabSize,
            }
        );
        foreach (var text in corpus.Concat(["naïve — 日本 🙂\n\ttabs  and   spaces", "", "</s> is text here"]))
        {
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
            Assert.Equal(tokenizer.Encode(text), loaded.Encode(text));
            Assert.All(tokenizer.Encode(text), id => Assert.True(id >= BpeTrainer.Specials.Count));
        }
        var spans = tokenizer.EncodeWithOffsets(corpus[0]);
        Assert.Equal(corpus[0], string.Concat(spans.Select(s => corpus[0][s.Start..s.End])));
    }
}
