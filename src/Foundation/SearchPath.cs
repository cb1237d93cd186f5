namespace EditUnlearn.Foundation;

/// <summary>Programs on PATH.</summary>
public static class SearchPath
{
    /// <summary>The first program of this name; null where there is none.</summary>
    public static string? Find(string program)
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator))
            if (folder.Length > 0 && Path.Combine(folder, program) is var path && File.Exists(path))
                return path;
        return null;
    }
}
