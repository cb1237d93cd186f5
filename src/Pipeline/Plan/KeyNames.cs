using System.Text.RegularExpressions;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Keys have one spelling in files, <c>learning-rate</c>, and one in code and JSON, <c>learningRate</c>. This is the
/// place where one becomes the other.
/// </summary>
public static partial class KeyNames
{
    /// <summary>The key as code and JSON have it.</summary>
    public static string InCode(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var parts = key.Split('-');
        return parts[0]
            + string.Concat(parts.Skip(1).Select(p => p.Length == 0 ? "-" : char.ToUpperInvariant(p[0]) + p[1..]));
    }

    /// <summary>A key, or a path of keys, as files have it.</summary>
    public static string Written(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return string.Concat(
            path.Select(
                (c, i) => char.IsUpper(c) && i > 0 && path[i - 1] != '.' ? "-" + char.ToLowerInvariant(c) : c.ToString()
            )
        );
    }

    /// <summary>A text with every key in it, such as <c>learningRate</c>, as files have it.</summary>
    public static string WrittenIn(string text) => Key().Replace(text, m => Written(m.Value));

    /// <summary>Whether a key has the spelling of files.</summary>
    internal static bool IsWritten(string key) => !key.Any(char.IsUpper);

    [GeneratedRegex(@"\b[a-z]+(?:[A-Z][a-z0-9]*)+\b")]
    private static partial Regex Key();
}
