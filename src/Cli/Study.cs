using System.Runtime.InteropServices;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli;

/// <summary>The checkout a command works on: its plan, its store, its keys.</summary>
internal sealed class Study
{
    /// <summary>Where results are, in the checkout.</summary>
    public const string ArtifactFolder = "artifacts";

    private Study(string root, Plan plan)
    {
        Root = root;
        Plan = plan;
        Store = new ResultStore(Path.Combine(root, ArtifactFolder))
        {
            Profile = plan.Profile,
            Guesses = StageSeconds.Read(root, plan.Profile),
        };
        Files = new FileHashes(Path.Combine(Store.Folder, "files.json"));
        Code = new CodeIdentity(AppContext.BaseDirectory, Path.Combine(Store.Folder, "code.json"));
        Keys = new KeyResolver(
            plan,
            Code,
            Files,
            new Surroundings(Path.Combine(Store.Folder, "surroundings.json"))
        );
    }

    public string Root { get; }

    public Plan Plan { get; }

    public ResultStore Store { get; }

    public FileHashes Files { get; }

    public CodeIdentity Code { get; }

    public KeyResolver Keys { get; }

    /// <summary>Finds the checkout around the current folder and makes the plan.</summary>
    /// <exception cref="InputException">There is no pipeline, or it is wrong.</exception>
    public static Study Open(string? profile, IReadOnlyList<string>? sets)
    {
        CommandOutcome.Reached = true;
        var root = FindRoot();
        var file = PipelineFile.Read(Path.Combine(root, PipelineFile.FileName));
        var plan = PlanBuilder.Build(file, StudyStages.Catalog, new PlanRequest(profile, sets));
        return new Study(root, NativeNumerics.Chosen(plan, root));
    }

    /// <summary>The folder of pipeline.yaml, here or above.</summary>
    public static string FindRoot() =>
        FindRootOrNull()
        ?? throw new InputException(
            Directory.GetCurrentDirectory(),
            $"there is no {PipelineFile.FileName} here or in a folder above",
            "change into a checkout"
        );

    /// <summary>The same; null outside a checkout.</summary>
    public static string? FindRootOrNull()
    {
        for (var at = new DirectoryInfo(Directory.GetCurrentDirectory()); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, PipelineFile.FileName)))
                return at.FullName;
        return null;
    }

    /// <summary>A data file that comes with the checkout; null outside one.</summary>
    public static string? Shipped(string file) =>
        FindRootOrNull() is { } root && File.Exists(Path.Combine(root, file)) ? Path.Combine(root, file) : null;

    /// <summary>What manifests say about the ground a result stands on.</summary>
    public static IReadOnlyDictionary<string, string> Versions { get; } =
        new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["dotnet"] = Environment.Version.ToString(),
            ["os"] = RuntimeInformation.OSDescription,
            ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
            ["processor"] = Processor(),
            ["cores"] = Environment.ProcessorCount.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["torchsharp"] = VersionOf("TorchSharp"),
            ["parquet"] = VersionOf("Parquet"),
        };

    /// <summary>The same, with the GPUs where stages run on them.</summary>
    public static IReadOnlyDictionary<string, string> VersionsOn(string device) =>
        device == DeviceNames.Cuda
            ? new SortedDictionary<string, string>(
                Versions.Concat(Gpus.Versions()).ToDictionary(v => v.Key, v => v.Value),
                StringComparer.Ordinal
            )
            : Versions;

    // The class of machine, not which one.
    private static string Processor()
    {
        const string Info = "/proc/cpuinfo";
        var model = File.Exists(Info)
            ? File.ReadLines(Info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return model?.Split(':')[^1].Trim() ?? "unknown";
    }

    // Read from the file, so that the native library is not loaded for a command that needs none.
    private static string VersionOf(string assembly)
    {
        var path = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
        return File.Exists(path)
            ? System.Reflection.AssemblyName.GetAssemblyName(path).Version?.ToString() ?? "unknown"
            : "absent";
    }
}
