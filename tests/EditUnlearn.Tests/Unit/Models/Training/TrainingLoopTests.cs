using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models.Training;

/// <summary>A toy run of 30 updates on a quadratic: killed, resumed, damaged, diverged.</summary>
public sealed class TrainingLoopTests
{
    private const int Steps = 30;
    private static readonly TrainingStore.Interval EveryStep = new(1, 0);

    // Loss and gradient depend on the step, so a resumed run that took a wrong step number would differ.
    private sealed class Toy : IDisposable
    {
        private readonly Tensor _start = linspace(-1, 1, 7).DetachFromDisposeScope();

        public Toy() => Flat = FlatParameters.CopyOf([KeyValuePair.Create("w", _start)], _ => true);

        public FlatParameters Flat { get; }

        public int Passes { get; private set; }

        public int BrokenFrom { get; init; } = int.MaxValue;

        public byte[] Bytes => Flat.Weights.bytes.ToArray();

        public TrainingLoop Loop(TrainingStore? store) =>
            new(
                Flat,
                new AdamW.Options { WeightDecay = 0.1 },
                1.0,
                () => Flat.CopyFrom(new Dictionary<string, Tensor> { ["w"] = _start }),
                store
            );

        public PassOutcome Pass(int step)
        {
            using var scope = NewDisposeScope();
            Passes++;
            Flat.ZeroGradient();
            var loss = (Flat.Views["w"] - 0.1 * step).pow(2).sum();
            loss.backward();
            return new PassOutcome(step >= BrokenFrom ? double.NaN : loss.ToDouble(), 7, step, double.NaN);
        }

        public void Dispose()
        {
            Flat.Dispose();
            _start.Dispose();
        }
    }

    private static double Rate(int step) => 0.01 * (step + 1);

