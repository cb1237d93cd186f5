using System.Reflection;
using Cocona.Application;

namespace EditUnlearn.Cli;

/// <summary>
/// Names the program in help and <c>--version</c> as the user typed it; Cocona would say <c>dotnet</c>.
/// </summary>
internal sealed class ToolMetadata : ICoconaApplicationMetadataProvider
{
    public string GetProductName() => "EditUnlearn";

    public string GetDescription() =>
        "Can knowledge-editing methods make a language model forget? Runs the study of pipeline.yaml, stage by "
        + "stage, and only what is stale.\n\n"
        + ExitCodes.Legend;

    public string GetExecutableName() => "dotnet eu-stage";

    public string GetVersion() =>
        typeof(ToolMetadata).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "0.0.0";
}
