using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// <c>pipeline.yaml</c> with the profiles beside it, as read: stages and values, not yet checked against each other.
/// </summary>
/// <param name="Root">The folder of <c>pipeline.yaml</c>; paths in it are relative to this folder.</param>
/// <param name="Content">The whole of <c>pipeline.yaml</c>.</param>
/// <param name="Sources">The files of the profiles, by the name of the profile.</param>
public sealed record PipelineFile(string Root, YamlMap Content, IReadOnlyDictionary<string, ProfileSource> Sources)
{
    /// <summary>The name of the file in a checkout.</summary>
    public const string FileName = "pipeline.yaml";

    /// <summary>The folder of the profiles, beside the file.</summary>
    public const string ProfileFolder = "profiles";

    internal const string DefaultProfile = "default-profile";

    /// <summary>
    /// Names of the profiles that can be run, in the order of the alphabet; abstract ones are left out.
    /// </summary>
    public IReadOnlyList<string> Profiles =>
        [.. Sources.Values.Where(s => !ProfileLayers.IsAbstract(s)).Select(s => s.Name).Order(StringComparer.Ordinal)];

    /// <summary>Reads <c>pipeline.yaml</c> and the folder of profiles beside it.</summary>
    /// <exception cref="InputException">The file is absent, or it is not YAML of the allowed kind.</exception>
    public static PipelineFile Read(string path)
    {
        if (!File.Exists(path))
            throw new InputException(
                path,
                "there is no such file",
                "the study is described in pipeline.yaml at the top of the checkout"
            );
        var root = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var folder = Path.Combine(root, ProfileFolder);
        var sources = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.yaml").Order(StringComparer.Ordinal).Select(ProfileSource.Read)
            : [];
        return Parse(UserFile.Text(path), Path.GetFileName(path), root, [.. sources]);
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">YAML of the stages.</param>
    /// <param name="name">For messages.</param>
    /// <param name="root">The folder to which files are relative.</param>
    /// <param name="profiles">The profiles.</param>
    /// <exception cref="InputException">The text is not YAML of the allowed kind.</exception>
    public static PipelineFile Parse(
        string text,
        string name,
        string root,
        params IReadOnlyList<ProfileSource> profiles
    ) =>
        YamlReader.Read(text, name) is YamlMap map
            ? new PipelineFile(root, map, profiles.ToDictionary(p => p.Name, StringComparer.Ordinal))
            : throw new InputException(new InputProblem(name, 1, 1, "must be a map with default-profile and stages"));

    /// <summary>A single value of the default profile, without the rest of the plan; null where it has none.</summary>
    /// <param name="setting">A key of the top level of a profile.</param>
    public string? Value(string setting)
    {
        var layers = ProfileLayers.Of(this, null, new Problems());
        return layers.Select(l => l.Values[setting]).OfType<YamlScalar>().LastOrDefault()?.Text;
    }
}

/// <summary>
/// The file of one profile, not yet read as YAML: a mistake in a profile matters only to who asks for it.
/// </summary>
/// <param name="Name">The name of the profile: that of the file, without its ending.</param>
/// <param name="File">For messages: <c>profiles/mini.yaml</c>.</param>
/// <param name="Text">YAML.</param>
public sealed record ProfileSource(string Name, string File, string Text)
{
    /// <summary>Reads a file.</summary>
    internal static ProfileSource Read(string path) =>
        new(
            Path.GetFileNameWithoutExtension(path),
            $"{PipelineFile.ProfileFolder}/{Path.GetFileName(path)}",
            UserFile.Text(path)
        );
}

/// <summary>Which variant of the study is wanted.</summary>
/// <param name="Profile">Its name; null for the default.</param>
/// <param name="Sets">Values of the command line, <c>a.b=c</c>.</param>
public sealed record PlanRequest(string? Profile = null, IReadOnlyList<string>? Sets = null);
