using System.Text.Json.Nodes;
using Cocona;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli.Commands;

/// <summary><c>pull</c>: fetches checkpoints and the original data files.</summary>
internal sealed class PullCommand(Stopping stopping)
{
    private const string InputsSetting = "inputs";

    /// <summary>Fetches a repository's revision, or what a name of <c>data/sources.json</c> stands for.</summary>
    [Command(
        "pull",
        Description = "Fetch a model or data set from the hub, or the study's originals by name: pull tofu, pull llama2"
    )]
    public async Task<int> Pull(
        [Argument(Description = "ORG/NAME, or a name of data/sources.json")] string name,
        [Option("revision", Description = "Branch, tag or commit; the commit is pinned in pull.lock.json")]
            string? revision = null,
        [Option("include", Description = "Only files that match: '*.safetensors'")] string[]? include = null,
        [Option("exclude", Description = "No files that match")] string[]? exclude = null,
        [Option("repo-type", Description = "model or dataset")] string repoType = "model",
        [Option("to", Description = "Also place the files in this folder")] string? to = null,
        [Option("update", Description = "Ask what the revision means today, whatever pull.lock.json says")]
            bool update = false,
        [Option('n', Description = "List the files, their sizes and what is there, and fetch nothing")]
            bool dryRun = false,
        [Option('q', Description = "Print the folder and nothing else")] bool quiet = false,
        [Option("json", Description = "Print one JSON object on stdout")] bool json = false
    )
    {
        CommandOutcome.Reached = true;
        var root = Study.FindRootOrNull();
        var source = name.Contains('/', StringComparison.Ordinal) ? null : Named(root, name);
        var settings = HubSettings.FromEnvironment(
            Environment.GetEnvironmentVariable,
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile)
        );
        var reporter = new PullReporter(quiet || json || dryRun, settings.ShowProgress);
        try
        {
            using var hub = new HubPull(settings, reporter);
            if (source?.Files is { Count: > 0 } files)
            {
                if (revision is not null || include is not null || exclude is not null || update)
                    throw new InputException(
                        name,
                        "is a list of pinned files: --revision, --include, --exclude and --update do not apply",
                        "give ORG/NAME to pull another revision"
                    );
                var folder = Path.GetFullPath(to ?? Inputs(root!));
                var pulled = await reporter
                    .WatchAsync(() => hub.RunAsync(files, folder, dryRun, stopping.Token))
                    .ConfigureAwait(false);
                Print(new PullResult(source.Title, "", "", folder, pulled, []), dryRun, quiet, json);
                return ExitCodes.Done;
            }
            var request = new PullRequest(
                RepositoryId.Parse(TypeOf(repoType), source?.Repository ?? name),
                revision ?? source?.Revision ?? "main",
                Patterns(TypeOf(repoType), include, exclude)
            )
            {
                To = to ?? (source?.Folder is { } place ? Path.Combine(Inputs(root!), place) : null),
                DryRun = dryRun,
                Update = update,
                LockFile = root is null ? null : Path.Combine(root, PullLock.FileName),
                Pins =
                    source?.Pins is { } pins && (revision is null || revision == source.Revision)
                        ? pins
                        : new Dictionary<string, string>(),
            };
            Print(
                await reporter.WatchAsync(() => hub.RunAsync(request, stopping.Token)).ConfigureAwait(false),
                dryRun,
                quiet,
                json
            );
            return ExitCodes.Done;
        }
        catch (OperationCanceledException) when (stopping.Token.IsCancellationRequested)
        {
            Screen.Note("Stopped. What has arrived is kept; the same command goes on from there.");
            return ExitCodes.Interrupted;
        }
    }

    private static PullSource Named(string? root, string name)
    {
        if (root is null)
            throw new InputException(
                name,
                "is not of the form ORG/NAME, and short names are known in a checkout only",
                "change into a checkout"
            );
        var catalog = SourceCatalog.Read(Path.Combine(root, SourceCatalog.FileName));
        var known = catalog.Sources.Select(s => s.Name).ToList();
        return catalog.Find(name)
            ?? throw new InputException(
                name,
                $"is neither of the form ORG/NAME nor a name of {SourceCatalog.FileName}",
                Spelling.Nearest(name, known) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", known)
            );
    }

    private static RepositoryType TypeOf(string text) =>
        text switch
        {
            "model" => RepositoryType.Model,
            "dataset" => RepositoryType.Dataset,
            _ => throw new InputException(
                "--repo-type",
                $"'{text}' is not a kind of repository",
                "known: model, dataset"
            ),
        };

    private static NamePatterns Patterns(RepositoryType type, string[]? include, string[]? exclude)
    {
        var usual = type == RepositoryType.Model && include is null ? NamePatterns.ForModels : NamePatterns.All;
        return new NamePatterns(include ?? usual.Include, [.. usual.Exclude, .. exclude ?? []]);
    }

    // The setting is where the study looks for files from outside; profiles do not move it.
    private static string Inputs(string root) =>
        Path.Combine(
            root,
            PipelineFile.Read(Path.Combine(root, PipelineFile.FileName)).Value(InputsSetting) is { Length: > 0 } folder
                ? folder
                : InputsSetting
        );

    private static void Print(PullResult result, bool dryRun, bool quiet, bool json)
    {
        var (bytes, missing) = (result.Files.Sum(f => f.Bytes), result.Files.Sum(f => f.Missing));
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["repository"] = result.Repository,
                    ["revision"] = result.Revision,
                    ["commit"] = result.Commit,
                    ["folder"] = result.Folder,
                    ["dryRun"] = dryRun,
                    ["bytes"] = bytes,
                    [dryRun ? "missingBytes" : "fetchedBytes"] = missing,
                    ["files"] = new JsonArray([
                        .. result.Files.Select(f => new JsonObject
                        {
                            ["path"] = f.Path,
                            ["bytes"] = f.Bytes,
                            ["sha256"] = f.Sha256,
                            [dryRun ? "missingBytes" : "fetchedBytes"] = f.Missing,
                        }),
                    ]),
                    ["leftOut"] = new JsonArray([.. result.LeftOut.Select(f => (JsonNode)f)]),
                }
            );
        else if (quiet)
            Console.Out.WriteLine(result.Folder);
        else
        {
            if (dryRun)
                foreach (var file in result.Files)
                {
                    var there =
                        file.Missing == 0 ? "  (there)"
                        : file.Missing < file.Bytes ? $"  ({Format.Bytes(file.Bytes - file.Missing)} there)"
                        : "";
                    Console.Out.WriteLine($"{Format.Bytes(file.Bytes),9}  {file.Path}{there}");
                }
            var at = result.Commit.Length > 0 ? $" at commit {result.Commit[..12]}" : "";
            Console.Out.WriteLine(
                dryRun
                    ? $"{result.Repository}{at}: {result.Files.Count} files, {Format.Bytes(bytes)}, of which "
                        + $"{Format.Bytes(missing)} would be fetched."
                    : $"{result.Repository}{at}: {result.Files.Count} files, {Format.Bytes(bytes)}, in {result.Folder}"
            );
        }
    }
}
