using System.Diagnostics;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Models.Tokenizers;

/// <summary>
/// Seeded damage to tokenizer files: a typed error or a tokenizer that works, never anything else, and soon.
/// </summary>
public sealed class TokenizerDamageTests
{
    private const int Damages = 150;
    private static readonly ModelConfig Config = TinyModels.Llama().Config with { VocabSize = 1 << 16 };
    private static readonly byte[] Model = TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words()));
    private static readonly byte[] Json = TinyTokenizers.Bytes(TinyTokenizers.ByteLevel(TinyTokenizers.Merges));
    private static readonly byte[] Steps = TinyTokenizers.AllSteps();
    private static readonly byte[] Settings =
        """
        {"add_bos_token": true, "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>",
         "added_tokens_decoder": {"0": {"content": "<unk>", "special": true},
                                  "290": {"content": "<m>", "special": false}}}
        """u8.ToArray();

    [Fact]
    public void Of_a_sentencepiece_model() =>
        Damage("tokenizer.model", i => new() { ["tokenizer.model"] = new Mutator(new Seed(1), i).Bytes(Model) });

    [Fact]
    public void Of_a_tokenizer_json() =>
        Damage("tokenizer.json", i => new() { ["tokenizer.json"] = new Mutator(new Seed(2), i).Json(Json) });

    [Fact]
    public void Of_a_tokenizer_json_with_every_step() =>
        Damage("tokenizer.json", i => new() { ["tokenizer.json"] = new Mutator(new Seed(7), i).Json(Steps) });

    [Fact]
    public void Of_a_tokenizer_json_of_the_sentencepiece_kind() =>
        Damage(
            "tokenizer.json",
            i =>
                new()
                {
                    ["tokenizer.json"] = new Mutator(new Seed(8), i).Json(
                        TinyTokenizers.Bytes(TinyTokenizers.SentencePieceJson(i % 2 == 0 ? "prepend" : "first"))
                    ),
                }
        );

    [Fact]
    public void Of_the_bytes_of_a_tokenizer_json() =>
        Damage("tokenizer.json", i => new() { ["tokenizer.json"] = new Mutator(new Seed(9), i).Bytes(Steps) });

    [Fact]
    public void Of_a_tokenizer_json_that_ends_early()
    {
        var bytes = TinyTokenizers.AllSteps();
        Damage("tokenizer.json", i => new() { ["tokenizer.json"] = bytes[..(bytes.Length * i / Damages)] });
    }

    [Fact]
    public void Of_the_settings() =>
        Damage(
            "tokenizer_config.json",
            i =>
                new()
                {
                    ["tokenizer.model"] = Model,
                    [i % 3 == 0 ? "special_tokens_map.json" : "tokenizer_config.json"] = new Mutator(
                        new Seed(3),
                        i
                    ).Json(Settings),
                    ["added_tokens.json"] = new Mutator(new Seed(4), i).Json(
                        "{\"<pad>\": 289, \"<x>\": 288}"u8.ToArray()
                    ),
                }
        );

    [Fact]
    public void Of_a_chat_template()
    {
        using var folder = new TemporaryFolder();
        var original =
            """
            {"name": "own", "source": "", "pattern": "<|u|>{q}<|a|>", "marks": ["<|u|>", "<|a|>"], "bos": "config",
             "stop": ["</s>"]}
            """u8.ToArray();
        for (var i = 0; i < Damages; i++)
        {
            File.WriteAllBytes(folder["own.json"], new Mutator(new Seed(5), i).Json(original));
            try
            {
                Assert.EndsWith(
                    "?",
                    TemplateCatalog.Find(folder["own.json"]).Prompt("?") + "?",
                    StringComparison.Ordinal
                );
            }
            catch (InputException)
            {
                // What a user is told.
            }
        }
    }

    [SharedFact("data/tokenizers/llama2/tokenizer.model")]
    public void Of_a_published_model()
    {
        var bytes = File.ReadAllBytes(Path.Combine(Checkout.Shared, "data", "tokenizers", "llama2", "tokenizer.model"));
        Damage(
            "tokenizer.model",
            i => new() { ["tokenizer.model"] = new Mutator(new Seed(6), i).Bytes(bytes) },
            damages: 6
        );
    }

    private static void Damage(string file, Func<int, Dictionary<string, byte[]>> files, int damages = Damages)
    {
        var refused = 0;
        for (var i = 0; i < damages; i++)
        {
            using var folder = new TemporaryFolder();
            foreach (var (name, bytes) in files(i))
                File.WriteAllBytes(folder[name], bytes);
            var clock = Stopwatch.StartNew();
            try
            {
                var tokenizer = TokenizerFolder.Load(folder.Path, Config);
                Assert.InRange(tokenizer.VocabSize, 1, Config.VocabSize);
                var ids = tokenizer
                    .EncodeWithOffsets("abab aad\u00E9 \U0001F600 12 <s> <m>\n")
                    .Select(s => s.Id)
                    .ToList();
                Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabSize - 1));
                tokenizer.Decode(ids.Append(-1).Append(int.MaxValue));
            }
            catch (Exception e) when (e is InputException or DamagedFileException)
            {
                refused++;
                Assert.Contains(folder.Path, e.Message, StringComparison.Ordinal);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"damage {i} of {file}: {e}");
            }
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1), $"damage {i} of {file} took {clock.Elapsed}");
        }
        Assert.InRange(refused, 1, damages);
    }
}
