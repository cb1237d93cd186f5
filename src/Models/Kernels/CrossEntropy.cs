using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>Negative log-probabilities of labels, and what they say of the logits.</summary>
internal static unsafe class CrossEntropy
{
    /// <summary>-log softmax(logits)[label] of each row [N], float32; keeps log sum exp of each.</summary>
    /// <param name="logits">[P, V], of which the first N rows have labels.</param>
    /// <param name="labels">[N].</param>
    /// <exception cref="ArgumentOutOfRangeException">A label is no word of the vocabulary.</exception>
    public static (Tensor Nll, Tensor LogSums) Of(Tensor logits, Tensor labels)
    {
        var (count, words) = (labels.size(0), logits.size(1));
        var (nll, sums) = (Memory.New(count), Memory.New(count));
        var label = Memory.Longs(labels);
        float* row = Memory.Of(logits),
            to = Memory.Of(nll),
            log = Memory.Of(sums);
        for (long i = 0; i < count; i++, row += words)
        {
            // A last target token is never looked up, so nobody has met it before; beyond the row lies other memory.
            if (label[i] < 0 || label[i] >= words)
                throw new ArgumentOutOfRangeException(
                    nameof(labels),
                    label[i],
                    $"The label at {i} is no word of a vocabulary of {words}."
                );
            log[i] = LogSum(row, words);
            to[i] = log[i] - row[label[i]];
        }
        return (nll, sums);
    }

    /// <summary>The gradient of the logits [N, V], in their place.</summary>
    /// <param name="logits">[P, V]; the first N rows are overwritten.</param>
    /// <param name="labels">[N].</param>
    /// <param name="logSums">From <see cref="Of"/> [N].</param>
    /// <param name="gradient">Of the negative log-probabilities [N].</param>
    public static void Back(Tensor logits, Tensor labels, Tensor logSums, Tensor gradient)
    {
        var words = logits.size(1);
        var label = Memory.Longs(labels);
        float* row = Memory.Of(logits),
            log = Memory.Of(logSums),
            slope = Memory.Of(gradient);
        for (long i = 0; i < labels.size(0); i++, row += words)
        {
            var (sum, factor) = (Vector256.Create(log[i]), Vector256.Create(slope[i]));
            for (long j = 0; j < words; j += Lanes.Count)
            {
                var left = (int)Math.Min(Lanes.Count, words - j);
                Lanes.Store(Lanes.Exp(Lanes.Load(row + j, left) - sum) * factor, row + j, left);
            }
            row[label[i]] -= slope[i];
        }
    }

    // log sum exp, relative to the largest.
    private static float LogSum(float* x, long count)
    {
        var largest = Lanes.Max(x, count);
        var most = Vector256.Create(largest);
        var sum = Vector256<float>.Zero;
        long j = 0;
        for (; j + Lanes.Count <= count; j += Lanes.Count)
            sum += Lanes.Exp(Vector256.Load(x + j) - most);
        var rest = 0f;
        for (; j < count; j++)
            rest += Lanes.Exp(Vector256.Create(x[j] - largest)).ToScalar();
        return largest + MathF.Log(Lanes.Sum(sum) + rest);
    }
}
