namespace EditUnlearn.Tests.Support;

// xunit 2 cannot skip while running, so these decide at discovery; every skip carries its reason.

/// <summary>A test that compares with reference values.</summary>
public interface IReadsGoldens
{
    /// <summary>
    /// What it needs of the golden folder: a file or folder, with <c>*</c> in the last part if need be.
    /// </summary>
    string Needs { get; }
}

/// <summary>A fact that needs part of the golden folder.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GoldenFactAttribute : FactAttribute, IReadsGoldens
{
    /// <param name="needs">A file or folder below the golden folder; the last part may hold <c>*</c>.</param>
    public GoldenFactAttribute(string needs) => (Needs, Skip) = (needs, Goldens.Missing(needs));

    /// <inheritdoc/>
    public string Needs { get; }
}

/// <summary>
/// A theory that needs part of the golden folder. Its member data must come out non-empty where that part is there.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GoldenTheoryAttribute : TheoryAttribute, IReadsGoldens
{
    /// <param name="needs">A file or folder below the golden folder; the last part may hold <c>*</c>.</param>
    public GoldenTheoryAttribute(string needs) => (Needs, Skip) = (needs, Goldens.Missing(needs));

    /// <inheritdoc/>
    public string Needs { get; }
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
        var absent = programs.Where(p => Programs.Find(p) is null).ToArray();
        if (absent.Length > 0)
            Skip = $"not installed: {string.Join(", ", absent)}";
    }
}

/// <summary>A fact that compares a real model with reference values of it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealModelFactAttribute : FactAttribute, IReadsGoldens
{
    /// <param name="values">Files below the golden folder; parts of the path may hold <c>*</c>.</param>
    public RealModelFactAttribute(string values) =>
        (Needs, Skip) = (Missing.Part(values), Goldens.Missing(values) ?? RealModels.Missing());

    /// <inheritdoc/>
    public string Needs { get; }
}

/// <summary>A theory that compares a real model with reference values of it.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RealModelTheoryAttribute : TheoryAttribute, IReadsGoldens
{
    /// <param name="values">Files below the golden folder; parts of the path may hold <c>*</c>.</param>
    public RealModelTheoryAttribute(string values) =>
        (Needs, Skip) = (Missing.Part(values), Goldens.Missing(values) ?? RealModels.Missing());

    /// <inheritdoc/>
    public string Needs { get; }
}

internal static class Programs
{
    /// <summary>The path of a program on the search path; null for none.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator)
            .Select(f => Path.Combine(f, name))
            .FirstOrDefault(File.Exists);
}

internal static class Missing
{
    // A folder either holds the values of the real model or does not.
    public static string Part(string values) => values[..(values.IndexOf("real/", StringComparison.Ordinal) + 4)];

    public static string? Reason(string path, string variable) =>
        Path.Exists(path) ? null : $"absent: {path} (set {variable} to the folder that holds it)";
}
