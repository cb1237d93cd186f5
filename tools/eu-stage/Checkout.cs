namespace EditUnlearn.Launcher;

/// <summary>The EditUnlearn checkout that surrounds a folder.</summary>
/// <param name="Root">The folder of <c>EditUnlearn.sln</c>.</param>
public sealed record Checkout(string Root)
{
    /// <summary>The project that holds the commands.</summary>
    public string Project => Path.Combine(Root, "src", "Cli", "Cli.csproj");

    /// <summary>Where the launcher keeps its stamp and its lock.</summary>
    public string StateFolder => Path.Combine(Root, ".build");

    /// <summary>The program the build leaves behind.</summary>
    public string Program =>
        Path.Combine(
            Root,
            "src",
            "Cli",
            "bin",
            "Release",
            "net10.0",
            OperatingSystem.IsLinux() ? "linux-x64" : "",
            "EditUnlearn.Cli.dll"
        );

    /// <summary>Why it cannot be built where it lies, or null.</summary>
    /// <remarks>MSBuild takes a semicolon in a path for the border of two items, whatever quotes it.</remarks>
    public string? Complaint =>
        Root.Contains(';', StringComparison.Ordinal)
            ? $"eu-stage: the checkout lies in '{Root}', and a path with ';' cannot be built\n"
                + "  hint: move it to a folder without ';' in its name"
            : null;

    /// <summary>Walks up from <paramref name="folder"/>; null when no parent holds the solution.</summary>
    public static Checkout? Around(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            if (
                File.Exists(Path.Combine(at.FullName, "EditUnlearn.sln"))
                && File.Exists(Path.Combine(at.FullName, ".config", "dotnet-tools.json"))
            )
                return new Checkout(at.FullName);
        return null;
    }
}
