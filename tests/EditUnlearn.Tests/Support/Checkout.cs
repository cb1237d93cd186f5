namespace EditUnlearn.Tests.Support;

/// <summary>
/// Places around the tests: the checkout they were built from and reference material that may be absent.
/// </summary>
public static class Checkout
{
    /// <summary>The folder of <c>EditUnlearn.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// Small reference values that come with the checkout; read in place, never copied to the output.
    /// </summary>
    public static string Fixtures { get; } = Path.Combine(Root, "tests", "Fixtures", "goldens");

    /// <summary>
    /// Reference values in use: <c>EU_GOLDENS</c>, else <c>../shared/goldens</c> beside the checkout where that exists,
    /// else <see cref="Fixtures"/>.
    /// </summary>
    public static string Goldens { get; } = FromEnvironment("EU_GOLDENS") ?? Beside() ?? Fixtures;

    /// <summary>
    /// Original data that must not be shipped: <c>EU_SHARED</c>, else <c>../shared</c> beside the checkout. May not
    /// exist.
    /// </summary>
    public static string Shared => FromEnvironment("EU_SHARED") ?? Path.GetFullPath(Path.Combine(Root, "..", "shared"));

    /// <summary>How messages call a place: below the checkout by its path in it, with slashes; else in full.</summary>
    public static string NameOf(string path)
    {
        var relative = Path.GetRelativePath(Root, path);
        return (relative.StartsWith("..", StringComparison.Ordinal) ? path : relative).Replace('\\', '/');
    }

    private static string? Beside() =>
        Path.Combine(Shared, "goldens") is var full && Directory.Exists(full) ? full : null;

    private static string? FromEnvironment(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? Path.GetFullPath(value, Root) : null;

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "EditUnlearn.sln")))
                return at.FullName;
        throw new InvalidOperationException("the tests do not lie below a folder with EditUnlearn.sln");
    }
}
