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
        var lines = UserFile.Text(path).Split('\n').Select(l => l.TrimEnd()).Where(l => l.Length > 0).ToArray();
        return lines.Length > 0 ? lines : throw new InputException(path, "holds no line");
    }
}
