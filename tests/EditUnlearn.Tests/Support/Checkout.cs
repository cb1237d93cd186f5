namespace EditUnlearn.Tests.Support;

/// <summary>
/// Places around the tests: the checkout they were built from and reference material that may be absent.
/// </summary>
public static class Checkout
{
    /// <summary>The folder of <c>EditUnlearn.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// Golden values: <c>EU_GOLDENS</c>, else <c>../shared/goldens</c> beside the checkout. May not exist.
    /// </summary>
    public static string Goldens { get; } = FromEnvironment("EU_GOLDENS") ?? Path.Combine(Shared, "goldens");

    /// <summary>
    /// Original data and specifications: <c>EU_SHARED</c>, else <c>../shared</c> beside the checkout. May not exist.
    /// </summary>
    public static string Shared => FromEnvironment("EU_SHARED") ?? Path.GetFullPath(Path.Combine(Root, "..", "shared"));

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
