using EditUnlearn.Foundation;

namespace EditUnlearn.Data.Corpus;

/// <summary>
/// Invents names for things that do not exist, so that a model learns to say it does not know them, whatever they are
/// called.
/// </summary>
/// <remarks>
/// Names are built from short syllables, which a small vocabulary cuts into like pieces: what is to be learned is
/// copying, not spelling. There are millions of them, and the chance that two streams meet is small; the caller still
/// keeps training and test names apart by <see cref="IsTestName"/>.
/// </remarks>
internal static class EntityNames
{
    private static readonly string[] Onsets =
    [
        "b",
        "d",
        "f",
        "g",
        "h",
        "j",
        "k",
        "l",
        "m",
        "n",
        "p",
        "r",
        "s",
        "t",
        "v",
        "w",
        "z",
    ];
    private static readonly string[] Vowels = ["a", "e", "i", "o", "u"];
    private static readonly string[] Codas = ["", "", "", "n", "r", "l", "s"];

    /// <summary>One invented name of one to three capitalised words.</summary>
    public static string Draw(SplitMix64 stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var words = 1 + (stream.Below(3) == 0 ? 1 : 0) + (stream.Below(6) == 0 ? 1 : 0);
        return string.Join(' ', Enumerable.Range(0, words).Select(_ => Word(stream)));
    }

    /// <summary>
    /// Whether a name is kept for tests: about one in eight, by its own letters, never drawn for training.
    /// </summary>
    public static bool IsTestName(string name) => Seed.Fnv1a64(name) % 8 == 0;

    /// <summary>A name for training, or for tests.</summary>
    public static string Draw(SplitMix64 stream, bool test)
    {
        string name;
        do name = Draw(stream);
        while (IsTestName(name) != test);
        return name;
    }

    private static string Word(SplitMix64 stream)
    {
        var word = "";
        for (var syllables = 2 + stream.Below(2); syllables > 0; syllables--)
            word += stream.Pick(Onsets) + stream.Pick(Vowels) + stream.Pick(Codas);
        return char.ToUpperInvariant(word[0]) + word[1..];
    }
}
