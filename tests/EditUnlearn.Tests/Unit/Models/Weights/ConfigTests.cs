using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Weights;

/// <summary>config.json as the hub holds it, in the spellings of transformers 4 and 5.</summary>
public sealed class ConfigTests
{
    private const string Llama2 = """
        {"_name_or_path": "meta-llama/Llama-2-7b-chat-hf", "architectures": ["LlamaForCausalLM"], "bos_token_id": 1,
         "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
         "intermediate_size": 11008, "max_position_embeddings": 4096, "model_type": "llama", "num_attention_heads": 32,
         "num_hidden_layers": 32, "num_key_value_heads": 32, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
         "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float16",
         "transformers_version": "4.32.0.dev0", "use_cache": true, "vocab_size": 32000}
        """;

    private const string Mistral1 = """
        {"architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
         "hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
         "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
         "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false,
         "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0", "use_cache": true, "vocab_size": 32000}
        """;

    private const string Llama31 = """
        {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
         "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "hidden_act": "silu", "hidden_size": 4096,
         "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 131072, "mlp_bias": false,
         "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
         "pretraining_tp": 1, "rms_norm_eps": 1e-05,
         "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                          "original_max_position_embeddings": 8192, "rope_type": "llama3"},
         "rope_theta": 500000.0, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
         "transformers_version": "4.42.3", "use_cache": true, "vocab_size": 128256}
        """;

