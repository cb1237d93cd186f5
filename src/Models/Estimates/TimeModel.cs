using System.Diagnostics;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Estimates;

/// <summary>A part of some work.</summary>
/// <param name="Name">load, contexts, moments, projector, edit, answers, write.</param>
/// <param name="Operations">Floating-point operations.</param>
/// <param name="Bytes">Read from or written to a disk.</param>
public sealed record WorkPart(string Name, double Operations, double Bytes = 0);

/// <summary>
/// How long work will take, from the model's shape and the size of the work: operations over what this machine does in
/// a second. Right within a factor of a few.
/// </summary>
/// <remarks>
/// A forward pass of a token is two operations a parameter, with its backward pass six: every weight takes part in one
/// multiplication and one addition, and the backward pass has two such products. Rows have the length of
/// <see cref="UsualRow"/>. Eigenvectors of C are 9 F^3 and a factorisation F^3 / 3 (Golub and Van Loan, "Matrix
/// Computations"), in float64, counted twice.
/// </remarks>
public static class TimeModel
{
    // Contexts of all recipes, written without a cache: 20 + 5 + 10 prefixes, 1500 token passes in all.
    private const double ContextTokens = 1500;
    private const double DiskBytesPerSecond = 2.5e8;

    /// <summary>Operations that writing all context prefixes takes.</summary>
    public static double Contexts(ModelConfig config) => ContextTokens * Forward(config);

    /// <summary>Operations that measuring second moments takes.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="textTokens">Tokens they are measured on.</param>
    /// <param name="layers">Blocks whose keys are looked at.</param>
    public static double Moments(ModelConfig config, double textTokens, IReadOnlyList<int> layers)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(layers);
        double f = config.IntermediateSize;
        var below = layers.Count == 0 ? 0 : layers.Max() + 1;
        return textTokens * (2 * Block(config) * below + 2 * f * f * layers.Count);
    }

    /// <summary>Operations that the projectors of some blocks take.</summary>
    public static double Projectors(ModelConfig config, int layers) => 9 * Cube(config) * layers;

    /// <summary>Operations of solving with the second moments of some blocks.</summary>
    public static double Solve(ModelConfig config, int layers) => layers * Cube(config) / 3;

    /// <summary>Operations of training on one forget row.</summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="epochs">Visits of the row.</param>
    /// <param name="kinds">Kinds of rows in the loss; each is a pass of its own.</param>
    public static double TrainingRow(ModelConfig config, double epochs, int kinds) =>
        epochs * kinds * UsualRow.Tokens * 3 * Forward(config);

    /// <summary>
    /// Operations of one edit's value optimisation. Only the blocks from the last edited one up are run in a step, on
    /// the second half of a row, with a gradient to the offset alone.
    /// </summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="steps">Steps of the optimiser.</param>
    /// <param name="rows">Rows of a step.</param>
    /// <param name="layers">Edited blocks; none for a method that looks at all.</param>
    public static double ValueSearch(ModelConfig config, double steps, int rows, IReadOnlyList<int> layers)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(layers);
        var above = layers.Count == 0 ? config.Layers : config.Layers - layers.Max();
        return steps * rows * (UsualRow.Tokens / 2) * 2 * (2 * Block(config) * above + Head(config) / 2)
            + rows * UsualRow.Tokens * Forward(config);
    }

    /// <summary>
    /// Operations of asking, before and after: each answer is written once and read three times more, for the true
    /// answer, for the first positions and for what the model said itself.
    /// </summary>
    /// <param name="config">Shape of the model.</param>
    /// <param name="asked">Questions.</param>
    /// <param name="newTokens">Limit of an answer.</param>
    public static double Answers(ModelConfig config, int asked, int newTokens)
    {
        var answer = Math.Min(newTokens, 2 * UsualRow.AnswerTokens);
        return 2.0 * asked * (4 * UsualRow.Tokens + answer) * Forward(config);
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
    /// What this machine does in a second on the threads of <see cref="ProductThreads"/>, half of what a product of
    /// matrices shows: rows are short, and norms, softmax and copies come on top.
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
        void Turn() => _ = LinearMap.Of(x, w)[0, 0].to(ScalarType.Float32).cpu().item<float>();
        Turn();
        var clock = Stopwatch.StartNew();
        var turns = 0;
        for (; clock.Elapsed.TotalSeconds < Enough; turns++)
            Turn();
        return turns * 2.0 * Rows * Width * Width / clock.Elapsed.TotalSeconds / 2;
    }

    // Twice, since it is done in float64.
    private static double Cube(ModelConfig config)
    {
        double f = config.IntermediateSize;
        return 2 * f * f * f;
    }

    // Operations of a token.
    private static double Forward(ModelConfig config) => 2 * Block(config) * config.Layers + Head(config);

    private static double Head(ModelConfig config) => 2.0 * config.VocabSize * config.HiddenSize;

    // Parameters of a block.
    private static double Block(ModelConfig config) =>
        (config.ParameterCount() - (config.TieWordEmbeddings ? 1.0 : 2.0) * config.VocabSize * config.HiddenSize)
        / config.Layers;
}
