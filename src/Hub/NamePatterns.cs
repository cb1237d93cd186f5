using System.Text;
using System.Text.RegularExpressions;

namespace EditUnlearn.Hub;

/// <summary>
/// Which files of a repository are wanted. Patterns as the hub's own tools read them: <c>*</c> also crosses folders,
/// <c>?</c> is one character, <c>[ab]</c> one of several.
/// </summary>
/// <param name="Include">A file must match one of these.</param>
/// <param name="Exclude">And none of these.</param>
public sealed record NamePatterns(IReadOnlyList<string> Include, IReadOnlyList<string> Exclude)
{
    /// <summary>Loading one of these can run code. They are never fetched.</summary>
    public static IReadOnlyList<string> Pickles { get; } =
    ["*.bin", "*.pth", "*.pt", "*.pkl", "*.pickle", "*.ckpt", "*.joblib", "*.npy", "*.npz"];

    /// <summary>
    /// What a model needs here: weights, settings, tokenizer, and the licence that comes with them. Second copies of
    /// the weights are left out.
    /// </summary>
    public static NamePatterns ForModels { get; } =
        new(
            ["*.safetensors", "*.json", "tokenizer.model*", "*.txt", "*.jinja", "LICENSE*", "NOTICE*", "USE_POLICY*"],
            ["original/*", "consolidated*.safetensors", "onnx/*", "openvino/*"]
        );

    /// <summary>Everything.</summary>
    public static NamePatterns All { get; } = new(["*"], []);

    /// <summary>Whether a file is wanted.</summary>
    public bool Wants(string name) => Include.Any(p => Matches(p, name)) && !Exclude.Any(p => Matches(p, name));

    /// <summary>Whether a file is pickle.</summary>
    public static bool IsPickle(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Pickles.Any(p => Matches(p, name.ToLowerInvariant()));
    }

    /// <summary>
    /// Whether a name matches a pattern as a whole. A pattern that ends with a slash means everything below.
    /// </summary>
    public static bool Matches(string pattern, string name)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        if (pattern.EndsWith('/'))
            pattern += "*";
        var regex = new StringBuilder("^");
        for (var i = 0; i < pattern.Length; i++)
        {
            var close = pattern[i] == '[' ? pattern.IndexOf(']', Math.Min(i + 2, pattern.Length - 1)) : -1;
            if (pattern[i] == '*')
                regex.Append(".*");
            else if (pattern[i] == '?')
                regex.Append('.');
            else if (close > i + 1)
            {
                var inner = pattern[(i + 1)..close]
                    .Replace("\\", "\\\\", StringComparison.Ordinal)
                    .Replace("[", "\\[", StringComparison.Ordinal)
                    .Replace("]", "\\]", StringComparison.Ordinal);
                regex
                    .Append('[')
                    .Append(
                        inner[0] == '!' ? "^" + inner[1..]
                        : inner[0] == '^' ? "\\" + inner
                        : inner
                    )
                    .Append(']');
                i = close;
            }
            else
                regex.Append(Regex.Escape(pattern[i].ToString()));
        }
        try
        {
            return Regex.IsMatch(
                name,
                regex.Append('$').ToString(),
                RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | RegexOptions.Singleline
            );
        }
        catch (ArgumentException)
        {
            return pattern == name; // a class such as [z-a] means nothing
        }
    }
}
