using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// A study in one text: <c>pipeline.yaml</c>, then profiles, each below a line <c>--- name</c>. The first profile is
/// the default where the text names none.
/// </summary>
internal static class StudyText
{
    private const string Mark = "--- ";

    public static PipelineFile Parse(string text, string root)
    {
        var parts = new List<(string Name, List<string> Lines)> { ("", []) };
        foreach (var line in text.Split('\n'))
            if (line.StartsWith(Mark, StringComparison.Ordinal))
                parts.Add((line[Mark.Length..].Trim(), []));
            else
                parts[^1].Lines.Add(line);
        var profiles = parts
            .Skip(1)
            .Select(p => new ProfileSource(p.Name, $"profiles/{p.Name}.yaml", string.Join('\n', p.Lines)))
            .ToList();
        var pipeline = string.Join('\n', parts[0].Lines);
        if (profiles.Count > 0 && !pipeline.Contains("default-profile:", StringComparison.Ordinal))
            pipeline += $"\ndefault-profile: {profiles[0].Name}\n";
        return PipelineFile.Parse(pipeline, "pipeline.yaml", root, profiles);
    }
}