    private static (byte[] Weights, IReadOnlyList<CurvePoint> Curve) Undisturbed(int steps = Steps)
    {
        using var toy = new Toy();
        using var loop = toy.Loop(null);
        Assert.Null(loop.Run(steps, toy.Pass, Rate));
        return (toy.Bytes, [.. loop.Curve]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(29)]
    public void A_run_killed_after_any_step_ends_with_the_same_weights_and_curve(int killedAfter)
    {
        var expected = Undisturbed();
        using var folder = new TemporaryFolder();
        var notes = new List<string>();
        using (var first = new Toy())
        using (var loop = first.Loop(new TrainingStore(folder.Path, "run", EveryStep)))
            Assert.Throws<OperationCanceledException>(() =>
                loop.Run(Steps, s => s == killedAfter ? throw new OperationCanceledException() : first.Pass(s), Rate)
            );

        using var second = new Toy();
        using var resumed = second.Loop(new TrainingStore(folder.Path, "run", EveryStep, notes.Add));
        Assert.Equal(killedAfter, resumed.ResumedAt);
        Assert.Equal([$"going on after step {killedAfter} of an earlier attempt"], notes);
        Assert.Null(resumed.Run(Steps, second.Pass, Rate));
        Assert.Equal(Steps - killedAfter, second.Passes);
        Assert.Equal(expected.Weights, second.Bytes);
        Assert.Equal(expected.Curve, resumed.Curve);
    }

    [Fact]
    public void States_are_stored_by_steps_and_only_the_latest_is_kept()
    {
        using var folder = new TemporaryFolder();
        using var toy = new Toy();
        using var loop = toy.Loop(new TrainingStore(folder.Path, "run", new TrainingStore.Interval(4, 0)));
        loop.Run(11, toy.Pass, Rate);
        Assert.Equal(
            ["latest.json", "step-00000008.safetensors"],
            Directory.EnumerateFiles(folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public void A_state_of_another_run_is_left_aside()
    {
        using var folder = new TemporaryFolder();
        Interrupted(folder.Path);
        Assert.Contains("it belongs to another run", Ignored(folder.Path, "other"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("truncated", "holds other bytes than were written")]
    [InlineData("flipped", "holds other bytes than were written")]
    [InlineData("gone", "is gone")]
    [InlineData("not json", "invalid start of a value")]
    [InlineData("escaping", "its description is not one of ours")]
    [InlineData("long", "too long")]
    [InlineData("null", "not in format training/1")]
    public void A_damaged_or_hostile_state_is_left_aside_with_a_note_and_training_starts_anew(
        string damage,
        string expected
    )
    {
        using var folder = new TemporaryFolder();
        Interrupted(folder.Path);
        var tensors = Directory.EnumerateFiles(folder.Path, "step-*").Single();
        var latest = folder["latest.json"];
        var bytes = File.ReadAllBytes(tensors);
        switch (damage)
        {
            case "truncated":
                File.WriteAllBytes(tensors, bytes[..^9]);
                break;
            case "flipped":
                bytes[^1] ^= 1;
                File.WriteAllBytes(tensors, bytes);
                break;
            case "gone":
                File.Delete(tensors);
                break;
            case "not json":
                File.WriteAllText(latest, "step 12");
                break;
            case "escaping":
                File.WriteAllText(
                    latest,
                    File.ReadAllText(latest).Replace("step-00000010", "../step-00000010", StringComparison.Ordinal)
                );
                break;
            case "long":
                File.WriteAllBytes(latest, new byte[100_000]);
                break;
            case "null":
                File.WriteAllText(latest, "null");
                break;
        }
        Assert.Contains(expected, Ignored(folder.Path, "run"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_loss_that_is_no_longer_finite_ends_the_run_with_the_last_finite_state()
    {
        // Update 20 (0-based 20) finds no finite loss, so the weights before update 19 are the last whose loss was
        // finite.
        var expected = Undisturbed(19);
        using var toy = new Toy { BrokenFrom = 20 };
        using var loop = toy.Loop(null);
        var divergence = loop.Run(Steps, toy.Pass, Rate);
        Assert.Equal(21, divergence!.Step);
        Assert.True(double.IsNaN(divergence.Loss));
        Assert.Equal(expected.Weights, toy.Bytes);
        Assert.Equal(expected.Curve, loop.Curve);
    }

    [Fact]
    public void A_diverged_run_goes_back_to_a_stored_state_instead_of_the_start()
    {
        using var folder = new TemporaryFolder();
        using var toy = new Toy { BrokenFrom = 20 };
        using var loop = toy.Loop(new TrainingStore(folder.Path, "run", new TrainingStore.Interval(6, 0)));
        loop.Run(Steps, toy.Pass, Rate);
        Assert.Equal(Undisturbed(19).Weights, toy.Bytes);
        Assert.Equal(21 + 1, toy.Passes); // 21 until the divergence, one from the state after 18 to 19
    }

    [Fact]
    public void A_model_that_is_broken_from_the_start_is_an_error()
    {
        using var toy = new Toy { BrokenFrom = 0 };
        using var loop = toy.Loop(null);
        Assert.Throws<ArithmeticException>(() => loop.Run(Steps, toy.Pass, Rate));
    }

    private static void Interrupted(string folder)
    {
        using var toy = new Toy();
        using var loop = toy.Loop(new TrainingStore(folder, "run", EveryStep));
        loop.Run(10, toy.Pass, Rate);
    }

    // Runs to the end beside a state that must not be used; returns the note.
    private static string Ignored(string folder, string identity)
    {
        var notes = new List<string>();
        using var toy = new Toy();
        using var loop = toy.Loop(new TrainingStore(folder, identity, new TrainingStore.Interval(0, 0), notes.Add));
        Assert.Equal(0, loop.ResumedAt);
        loop.Run(Steps, toy.Pass, Rate);
        Assert.Equal(Undisturbed().Weights, toy.Bytes);
        return Assert.Single(notes);
    }
}
