using System.Runtime.CompilerServices;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Compares text with a <c>*.verified.*</c> file beside the test. A mismatch leaves a <c>*.received.*</c> to look at.
/// </summary>
/// <remarks>
/// <c>EU_SNAPSHOT_ACCEPT=1</c> accepts what came out. With <c>CI=true</c> nothing is ever created or accepted.
/// </remarks>
public static class Snapshot
{
    /// <summary>Fails unless <paramref name="actual"/> is what was accepted.</summary>
    /// <param name="actual">The text; line ends are compared as LF.</param>
    /// <param name="name">File name with extension, such as <c>table1.tex</c>.</param>
    /// <param name="source">Filled in by the compiler.</param>
    public static void Matches(string actual, string name, [CallerFilePath] string source = "")
    {
        // PathMap hides the real folder from the compiler; the checkout knows it.
        var folder = Path.GetDirectoryName(
            source.StartsWith("/_/", StringComparison.Ordinal) ? Path.Combine(Checkout.Root, source[3..]) : source
        )!;
        var verified = Path.Combine(
            folder,
            $"{Path.GetFileNameWithoutExtension(name)}.verified{Path.GetExtension(name)}"
        );
        var received = verified.Replace(".verified", ".received", StringComparison.Ordinal);
        var inCi = Environment.GetEnvironmentVariable("CI") == "true";
        actual = actual.ReplaceLineEndings("\n");
        var expected = File.Exists(verified) ? File.ReadAllText(verified).ReplaceLineEndings("\n") : null;
        if (actual == expected)
        {
            if (!inCi)
                File.Delete(received);
            return;
        }
        if (!inCi && Environment.GetEnvironmentVariable("EU_SNAPSHOT_ACCEPT") == "1")
        {
            File.WriteAllText(verified, actual);
            return;
        }
        if (!inCi)
            File.WriteAllText(received, actual);
        if (expected is null)
            Assert.Fail($"There is no {verified} yet. What came out:\n{actual}\nEU_SNAPSHOT_ACCEPT=1 accepts it.");
        Assert.Equal(expected, actual);
    }
}
