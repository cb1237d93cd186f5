using System.Runtime.InteropServices;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Checkpoints;

/// <summary>
/// Writes a checkpoint of a real model's shape with random bfloat16 weights, streamed: a 13.5 GB folder needs a few
/// megabytes of memory.
/// </summary>
/// <remarks>
/// Weights are normal, 0.02 wide, those that write into the residual stream narrowed by sqrt(2 L), gains 1, as in
/// <see cref="CausalLm.Random"/>. Each 16 bits of the seeded stream pick one of 65,536 quantiles, which costs a
/// nanosecond where a proper draw costs thirty.
/// </remarks>
internal static class RandomCheckpoint
{
    private const int Chunk = 1 << 22;

    public static void Write(string folder, ModelConfig config, Seed seed, long shardBytes)
    {
        Directory.CreateDirectory(folder);
        ConfigFile.Write(Path.Combine(folder, ConfigFile.Name), config, ScalarType.BFloat16);
        var (wide, narrow) = (Quantiles(0.02), Quantiles(0.02 / Math.Sqrt(2.0 * config.Layers)));
        var tensors = config
            .Tensors()
            .Select(t => new OutgoingTensor(
                t.Name,
                ScalarType.BFloat16,
                t.Shape,
                file =>
                {
                    var writes =
                        t.Name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                        || t.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
                    if (t.Shape.Length == 1)
                        Gains(file, t.Shape[0]);
                    else
                        Values(file, t.Shape[0] * t.Shape[1], writes ? narrow : wide, seed.Stream("init/" + t.Name));
                }
            ));
        ShardedWriter.Write(
            folder,
            ShardedWriter.Cut(tensors, shardBytes, new Dictionary<string, string> { ["format"] = "pt" })
        );
    }

    // Bit patterns of the standard normal's quantiles at (i + 1/2) / 65536, times the width.
    private static ushort[] Quantiles(double width)
    {
        using var scope = NewDisposeScope();
        var p = (arange(65536, dtype: ScalarType.Float64) + 0.5) / 65536;
        var values = (Math.Sqrt(2) * width * special.erfinv((2 * p) - 1)).to(ScalarType.BFloat16);
        return MemoryMarshal.Cast<byte, ushort>(values.bytes).ToArray();
    }

    private static void Gains(Stream file, long count)
    {
        var ones = new ushort[count];
        Array.Fill(ones, (ushort)0x3F80);
        file.Write(MemoryMarshal.AsBytes(ones.AsSpan()));
    }

    private static void Values(Stream file, long count, ushort[] quantiles, SplitMix64 stream)
    {
        var buffer = new ushort[Chunk];
        for (long at = 0; at < count; at += Chunk)
        {
            var n = (int)Math.Min(Chunk, count - at);
            for (var i = 0; i < n; i += 4)
            {
                var bits = stream.Next();
                for (var j = i; j < Math.Min(i + 4, n); j++, bits >>= 16)
                    buffer[j] = quantiles[(ushort)bits];
            }
            file.Write(MemoryMarshal.AsBytes(buffer.AsSpan(0, n)));
        }
    }
}
