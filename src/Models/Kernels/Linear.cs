using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Kernels;

/// <summary>A linear map y = W x for rows of x, and its gradients. W is [out, in], as checkpoints hold it.</summary>
internal static unsafe class Linear
{
    /// <summary>Whether the library computes products, as a probe of native numerics may decide.</summary>
    internal static bool ByLibrary { get; set; } =
        Environment.GetEnvironmentVariable(NumericsNames.Variable) == NumericsNames.Native
        && Environment.GetEnvironmentVariable(NumericsNames.ProductsVariable) == NumericsNames.Library;

    /// <summary>y [R, out] of x [R, in]; owned by the current scope.</summary>
    /// <param name="x">[R, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="packed">The weight for this direction, where it was packed before.</param>
    public static Tensor Of(Tensor x, Tensor weight, PackedMatrix? packed = null) =>
        ByLibrary ? nn.functional.linear(x, weight).detach() : OwnProduct(x, weight, packed);

    /// <summary>The same in our kernels, whoever computes products otherwise.</summary>
    public static Tensor OwnProduct(Tensor x, Tensor weight, PackedMatrix? packed = null)
    {
        long rows = x.size(0),
            width = weight.size(1),
            outputs = weight.size(0);
        var y = Memory.New(rows, outputs);
        var (from, to) = (Memory.Rows(x, width), Memory.Rows(y, outputs));
        if (packed is not null)
            MatrixProduct.Compute(rows, from, packed, to);
        else
            MatrixProduct.Compute(rows, outputs, width, from, Memory.Rows(weight, width).Transposed, to);
        return y;
    }

    /// <summary>A weight packed for <see cref="Of"/>, or for <see cref="Back"/>.</summary>
    public static PackedMatrix Pack(Tensor weight, bool back)
    {
        long width = weight.size(1),
            outputs = weight.size(0);
        var matrix = Memory.Rows(weight, width);
        return back ? new PackedMatrix(matrix, outputs, width) : new PackedMatrix(matrix.Transposed, width, outputs);
    }

    /// <summary>
    /// The map as far as a gradient is not asked for here, in the kernels where they can take it and by the library
    /// elsewhere [.., out].
    /// </summary>
    /// <param name="x">[.., in].</param>
    /// <param name="weight">[out, in].</param>
    public static Tensor Plain(Tensor x, Tensor weight)
    {
        if (!Memory.Takes(x) || !Memory.Takes(weight) || !weight.is_contiguous())
            return nn.functional.linear(x, weight);
        var rows = x.contiguous();
        return Of(rows.view(-1, weight.size(1)), weight).view([.. x.shape[..^1], weight.size(0)]);
    }

    /// <summary>Gradients of x, and of the weight where it moves.</summary>
    /// <param name="dy">Gradient of y [R, out].</param>
    /// <param name="weight">[out, in]; where it requires a gradient, that is added to.</param>
    /// <param name="x">[R, in].</param>
    /// <param name="dx">Gradient of x [R, in], set or added to; null for none.</param>
    /// <param name="add">Whether it is added to.</param>
    /// <param name="packed">The weight for this direction, where it was packed before.</param>
    public static void Back(
        Tensor dy,
        Tensor weight,
        Tensor x,
        Tensor? dx,
        bool add = false,
        PackedMatrix? packed = null
    )
    {
        long width = weight.size(1),
            outputs = weight.size(0),
            rows = dy.numel() / outputs;
        if (ByLibrary)
        {
            LibraryBack(dy.view(rows, outputs), weight, x.view(rows, width), dx?.view(rows, width), add);
            return;
        }
        if (dx is not null)
        {
            var (from, to) = (Memory.Rows(dy, outputs), Memory.Rows(dx, width));
            if (packed is not null)
                MatrixProduct.Compute(rows, from, packed, to, add);
            else
                MatrixProduct.Compute(rows, width, outputs, from, Memory.Rows(weight, width), to, add);
        }
        if (GradientOf(weight) is not 0 and var gradient)
            AddWeightGradient(dy, x, (float*)gradient, outputs, width);
    }

    /// <summary>The same by the library; all are matrices.</summary>
    public static void LibraryBack(Tensor dy, Tensor weight, Tensor x, Tensor? dx, bool add)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (dx is not null && add)
            dx.addmm_(dy, weight);
        else
            dx?.copy_(matmul(dy, weight));
        if (GradientOf(weight) is not 0)
            weight.grad!.addmm_(dy.t(), x);
    }

    /// <summary>The gradient of a weight alone [out, in]; owned by the current scope.</summary>
    public static Tensor WeightGradient(Tensor dy, Tensor x)
    {
        var gradient = zeros(dy.size(-1), x.size(-1));
        AddWeightGradient(dy, x, Memory.Of(gradient), dy.size(-1), x.size(-1));
        return gradient;
    }

    /// <summary>Where a moving weight collects its gradient, made if it is not there; 0 for one at rest.</summary>
    public static nint GradientOf(Tensor weight)
    {
        if (!weight.requires_grad)
            return 0;
        using var there = weight.grad;
        if (there is not null)
            return (nint)Memory.Of(there);
        using var quiet = no_grad();
        using var made = zeros_like(weight);
        weight.grad = made;
        return (nint)Memory.Of(made);
    }

    private static void AddWeightGradient(Tensor dy, Tensor x, float* gradient, long outputs, long width) =>
        MatrixProduct.Compute(
            outputs,
            width,
            dy.numel() / outputs,
            Memory.Rows(dy, outputs).Transposed,
            Memory.Rows(x, width),
            Matrix.Rows(gradient, width),
            add: true
        );
}
