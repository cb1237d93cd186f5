using System.Text;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>Plain lists with one text a line, for example refusals.</summary>
public static class TextLines
{
    /// <summary>
    /// Reads a list; trailing white space and empty lines do not count, as in TOFU's list of refusals.
    /// </summary>
    /// <exception cref="InputException">The file is absent, empty or not UTF-8.</exception>
    public static IReadOnlyList<string> Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(path, "there is no such file");
        try
        {
            var lines = File.ReadAllLines(path, new UTF8Encoding(false, throwOnInvalidBytes: true))
                .Select(l => l.TrimEnd())
                .Where(l => l.Length > 0)
                .ToArray();
            return lines.Length > 0 ? lines : throw new InputException(path, "holds no line");
        }
        catch (DecoderFallbackException e)
        {
            throw new InputException(path, "is not UTF-8: " + e.Message, "save it as UTF-8");
        }
    }
}
