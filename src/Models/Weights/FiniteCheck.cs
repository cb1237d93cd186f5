using System.Numerics;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// Counts values that are NaN or infinite, at the speed of memory: an exponent of all ones is the sign, so the bits are
/// compared, not the numbers.
/// </summary>
internal static class FiniteCheck
{
    private const int Chunk = 1 << 26,
        Block = 1 << 12;

    /// <summary>How many values of a contiguous tensor in main memory are not finite; 0 for whole numbers.</summary>
    public static long CountNotFinite(Tensor values)
    {
        if (!TensorTypes.IsReal(values.dtype) || values.numel() == 0)
            return 0;
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var flat = values.view(-1);
        long step = Chunk / TensorTypes.SizeOf(values.dtype),
            found = 0;
        for (long at = 0; at < flat.shape[0]; at += step)
        {
            using var piece = flat.narrow(0, at, Math.Min(step, flat.shape[0] - at));
            found += Count(piece.bytes, values.dtype);
        }
        return found;
    }

    private static long Count(ReadOnlySpan<byte> bytes, ScalarType type) =>
        type switch
        {
            ScalarType.BFloat16 => Count<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7F80),
            ScalarType.Float16 => Count<ushort>(MemoryMarshal.Cast<byte, ushort>(bytes), 0x7C00),
            ScalarType.Float32 => Count<uint>(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000),
            _ => Count<ulong>(MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0_0000_0000_0000),
        };

    // Blocks that hold none, nearly all, take one comparison a vector; only the others are counted one by one.
    private static long Count<T>(ReadOnlySpan<T> values, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        long found = 0;
        var ones = new Vector<T>(exponent);
        for (var start = 0; start < values.Length; start += Block)
        {
            var block = values[start..Math.Min(start + Block, values.Length)];
            var any = Vector<T>.Zero;
            var i = 0;
            for (; i <= block.Length - Vector<T>.Count; i += Vector<T>.Count)
                any |= Vector.Equals(new Vector<T>(block[i..]) & ones, ones);
            var dirty = any != Vector<T>.Zero;
            for (; !dirty && i < block.Length; i++)
                dirty = (block[i] & exponent) == exponent;
            if (!dirty)
                continue;
            foreach (var value in block)
                if ((value & exponent) == exponent)
                    found++;
        }
        return found;
    }
}
