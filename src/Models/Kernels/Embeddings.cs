using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>The gradient of looked-up rows.</summary>
internal static unsafe class Embeddings
{
    /// <summary>Adds the gradient of each token to its word's, in the order of the tokens.</summary>
    /// <param name="ids">[B, T].</param>
    /// <param name="gradient">[B, T, D].</param>
    /// <param name="table">[V, D]; its gradient is added to.</param>
    public static void Back(Tensor ids, Tensor gradient, Tensor table)
    {
        using var words = ids.contiguous();
        using var rows = gradient.contiguous();
        var width = (int)table.size(1);
        var id = Memory.Longs(words);
        float* from = Memory.Of(rows),
            to = (float*)Linear.GradientOf(table);
        for (long t = 0; t < words.numel(); t++)
            Elementwise.Add(to + id[t] * width, from + t * width, width);
    }
}
