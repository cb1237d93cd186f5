using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Tests.Unit.Models.Training;

/// <summary>
/// What the planner says of models whose sizes are published. Measured peaks are a benchmark: <c>-- memory</c>.
/// </summary>
public sealed class TrainingMemoryTests
{
    private const double Giga = 1e9;

    private static ModelConfig Llama2 =>
        new()
        {
            Family = "llama2",
            VocabSize = 32000,
            HiddenSize = 4096,
            IntermediateSize = 11008,
            Layers = 32,
            Heads = 32,
            KvHeads = 32,
            HeadDim = 128,
        };

    private static ModelConfig Llama31 =>
        new()
        {
            Family = "llama31",
            VocabSize = 128256,
            HiddenSize = 4096,
            IntermediateSize = 14336,
            Layers = 32,
            Heads = 32,
            KvHeads = 8,
            HeadDim = 128,
        };

    private static TrainingPlan Plan(ModelConfig config, Trainable trainable, bool recompute = false, int rows = 4) =>
        new()
        {
            Config = config,
            Moves = new TrainableModel.Options { Trainable = trainable, GradientCheckpointing = recompute },
            Rows = rows,
            Width = 60,
            Labels = 6 * rows,
            Read = 6 * rows,
            WeightBytes = 2,
        };

    [Fact]
    public void An_adapter_has_the_published_number_of_weights()
    {
        Assert.Equal(19_988_480, TrainingMemory.AdapterParameters(Llama2, new LoraAdapter.Options()));
        Assert.Equal(20_971_520, TrainingMemory.AdapterParameters(Llama31, new LoraAdapter.Options()));
    }

    [Fact]
    public void Weights_and_gradients_of_the_real_models_are_counted_by_their_types()
    {
        var llama2 = TrainingMemory.Of(Plan(Llama2, Trainable.Full));
        Assert.Equal(13.5, llama2.Weights / Giga, 0.05);
        // Masters, gradients and moments are float32; a pass keeps the masters once more, rounded to half precision.
        Assert.Equal(27.0 + 13.5, llama2.Moving / Giga, 0.1);
        Assert.Equal(27.0, llama2.Gradients / Giga, 0.1);
        Assert.Equal(53.9, llama2.Moments / Giga, 0.1);
        Assert.Equal(16.1, TrainingMemory.Of(Plan(Llama31, Trainable.Full)).Weights / Giga, 0.05);
    }

    [Fact]
    public void Llama2_with_an_adapter_and_recomputed_blocks_fits_24_GB()
    {
        var memory = TrainingMemory.Of(Plan(Llama2, Trainable.Lora, recompute: true));
        Assert.Equal(0.32, (memory.Moving + memory.Gradients + memory.Moments) / Giga, 0.01);
        Assert.InRange(memory.Total / Giga, 14, 24);
    }

    [Fact]
    public void Recomputing_leaves_one_block_and_a_stream_a_block()
    {
        var plain = TrainingMemory.Of(Plan(Llama2, Trainable.Lora, rows: 64)).Activations;
        var recomputed = TrainingMemory.Of(Plan(Llama2, Trainable.Lora, recompute: true, rows: 64)).Activations;
        Assert.InRange((double)plain / recomputed, 5, 32);
        // About 8 MB per 1000 tokens and boundary: d = 4096 in half precision.
        Assert.True(recomputed > 64 * 60 * 32L * 4096 * 2);
    }

    [Fact]
    public void Every_part_grows_with_what_it_is_for()
    {
        var one = TrainingMemory.Of(Plan(Llama2, Trainable.Full));
        var more = TrainingMemory.Of(
            Plan(Llama2, Trainable.Full, rows: 8) with
            {
                Forwards = 2,
                Labels = 100,
                Compared = 50,
                ReferenceBytes = TrainingMemory.ReferenceStates(Llama2, 380 * 43),
            }
        );
        Assert.Equal(one.Weights, more.Weights);
        Assert.True(more.Activations > 3 * one.Activations);
        Assert.True(more.Logits > one.Logits);
        Assert.Equal(380 * 43 * 4096 * 4L, more.Reference);
        Assert.True(
            TrainingMemory
                .Of(
                    Plan(Llama2, Trainable.Layers) with
                    {
                        Moves = new TrainableModel.Options { Trainable = Trainable.Layers, Layers = [3] },
                    }
                )
                .Moving
                < one.Moving / 30
        );
    }
}
