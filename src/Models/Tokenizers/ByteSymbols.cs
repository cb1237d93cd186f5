using System.Text;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>
/// The 256 printable characters that stand for bytes in byte-level BPE files. Source: Radford et al. (2019), released
/// encoder.
/// </summary>
internal static class ByteSymbols
{
    private static readonly char[] Symbols = Build();
    private static readonly Dictionary<char, byte> Bytes = Symbols
        .Select((c, b) => (c, (byte)b))
        .ToDictionary(p => p.c, p => p.Item2);

    public static IReadOnlyList<char> All => Symbols;

    /// <summary>UTF-8 bytes of a text as symbols.</summary>
    public static string Of(string text) =>
        string.Create(
            Encoding.UTF8.GetByteCount(text),
            text,
            (target, source) =>
            {
                Span<byte> bytes = new byte[target.Length];
                Encoding.UTF8.GetBytes(source, bytes);
                for (var i = 0; i < bytes.Length; i++)
                    target[i] = Symbols[bytes[i]];
            }
        );

    /// <summary>Whether a word is made of such symbols only.</summary>
    public static bool Spells(string word) => word.All(Bytes.ContainsKey);

    /// <summary>The bytes behind symbols.</summary>
    public static byte[] ToBytes(string symbols) => [.. symbols.Select(c => Bytes[c])];

    // Printable Latin-1 stands for itself; everything else is moved to 256 and up, in order.
    private static char[] Build()
    {
        var symbols = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
            symbols[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF)
                ? (char)b
                : (char)next++;
        return symbols;
    }
}