    [Fact]
    public void Llama_2_from_the_hub_is_read()
    {
        var (config, stored) = Read(Llama2);
        Assert.Equal(ScalarType.Float16, stored);
        Assert.Equal("llama2", config.Family);
        Assert.Equal(
            (32, 32, 128, 11008, 4096),
            (config.Heads, config.KvHeads, config.HeadDim, config.IntermediateSize, config.MaxPositions)
        );
        Assert.Equal((10000.0, 1e-5), (config.RopeTheta, config.RmsNormEps));
        Assert.Null(config.RopeScaling);
        Assert.Equal(3 + (32 * 9), config.Tensors().Count());
        // "7B", as published
        Assert.Equal(6_738_415_616, config.Tensors().Sum(t => t.Shape.Aggregate(1L, (p, n) => p * n)));
        Assert.Equal(32, Read(Without(Llama2, "num_key_value_heads")).Config.KvHeads);
    }

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("null", null)]
    public void Mistral_is_read_with_and_without_its_window(string window, int? expected)
    {
        var (config, _) = Read(With(Mistral1, "sliding_window", window));
        Assert.Equal(("mistral", expected, 8), (config.Family, config.SlidingWindow, config.KvHeads));
        Assert.Contains(
            "sliding_window is missing",
            Refusal(Without(Mistral1, "sliding_window")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "num_key_value_heads is missing",
            Refusal(Without(Mistral1, "num_key_value_heads")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Llama_3_1_is_read_in_the_spelling_of_either_transformers()
    {
        var (config, stored) = Read(Llama31);
        Assert.Equal((ScalarType.BFloat16, "llama31"), (stored, config.Family));
        Assert.Equal(new Llama3RopeScaling(8, 1, 4, 8192), config.RopeScaling);
        Assert.Equal([128001, 128008, 128009], config.EosIds);

        var newer = Without(
            Without(
                With(
                    With(
                        Llama31,
                        "rope_parameters",
                        """
                        {"rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"}
                        """
                    ),
                    "dtype",
                    "\"bfloat16\""
                ),
                "rope_scaling"
            ),
            "rope_theta"
        );
        var (same, type) = Read(Without(newer, "torch_dtype"));
        Assert.Equal(config, same with { EosIds = config.EosIds });
        Assert.Equal(ScalarType.BFloat16, type);
        Assert.Equal(
            config.RopeScaling,
            Read(Llama31.Replace("rope_type", "type", StringComparison.Ordinal)).Config.RopeScaling
        );
    }

    [Theory]
    [InlineData(128256, null, "llama31")] // Llama 3
    [InlineData(32000, null, "llama2")]
    [InlineData(32016, "1000000.0", "llama2")] // Code Llama
    [InlineData(512, null, "llama2")]
    public void A_llama_is_known_by_vocabulary_and_scaling_not_by_its_rotary_base(
        int words,
        string? theta,
        string family
    )
    {
        var text = With(Without(Without(Llama31, "rope_scaling"), "eos_token_id"), "eos_token_id", "2");
        text = With(With(text, "bos_token_id", "1"), "vocab_size", words.ToString());
        if (theta is not null)
            text = With(text, "rope_theta", theta);
        Assert.Equal(family, Read(text).Config.Family);
        Assert.Equal("llama31", Read(text, "llama31").Config.Family);
    }

    [Fact]
    public void Nulls_mean_what_they_mean_in_transformers()
    {
        var text = With(
            With(With(Llama2, "head_dim", "null"), "num_key_value_heads", "null"),
            "rope_parameters",
            """{"rope_type": "default", "rope_theta": 20000}"""
        );
        var (config, _) = Read(
            With(
                With(text, "layer_types", $"[{string.Join(", ", Enumerable.Repeat("\"full_attention\"", 32))}]"),
                "quantization_config",
                "null"
            )
        );
        Assert.Equal((128, 32, 20000.0), (config.HeadDim, config.KvHeads, config.RopeTheta));
    }

    [Fact]
    public void Stop_tokens_come_from_generation_config_and_else_from_config()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], With(With(Llama2, "eos_token_id", "null"), "bos_token_id", "null"));
        Assert.Contains(
            "generation_config.json names none",
            Assert.Throws<InputException>(() => ConfigFile.Read(folder["config.json"])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(
            folder["generation_config.json"],
            """
            {"bos_token_id": 1, "eos_token_id": [2, 7], "pad_token_id": -1, "temperature": 0.6, "top_p": 0.9,
             "do_sample": true, "stop_strings": ["END"]}
            """
        );
        var (config, _) = ConfigFile.Read(folder["config.json"]);
        Assert.Equal([2, 7], config.StopIds);
        Assert.Equal([2, 7], config.EosIds);
        Assert.Equal(["END"], GenerationFile.Read(folder.Path)!.StopStrings);
        Assert.Null(GenerationFile.Read(folder.Path)!.PadId);
        File.WriteAllText(folder["config.json"], Llama2);
        var both = ConfigFile.Read(folder["config.json"]).Config;
        Assert.Equal([2], both.EosIds);
        Assert.Equal([2, 7], both.StopIds);
        File.WriteAllText(folder["generation_config.json"], "{\n  \"eos_token_id\": \"two\"\n}");
        Assert.Contains(
            "generation_config.json(2,3)",
            Assert.Throws<InputException>(() => ConfigFile.Read(folder["config.json"])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void How_text_is_drawn_comes_from_generation_config_and_is_kept_with_a_saved_model()
    {
        using var folder = new TemporaryFolder();
        SamplingFilter? Read(string text)
        {
            File.WriteAllText(folder["generation_config.json"], text);
            return GenerationFile.Read(folder.Path)!.Sampling;
        }
        Assert.Equal(
            new SamplingFilter(0.6, 50, 0.9),
            Read("""{"do_sample": true, "temperature": 0.6, "top_p": 0.9}""")
        );
        Assert.Equal(new SamplingFilter(1, int.MaxValue, 1), Read("""{"do_sample": true, "top_k": 0}"""));
        // A base model is greedy, and what its file keeps for nothing is not looked at.
        Assert.Null(Read("""{"temperature": 0.6}"""));
        Assert.Null(Read("""{"do_sample": false, "temperature": 0.0, "top_p": 7}"""));
        foreach (var wrong in (string[])["\"temperature\": 0", "\"top_p\": 1.5", "\"top_k\": 2.5", "\"top_k\": \"5\""])
            Assert.Throws<InputException>(() => Read($"{{\"do_sample\": true, {wrong}}}"));
        Assert.Throws<InputException>(() => Read("""{"do_sample": "yes"}"""));

        using var model = CausalLm.Random(
            TinyModels.Llama().Config with
            {
                Sampling = new SamplingFilter(0.6, 50, 0.9),
                GenerationEosIds = [2, 5],
            },
            new Seed(1)
        );
        using var saved = new TemporaryFolder();
        WeightFolder.Save(saved.Path, model);
        var again = ConfigFile.Read(saved["config.json"]).Config;
        Assert.Equal(model.Config.Sampling, again.Sampling);
        Assert.Equal([2, 5], again.StopIds);
    }

    public static TheoryData<string, string, string> Refused =>
        new()
        {
            { "rope_scaling", """{"type": "linear"}""", "rope_scaling.factor is missing" },
            { "rope_scaling", """{"type": "linear", "factor": 2, "beta": 1}""", "is not known for the type linear" },
            { "rope_scaling", """{"rope_type": "dynamic", "factor": 2.0}""", "rope_scaling is of type 'dynamic'" },
            { "rope_scaling", """{"rope_type": "yarn", "factor": 2.0}""", "rope_scaling is of type 'yarn'" },
            { "rope_scaling", """{"factor": 2.0}""", "rope_scaling has no rope_type" },
            { "rope_scaling", """{"rope_type": "llama3", "factor": 8.0}""", "rope_scaling.low_freq_factor is missing" },
            {
                "rope_scaling",
                """
                    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4, "high_freq_factor": 4,
                     "original_max_position_embeddings": 8}
                    """,
                "not above low_freq_factor"
            },
            {
                "rope_scaling",
                """{"rope_type": "default", "attention_factor": 2}""",
                "rope_scaling.attention_factor is not known"
            },
            {
                "rope_parameters",
                """{"rope_type": "default", "rope_theta": 5}""",
                "rope_parameters.rope_theta and rope_theta disagree"
            },
            { "rope_interleaved", "true", "rope_interleaved is true" },
            { "partial_rotary_factor", "0.5", "partial_rotary_factor is 0.5" },
            { "sliding_window", "4096", "sliding_window is 4096, but models of type llama have none" },
            { "attention_dropout", "0.1", "attention_dropout is 0.1" },
            { "mlp_bias", "1", "mlp_bias is 1, not true or false" },
            { "use_sliding_window", "true", "no windows in some blocks only" },
            { "final_logit_softcapping", "30.0", "final_logit_softcapping is 30" },
            { "pretraining_tp", "2", "pretraining_tp is 2" },
            { "quantization_config", """{"quant_method": "gptq", "bits": 4}""", "take the revision in bfloat16" },
            { "auto_map", """{"AutoModel": "modeling.Model"}""", "no code of a checkpoint is run" },
            { "architectures", """["LlamaForSequenceClassification"]""", "architectures is" },
            { "torch_dtype", "\"float8_e4m3fn\"", "torch_dtype is 'float8_e4m3fn'" },
            { "dtype", "\"bfloat16\"", "dtype and torch_dtype disagree" },
            { "layer_types", """["full_attention"]""", "layer_types has 1 entries" },
            { "eos_token_id", "[2, 99999999]", "eos_token_id is 99999999" },
            { "eos_token_id", "[]", "eos_token_id is an empty list" },
            { "bos_token_id", "[1, 2]", "bos_token_id is a list" },
            { "hidden_act", "\"gelu\"", "hidden_act is 'gelu'" },
            { "repetition_penalty", "1.3", "repetition_penalty is 1.3" },
            { "num_hidden_layers", "1e999", "num_hidden_layers is" },
        };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_not_honoured_is_refused_by_name(string key, string value, string expected) =>
        Assert.Contains(
            expected,
            Refusal(With(With(Llama2, "rope_theta", "10000"), key, value)),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_field_that_no_reader_of_the_architecture_knows_is_ignored_with_a_word()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], With(With(Llama2, "something_new", "3"), "trained_on", "\"mars\""));
        _ = ConfigFile.Read(folder["config.json"]);
        Assert.Contains("ignored: trained_on, something_new", ConfigFile.Note(folder["config.json"]));
        File.WriteAllText(folder["config.json"], Llama2);
        Assert.Null(ConfigFile.Note(folder["config.json"]));
    }

    [Fact]
    public void Neutral_values_of_foreign_fields_are_accepted() =>
        Read(
            With(
                With(
                    With(With(Llama2, "pruned_heads", "{}"), "repetition_penalty", "1.0"),
                    "is_encoder_decoder",
                    "false"
                ),
                "temperature",
                "0.6"
            )
        );

    [Fact]
    public void All_problems_are_shown_at_once_with_their_lines()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["config.json"],
            """
            {
              "model_type": "gpt2", "vocab_size": "many",
              "hidden_size": 30, "intermediate_size": 64, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 3,
              "hidden_act": "gelu",
              "rope_scaling": {
                "type": "linear",
                "factor": 2
              },
              "quantization_config": {"bits": 4}
            }
            """
        );
        var e = Assert.Throws<InputException>(() => ConfigFile.Read(folder["config.json"]));
        Snapshot.Matches(e.Message.Replace(folder.Path + "/", "", StringComparison.Ordinal) + "\n", "bad-config.txt");
    }

    [Theory]
    [InlineData("[1]", "not a JSON object")]
    [InlineData("{\"a\": 1,\n \"a\": 2}", "not valid JSON")]
    [InlineData("{\"model_type\": \"\\ud800\"}", "no valid Unicode")]
    [InlineData("{\n\"model_type\": }", "config.json(2,")]
    public void A_text_that_is_no_config_is_refused(string text, string expected) =>
        Assert.Contains(expected, Refusal(text), StringComparison.Ordinal);

    private static string With(string json, string key, string value)
    {
        var o = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        o.Remove(key);
        var text = o.ToJsonString();
        return $"{{\"{key}\": {value}, {text[1..]}";
    }

    private static string Without(string json, string key)
    {
        var o = System.Text.Json.Nodes.JsonNode.Parse(json)!.AsObject();
        o.Remove(key);
        return o.ToJsonString();
    }

    private static (ModelConfig Config, ScalarType StoredType) Read(string json, string? family = null)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["config.json"], json);
        return ConfigFile.Read(folder["config.json"], family);
    }

    private static string Refusal(string json) => Assert.Throws<InputException>(() => Read(json)).Message;
}
