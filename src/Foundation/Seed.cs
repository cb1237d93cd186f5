using System.Text;

namespace EditUnlearn.Foundation;

/// <summary>
/// A seed from which every purpose derives its own stream, so that one more draw for one purpose moves no other.
/// </summary>
/// <param name="Value">The number written in <c>pipeline.yaml</c>.</param>
public readonly record struct Seed(ulong Value)
{
    /// <summary>
    /// The generator for one purpose: the first output of <see cref="Value"/>, xor FNV-1a-64 of the name.
    /// </summary>
    /// <param name="purpose">For example <c>retain</c> or <c>edge/A_B/seller</c>.</param>
    public SplitMix64 Stream(string purpose) => new(StateOf(purpose));

    /// <summary>A seed for a part of the work, from which that part derives streams of its own.</summary>
    public Seed For(string purpose) => new(StateOf(purpose));

    /// <summary>FNV-1a, 64 bits, of the UTF-8 bytes of <paramref name="text"/>.</summary>
    public static ulong Fnv1a64(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var hash = 0xCBF29CE484222325;
        foreach (var b in Encoding.UTF8.GetBytes(text))
            hash = unchecked((hash ^ b) * 0x100000001B3);
        return hash;
    }

    private ulong StateOf(string purpose) => new SplitMix64(Value).Next() ^ Fnv1a64(purpose);
}
