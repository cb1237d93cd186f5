using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary><c>pipeline.yaml</c> as read: settings, profiles and stages, not yet checked against each other.</summary>
/// <param name="Root">Its folder.</param>
/// <param name="Content">The whole document.</param>
public sealed record PipelineFile(string Root, YamlMap Content)
{
    /// <summary>The name of the file in a checkout.</summary>
    public const string FileName = "pipeline.yaml";

    /// <summary>Names of the profiles, in file order.</summary>
    public IReadOnlyList<string> Profiles =>
        Content["profiles"] is YamlMap profiles ? [.. profiles.Entries.Select(e => e.Key)] : [];

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is absent or not YAML of the allowed kind.</exception>
    public static PipelineFile Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(
                path,
                "there is no such file",
                "the study is described in pipeline.yaml at the top of the checkout"
            );
        return Parse(File.ReadAllText(path), Path.GetFileName(path), Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="name">For messages.</param>
    /// <param name="root">Folder to which files are relative.</param>
    public static PipelineFile Parse(string text, string name, string root) =>
        YamlReader.Read(text, name) is YamlMap map
            ? new PipelineFile(root, map)
            : throw new InputException(
                new InputProblem(name, 1, 1, "must be a map with settings, profiles and stages")
            );
}

/// <summary>Which variant of the study is wanted.</summary>
/// <param name="Profile">Its name; null for the file's default.</param>
/// <param name="Sets">Values of the command line, <c>a.b=c</c>.</param>
public sealed record PlanRequest(string? Profile = null, IReadOnlyList<string>? Sets = null);
