using System.Globalization;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;

namespace EditUnlearn.Launcher;

/// <summary>Decides from file stats alone whether the built program is the program in the tree.</summary>
/// <remarks>
/// A no-change <c>dotnet build</c> takes seconds; comparing some hundred sizes and times takes milliseconds.
/// </remarks>
public static class Freshness
{
    /// <summary>
    /// A hash of path, size and time of every file that goes into the build, and of the settings that choose it.
    /// </summary>
    /// <param name="checkout">The tree.</param>
    /// <param name="settings">What else decides the build, for example the libtorch flavour.</param>
    public static string Stamp(Checkout checkout, string settings)
    {
        ArgumentNullException.ThrowIfNull(checkout);
        var lines = new List<string> { settings };
        foreach (var folder in (string[])["src", "build"])
            lines.AddRange(Files(Path.Combine(checkout.Root, folder), recurse: true));
        lines.AddRange(Files(checkout.Root, recurse: false));
        lines.Sort(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines))));
    }

    private static IEnumerable<string> Files(string folder, bool recurse)
    {
        if (!Directory.Exists(folder))
            return [];
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = recurse,
            AttributesToSkip = FileAttributes.System,
        };
        return new FileSystemEnumerable<string>(folder, Line, options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry e) => !e.IsDirectory && (recurse || IsBuildFile(e.FileName)),
            ShouldRecursePredicate = (ref FileSystemEntry e) =>
                !e.FileName.SequenceEqual("bin") && !e.FileName.SequenceEqual("obj"),
        };
    }

    // At the top of the tree only what MSBuild and NuGet read; pipeline.yaml, README and the like rebuild nothing.
    private static bool IsBuildFile(ReadOnlySpan<char> name) =>
        name.EndsWith(".props")
        || name.EndsWith(".targets")
        || name.EndsWith(".editorconfig")
        || name.SequenceEqual("global.json")
        || name.SequenceEqual("nuget.config");

    private static string Line(ref FileSystemEntry e) =>
        string.Create(CultureInfo.InvariantCulture, $"{e.ToFullPath()}|{e.Length}|{e.LastWriteTimeUtc.UtcTicks}");
}
