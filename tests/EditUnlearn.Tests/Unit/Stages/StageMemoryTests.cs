using EditUnlearn.Hub;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>Estimates against sums done by hand.</summary>
public sealed class StageMemoryTests
{
    // V 100, D 8, F 20, L 2, H 2, K 1, head 4: 2 * 800 (embedding, head) + 2 * (2*8 + 64 + 32 + 32 + 64 + 3*160) + 8 =
    // 2984.
    private static readonly ModelConfig Tiny = new()
    {
        Family = "llama2",
        VocabSize = 100,
        HiddenSize = 8,
        IntermediateSize = 20,
        Layers = 2,
        Heads = 2,
        KvHeads = 1,
        HeadDim = 4,
    };
    private const long TinyParameters = 2984;
    private const long TinyPerToken = (8 * 8 + 4 * 20) * 4 + 8 * 8 * 4; // float32: 832

    private static long Part(MemoryEstimate? estimate, string name) =>
        estimate!.Parts.SingleOrDefault(p => p.Name == name)?.Bytes ?? 0;

    private static MemoryEstimate Apply(ModelConfig config, int bytes, string method, string options = "{}")
    {
        var (entry, bound) = MethodCatalog
            .Bind(method, "reference", System.Text.Json.Nodes.JsonNode.Parse(options)!.AsObject(), out _)!
            .Value;
        return MethodEstimates.Memory(config, bytes, entry, bound)!;
    }

    [Theory]
    [InlineData("llama2", 6_738_415_616)]
    [InlineData("mistral", 7_241_732_096)]
    [InlineData("llama31", 8_030_261_248)]
    public void The_published_shapes_have_the_published_numbers_of_parameters(string name, long expected)
    {
        var s = SourceCatalog.Read(Path.Combine(Checkout.Root, SourceCatalog.FileName)).Find(name)!.Shape!;
        Assert.Equal(
            expected,
            new ModelConfig
            {
                Family = name,
                VocabSize = s.Vocabulary,
                HiddenSize = s.Width,
                IntermediateSize = s.MlpWidth,
                Layers = s.Layers,
                Heads = s.Heads,
                KvHeads = s.KvHeads,
                HeadDim = s.Width / s.Heads,
            }.ParameterCount()
        );
    }

    [Fact]
    public void Answers_hold_weights_and_the_cache_of_64_rows()
    {
        var estimate = MemoryModel.Answers(Tiny, 4, 1936); // 2000 places a row
        Assert.Equal(TinyParameters * 4, Part(estimate, "weights"));
        Assert.Equal(2 * 2 * 1 * 4 * 4 * 64 * 2000, Part(estimate, "cache"));
        Assert.Equal(64 * 64 * TinyPerToken, Part(estimate, "activations"));
        Assert.Equal(
            MemoryModel.RuntimeBytes + TinyParameters * 4 + 8_192_000 + 64 * 64 * TinyPerToken,
            estimate.Bytes
        );
        Assert.Equal(
            3L * 64 * 16 * 50_000 * 4,
            Part(MemoryModel.Answers(Tiny with { VocabSize = 50_000 }, 4, 1), "logits")
        );
    }

    // Rows of 64 tokens, answers of 16: the rest is the planner of training.
    [Theory]
    [InlineData("ga", """{"trainable":"full"}""", 1, 0)]
    [InlineData("gd", """{"trainable":"full","gradientCheckpointing":true}""", 2, 0)]
    [InlineData("kl", """{"trainable":"full"}""", 2, 4 * 64)]
    public void Training_is_what_its_planner_says_of_rows_of_usual_length(
        string method,
        string options,
        int kinds,
        int compared
    )
    {
        var estimate = Apply(Tiny, 4, method, options);
        var planned = TrainingMemory.Of(
            new TrainingPlan
            {
                Config = Tiny,
                Moves = new TrainableModel.Options
                {
                    Trainable = Trainable.Full,
                    GradientCheckpointing = options.Contains("gradientCheckpointing", StringComparison.Ordinal),
                },
                Rows = 4,
                Width = 64,
                Forwards = kinds,
                Labels = 4 * kinds * 16,
                Read = 4 * kinds * 16 + compared,
                Compared = compared,
            }
        );
        Assert.Equal(4 * TinyParameters * 4, Part(estimate, "training state")); // copy, gradient, two moments
        Assert.Equal((planned.Activations, planned.Logits), (Part(estimate, "activations"), Part(estimate, "logits")));
    }

    [Fact]
    public void Training_of_some_blocks_counts_those_only() =>
        Assert.Equal(
            4 * (TinyParameters - 1608) / 2 * 4,
            Part(Apply(Tiny, 4, "ga", """{"trainable":"layers","layers":[1]}"""), "training state")
        );

    [Fact]
    public void An_adapter_counts_16_bytes_a_parameter()
    {
        // Seven maps of rank 8; in + out: q 16, k 12, v 12, o 16, gate 28, up 28, down 28.
        var lora = Apply(
            Tiny,
            2,
            "ga",
            """{"lora":{"targets":["q_proj","k_proj","v_proj","o_proj","gate_proj","up_proj","down_proj"]}}"""
        );
        Assert.Equal(16 * 8 * 140 * 2, Part(lora, "training state"));
    }

    [Fact]
    public void Moments_are_squares_of_the_MLP_width_in_float64()
    {
        Assert.Equal(20 * 20 * (16 * 3 + 12), Part(MemoryModel.Moments(Tiny, 2, 3), "moments"));
        var without = Apply(Tiny, 4, "rome", """{"layers":[1]}""");
        Assert.Equal((0, 8 * 20 * 4), (Part(without, "moments"), Part(without, "edited maps")));
        // 20 contexts, the bare prompt, the essence; one block above
        Assert.Equal(22 * 64 * 1 * TinyPerToken, Part(without, "activations"));
        Assert.Equal(
            20 * 20 * (4 + 16),
            Part(Apply(Tiny, 4, "rome", """{"layers":[1],"secondMoments":true}"""), "moments")
        );
    }

    [Fact]
    public void The_largest_part_is_named()
    {
        Assert.Equal("runtime", MemoryModel.Answers(Tiny, 4, 10).Largest.Name);
        var large = Tiny with
        {
            VocabSize = 32_000,
            HiddenSize = 4096,
            IntermediateSize = 11_008,
            Layers = 32,
            Heads = 32,
            KvHeads = 32,
            HeadDim = 128,
        };
        Assert.Equal("weights", Apply(large, 4, "ga").Largest.Name);
        Assert.Equal("training state", Apply(large, 4, "ga", """{"trainable":"full"}""").Largest.Name);
    }
}
