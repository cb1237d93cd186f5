using System.Diagnostics;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using static TorchSharp.torch;

namespace EditUnlearn.Stages.OwnModel;

/// <summary>A part of the work.</summary>
/// <param name="Name">load, contexts, moments, projector, edit, answers, write.</param>
/// <param name="Operations">Floating-point operations.</param>
/// <param name="Bytes">Read from or written to a disk.</param>
public sealed record WorkPart(string Name, double Operations, double Bytes = 0);

/// <summary>How much there is of what costs time.</summary>
/// <param name="Edits">Requests, or rows to forget.</param>
/// <param name="Asked">Questions asked before, and again after.</param>
/// <param name="NewTokens">Limit of an answer.</param>
/// <param name="TextTokens">Tokens second moments are measured on; 0 where they are there.</param>
/// <param name="Makes">Statistics that have to be made, by name.</param>
/// <param name="WeightBytes">Of the checkpoint on disk.</param>
/// <param name="WritesCheckpoint">Whether it is written again.</param>
public sealed record WorkSize(
    int Edits,
    int Asked,
    int NewTokens,
    double TextTokens,
    IReadOnlyList<string> Makes,
    double WeightBytes,
    bool WritesCheckpoint
);

/// <summary>
/// How long a run will take, from the model's shape and the size of the work: operations over what this machine does in
/// a second. Right within a factor of a few.
/// </summary>
/// <remarks>
/// A forward pass of a token is two operations a parameter, with its backward pass six: every weight takes part in one
/// multiplication and one addition, and the backward pass has two such products. Rows are taken to be 64 tokens and
/// answers 16 long, as in <see cref="StageMemory"/>. Eigenvectors of C are 9 F^3 and a factorisation F^3 / 3 (Golub and
/// Van Loan, "Matrix Computations"), in float64, counted twice.
/// </remarks>
public static class WorkEstimate
{
    // Contexts of all recipes, written without a cache: 20 + 5 + 10 prefixes, 1500 token passes in all.
    private const double ContextTokens = 1500;
    private const double DiskBytesPerSecond = 2.5e8;

    /// <summary>The parts in order.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="entry">The method.</param>
    /// <param name="options">Its options record.</param>
    /// <param name="size">Of the work.</param>
    public static IReadOnlyList<WorkPart> Of(ModelConfig config, MethodEntry entry, object options, WorkSize size)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentNullException.ThrowIfNull(size);
        double f = config.IntermediateSize,
            cube = 2 * f * f * f;
        var layers = (options as IEditingOptions)?.Layers ?? [];
        var below = layers.Count == 0 ? 0 : layers.Max() + 1;
        var parts = new List<WorkPart> { new("load", 0, size.WeightBytes) };
        foreach (var made in size.Makes)
            parts.Add(
                made switch
                {
                    MethodMaterial.Contexts => new("contexts", ContextTokens * Forward(config)),
                    MethodMaterial.Moments => new(
                        "moments",
                        size.TextTokens * (2 * Block(config) * below + 2 * f * f * layers.Count)
                    ),
                    _ => new("projector", 9 * cube * layers.Count),
                }
            );
        parts.Add(
            new(
                "edit",
                size.Edits * Edit(config, entry, options, layers)
                    + (entry.Needs(options).HasFlag(Needs.SecondMoments) ? layers.Count * cube / 3 : 0)
            )
        );
        // Written once and read three times more: the true answer, the first positions, the model's own answer.
        var answer = Math.Min(size.NewTokens, 2 * StageMemory.AnswerTokens);
        parts.Add(new("answers", 2.0 * size.Asked * (4 * StageMemory.RowTokens + answer) * Forward(config)));
        if (size.WritesCheckpoint)
            parts.Add(new("write", 0, size.WeightBytes));
        return [.. parts.Where(p => p.Operations + p.Bytes > 0)];
    }

    /// <summary>Seconds a part takes on a machine.</summary>
    /// <param name="part">The part.</param>
    /// <param name="rate">Operations a second.</param>
    public static double Seconds(WorkPart part, double rate)
    {
        ArgumentNullException.ThrowIfNull(part);
        return part.Operations / rate + part.Bytes / DiskBytesPerSecond;
    }

    /// <summary>
    /// What this machine does in a second, half of what a product of matrices shows: rows are short, and norms, softmax
    /// and copies come on top.
    /// </summary>
    /// <param name="compute">Where and in which type.</param>
    public static double Measure(Compute compute)
    {
        ArgumentNullException.ThrowIfNull(compute);
        const long Rows = 256,
            Width = 1024;
        const double Enough = 0.1;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (x, w) = (
            ones(Rows, Width, dtype: compute.DType, device: compute.Device),
            ones(Width, Width, dtype: compute.DType, device: compute.Device)
        );
        // The last product of a turn is read, so that a device has finished it.
        void Turn() => _ = matmul(x, w)[0, 0].to(ScalarType.Float32).cpu().item<float>();
        Turn();
        var clock = Stopwatch.StartNew();
        var turns = 0;
        for (; clock.Elapsed.TotalSeconds < Enough; turns++)
            Turn();
        return turns * 2.0 * Rows * Width * Width / clock.Elapsed.TotalSeconds / 2;
    }

    private static double Edit(ModelConfig config, MethodEntry entry, object options, IReadOnlyList<int> layers)
    {
        if (options is TrainingOptions training)
        {
            // Per forget row and visit; each kind of row in the loss is a pass of its own.
            var kinds =
                1
                + (entry.Needs(options).HasFlag(Needs.RetainSet) ? 1 : 0)
                + (entry.Needs(options).HasFlag(Needs.Refusals) ? 1 : 0);
            return training.Epochs * kinds * StageMemory.RowTokens * 3 * Forward(config);
        }
        // Only the blocks from the last edited one up are run in a step, on the second half of a row, with a gradient
        // to the offset alone.
        var named = MethodCatalog.ToJson(options);
        var steps = (double?)(named["value"]?["steps"] ?? named["steps"]) ?? 1;
        var rows = 2 + ((options as IEditingOptions)?.Contexts ?? 0);
        var above = layers.Count == 0 ? config.Layers : config.Layers - layers.Max();
        return steps * rows * (StageMemory.RowTokens / 2) * 2 * (2 * Block(config) * above + Head(config) / 2)
            + rows * StageMemory.RowTokens * Forward(config);
    }

    // Operations of a token.
    private static double Forward(ModelConfig config) => 2 * Block(config) * config.Layers + Head(config);

    private static double Head(ModelConfig config) => 2.0 * config.VocabSize * config.HiddenSize;

    // Parameters of a block.
    private static double Block(ModelConfig config) =>
        (StageMemory.Parameters(config) - (config.TieWordEmbeddings ? 1.0 : 2.0) * config.VocabSize * config.HiddenSize)
        / config.Layers;
}
