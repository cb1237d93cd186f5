using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;

namespace EditUnlearn.Stages;

/// <summary>
/// Takes a real checkpoint into the study: checks the folder, and names its content by the hashes of the files that
/// matter. Nothing is copied.
/// </summary>
/// <remarks>
/// Stages that read it get the folder itself; their keys see the hashes only, so neither the place of the folder nor a
/// read-me inside it changes a result.
/// </remarks>
public sealed class CheckpointStage : Stage<CheckpointStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Family">Which family the folder must hold.</param>
    public sealed record Params(string Family);

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("checkpoint", 1, "a real model, from a folder")
        {
            Inputs = [new("folder")],
            Outputs = ["checkpoint.json"],
            StandsFor = "folder",
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var families = FamilyCatalog.All.Select(f => f.Name).ToList();
        if (!families.Contains(parameters.Family))
            yield return new ParameterProblem(
                "family",
                $"'{parameters.Family}' is not a family",
                Spelling.Nearest(parameters.Family, families) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", families)
            );
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var folder = io.Input("folder");
        var model = io.Cell.Axis("model") ?? parameters.Family;
        if (!Directory.Exists(folder))
            throw new InputException(
                folder,
                "is not a folder",
                $"models.{model}.path names a folder with config.json and safetensors"
            );
        var found = ModelFolder.Look(
            folder,
            $"dotnet eu-stage pull {model}, or set models.{model}.path"
        );
        if (found.Problems.Count > 0)
            throw new InputException(found.Problems);
        var (config, stored) = ConfigFile.Read(Path.Combine(folder, "config.json"));
        if (config.Family != parameters.Family)
            throw new InputException(
                folder,
                $"holds a model of the family {config.Family}, but stands for {parameters.Family}",
                $"models.{model}.path names the folder, models.{model}.family what it holds"
            );
        var total = found.Files.Sum(f => f.Bytes);
        long done = 0;
        var files = new JsonArray();
        foreach (var file in found.Files)
        {
            io.Cancelled.ThrowIfCancellationRequested();
            if (file.Name.EndsWith(".safetensors", StringComparison.Ordinal))
                _ = SafetensorsFile.Open(Path.Combine(folder, file.Name)); // a broken header is better found now
            files.Add(
                new JsonObject
                {
                    ["path"] = file.Name,
                    ["bytes"] = file.Bytes,
                    ["sha256"] = Hash(Path.Combine(folder, file.Name), n => io.Progress(done += n, total, file.Name)),
                }
            );
        }
        var identity = new JsonObject
        {
            ["format"] = "checkpoint/1",
            ["family"] = config.Family,
            ["dtype"] = stored.ToString().ToLowerInvariant(),
            ["parameters"] = config.Tensors().Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b)),
            ["files"] = files,
        };
        File.WriteAllText(
            io.Output("checkpoint.json"),
            identity.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n"
        );
        io.Log(string.Create(CultureInfo.InvariantCulture, $"{found.Files.Count} files, {total} bytes"));
        io.Metric("weight-bytes", found.WeightBytes);
    }

    private static string Hash(string path, Action<long> read)
    {
        using var file = new FileStream(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1,
            FileOptions.SequentialScan
        );
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (int n; (n = file.Read(buffer)) > 0;)
        {
            hash.AppendData(buffer, 0, n);
            read(n);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
