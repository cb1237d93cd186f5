namespace EditUnlearn.Tests.Support;

// xunit 2 cannot skip while running, so these decide at discovery; every skip carries its reason.

/// <summary>A fact that needs part of the golden folder.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GoldenFactAttribute : FactAttribute
{
    /// <param name="path">A file or folder below the golden folder.</param>
    public GoldenFactAttribute(string path = "") =>
        Skip = Missing.Reason(Path.Combine(Checkout.Goldens, path), "EU_GOLDENS");
}

/// <summary>
/// A theory that needs part of the golden folder. Its member data must come out non-empty only where the folder exists.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GoldenTheoryAttribute : TheoryAttribute
{
    /// <param name="path">A file or folder below the golden folder.</param>
    public GoldenTheoryAttribute(string path = "") =>
        Skip = Missing.Reason(Path.Combine(Checkout.Goldens, path), "EU_GOLDENS");
}

/// <summary>A fact that needs original data files that the project must not ship.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SharedFactAttribute : FactAttribute
{
    /// <param name="path">A file or folder below the shared folder.</param>
    public SharedFactAttribute(string path) => Skip = Missing.Reason(Path.Combine(Checkout.Shared, path), "EU_SHARED");
}

/// <summary>A fact that needs a program on the search path.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ProgramFactAttribute : FactAttribute
{
    /// <param name="programs">File names, all needed.</param>
    public ProgramFactAttribute(params string[] programs)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        var absent = programs.Where(p => !folders.Any(f => File.Exists(Path.Combine(f, p)))).ToArray();
        if (absent.Length > 0)
            Skip = $"not installed: {string.Join(", ", absent)}";
    }
}

internal static class Missing
{
    public static string? Reason(string path, string variable) =>
        Path.Exists(path) ? null : $"absent: {path} (set {variable} to the folder that holds it)";
}
