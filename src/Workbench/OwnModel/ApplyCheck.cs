using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>A request that can be run, with all it names read but weights.</summary>
/// <param name="Entry">The method.</param>
/// <param name="Options">Its options record.</param>
/// <param name="Family">Whose hyperparameters.</param>
/// <param name="Config">Shape of the model.</param>
/// <param name="Rows">The questions; none beside token requests.</param>
/// <param name="HeldOut">Questions to be kept that no method sees.</param>
/// <param name="Tokens">Token requests; null beside questions.</param>
internal sealed record CheckedRequest(
    MethodEntry Entry,
    object Options,
    string Family,
    ModelConfig Config,
    MethodRows Rows,
    IReadOnlyList<QaRow> HeldOut,
    TokenRequests? Tokens
);

/// <summary>Reads what a request names and finds all that is wrong with it, before a weight is read.</summary>
/// <param name="request">What somebody wants done.</param>
internal sealed class ApplyCheck(ApplyRequest request)
{
    private readonly List<InputProblem> _problems = [];

    /// <summary>Reads and checks.</summary>
    /// <exception cref="InputException">All that is wrong, at once.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public CheckedRequest Run()
    {
        CheckValues();
        var config = Config();
        var given = request.ReadOptions is null ? null : Tried(request.ReadOptions);
        var family = request.Family ?? Ground(config);
        var bound = MethodCatalog.Bind(
            request.Method,
            request.Preset,
            given?.Values,
            out var wrong,
            family,
            config?.Layers
        );
        _problems.AddRange(wrong.Select(p => Placed(p, given)));

        var tokens = request.TokenRequests is null ? null : Tried(() => TokenRequests.Read(request.TokenRequests));
        var asked = (request.Forget ?? request.Requests) is { } path ? Tried(() => QaFile.ReadPlaced(path)) : null;
        var retain = request.Retain is null ? [] : Tried(() => QaFile.Read(request.Retain, SplitNames.Retain)) ?? [];
        var heldOut = request.HoldOut is null ? [] : Tried(() => HeldOut(request.HoldOut, asked, retain)) ?? [];
        var targets = asked is null ? null : Tried(() => Targets(asked));
        foreach (
            var (option, file) in ((string, string?)[])[("--retain", request.Retain), ("--holdout", request.HoldOut)]
        )
            if (request.TokenRequests is not null && file is not null)
                Wrong(option, "cannot be asked beside --token-requests, which need no tokenizer");
        // Options that could not be read say nothing: what would follow from the defaults is nobody's mistake.
        if (bound is var (entry, options) && (request.ReadOptions is null || given is not null))
            CheckMethod(entry, options, config, given, tokens);
        if (_problems.Count > 0)
            throw new InputException(_problems);

        var rows = (asked ?? []).Select(q => q.Row).ToList();
        var drawn = targets ?? Drawn.None;
        return new CheckedRequest(
            bound!.Value.Entry,
            bound.Value.Options,
            family!,
            config!,
            new MethodRows
            {
                Forget = rows,
                Requests = rows,
                Retain = retain,
                Targets = drawn.Targets,
                Choices = drawn.Choices,
                Places = (asked ?? []).ToDictionary(
                    q => q.Row.Id,
                    q => (request.Asked, q.Line),
                    StringComparer.Ordinal
                ),
            },
            heldOut,
            tokens
        );
    }

    /// <summary>Statistics that have to come from files or from the model.</summary>
    public static IReadOnlyList<string> Needed(MethodEntry entry, object options, TokenRequests? tokens)
    {
        var needed = MethodMaterial.Needed(entry, options);
        if (tokens is null)
            return needed;
        return
        [
            .. needed.Where(n =>
                n switch
                {
                    MethodMaterial.Contexts => tokens.Contexts is null,
                    MethodMaterial.Locality => tokens.Locality.Count == 0,
                    _ => !tokens.HasSecondMoments,
                }
            ),
        ];
    }

    private string? Ground(ModelConfig? config) =>
        config is null ? null
        : MethodCatalog.Find(request.Method) is { } entry ? OptionStack.Ground(entry, config.Family)
        : config.Family;

    // What can be judged from the request alone.
    private void CheckValues()
    {
        if (new[] { request.Forget, request.Requests, request.TokenRequests }.Count(f => f is not null) != 1)
            Wrong(
                "apply",
                "needs one of --forget, --requests and --token-requests",
                "--forget FILE.jsonl: questions with their answers, one a line"
            );
        if (request.MaxNewTokens < 1)
            Wrong("--max-new", $"must be at least 1, not {request.MaxNewTokens}");
        if (request.Report is not { } report)
            return;
        if (Path.GetDirectoryName(Path.GetFullPath(report)) is not { } parent || !Directory.Exists(parent))
            Wrong("--report", $"the folder of {report} does not exist");
        else if (!FolderAccess.CanWrite(parent))
            Wrong("--report", $"nothing can be written to {parent}: permission denied");
        if (Directory.Exists(report))
            Wrong("--report", $"{report} is a folder, not a file");
        if (OwnStatistics.IsInside(report, request.Model))
            Wrong(
                "--report",
                $"{report} lies in the model's own folder, which is never written to",
                "name another place"
            );
    }

    private ModelConfig? Config()
    {
        var config = !Directory.Exists(request.Model)
            ? Tried<ModelConfig>(() => throw new InputException(request.Model, "there is no such folder"))
            : Tried(() => ConfigFile.Read(Path.Combine(request.Model, ConfigFile.Name)).Config);
        if (config is not null)
        {
            _ = Tried(() =>
            {
                PatchExport.Check(request.Model, request.Out, request.Overwrite);
                return "";
            });
            // What the work would find in the headers of weights and in the tokenizer is found before it.
            var facts = Tried(() => CheckpointFacts.Of(request.Model));
            if (request.TokenRequests is null && facts?.TokenizerProblem is { } problem)
                _problems.AddRange(problem.Problems);
        }
        return config;
    }

    // What the method asks for.
    private void CheckMethod(
        MethodEntry entry,
        object options,
        ModelConfig? config,
        GivenOptions? given,
        TokenRequests? tokens
    )
    {
        if (entry.Kind == MethodKind.Untouched)
            Wrong("--method", $"'{entry.Name}' changes nothing: it is the untouched model of a study", "rome, or gd");
        else if (request.TokenRequests is not null && !entry.IsEditing)
            Wrong("--token-requests", $"are for the editing methods, and {entry.Label} trains on answers", "--forget");
        if (entry.Needs(options).HasFlag(Needs.RetainSet) && request.Retain is null)
            Wrong(
                "--retain",
                $"is missing: {entry.Label} trains on what shall be kept",
                "a question file in the form of --forget"
            );
        var named = MethodCatalog.ToJson(options);
        if (
            named["reference"] is JsonValue source
            && source.TryGetValue<string>(out var compared)
            && compared is "pretrained" or "folder"
            && request.Reference is null
        )
            Wrong(
                "--reference",
                $"is missing: the options compare with another model (reference: {compared})",
                "a model folder of the same shape"
            );
        if (config is not null && options is IEditingOptions editing && editing.Layers.Any(l => l >= config.Layers))
            _problems.Add(
                Placed(
                    new OptionProblem(
                        "options." + (named.ContainsKey("layers") ? "layers" : "layer"),
                        $"names blocks [{string.Join(", ", editing.Layers)}], but the model has blocks 0 to "
                            + $"{config.Layers - 1}",
                        "other blocks in --method-options FILE.yaml"
                    ),
                    given
                )
            );
        if (request.TokenRequests is null || tokens is not null)
            _problems.AddRange(
                new OwnStatistics(request, entry, options).Problems(
                    Needed(entry, options, tokens),
                    request.TokenRequests is not null
                )
            );
    }

    // What each question is answered with, and the list for those that are answered from it.
    private sealed record Drawn(
        IReadOnlyDictionary<string, string> Targets,
        IReadOnlyDictionary<string, IReadOnlyList<string>> Choices
    )
    {
        public static Drawn None { get; } =
            new(new Dictionary<string, string>(), new Dictionary<string, IReadOnlyList<string>>());
    }

    // A question's own target, or a refusal of the list.
    private Drawn Targets(IReadOnlyList<PlacedQuestion> asked)
    {
        var problems = asked
            .GroupBy(q => q.Row.Id)
            .Where(g => g.Count() > 1)
            .Select(g => new InputProblem(
                request.Asked,
                g.Last().Line,
                0,
                $"id '{g.Key}' stands already in line {g.First().Line}",
                "ids are distinct"
            ))
            .ToList();
        if (request.Requests is not null)
            problems.AddRange(
                asked
                    .Where(q => q.Target is null)
                    .Select(q => new InputProblem(
                        request.Asked,
                        q.Line,
                        0,
                        "target is missing",
                        "--requests bring their own targets; --forget takes refusals from a list"
                    ))
            );
        var open = asked.Where(q => q.Target is null).Select(q => q.Row.Id).ToList();
        IReadOnlyList<string> refusals = [];
        if (open.Count > 0 && request.Requests is null)
        {
            if (request.Targets is null)
                problems.Add(
                    new InputProblem(
                        "--targets",
                        0,
                        0,
                        $"is missing: {open.Count} of {asked.Count} questions have no target of their own",
                        "a list of refusals, one a line, such as data/refusals-own.txt of this project"
                    )
                );
            else
                refusals = TextLines.Read(request.Targets);
        }
        if (problems.Count > 0)
            throw new InputException(problems);
        var drawn = RefusalList.Draw(open, refusals, new Seed(request.Seed));
        var byId = drawn.ToDictionary(t => t.Id, t => t.Target, StringComparer.Ordinal);
        return new Drawn(
            asked.ToDictionary(q => q.Row.Id, q => q.Target ?? byId[q.Row.Id], StringComparer.Ordinal),
            RefusalList.Choices(drawn, refusals)
        );
    }

    // What was never shown to a method must not stand among what it is given.
    private static IReadOnlyList<QaRow> HeldOut(
        string path,
        IReadOnlyList<PlacedQuestion>? forget,
        IReadOnlyList<QaRow> retain
    )
    {
        var shown = (forget ?? [])
            .Select(q => (q.Row.Question, Option: "forgotten"))
            .Concat(retain.Select(q => (q.Question, Option: "in --retain")))
            .DistinctBy(q => q.Question)
            .ToDictionary(q => q.Question, q => q.Option, StringComparer.Ordinal);
        var rows = QaFile.ReadPlaced(path, "holdout");
        var problems = rows.Where(q => shown.ContainsKey(q.Row.Question))
            .Select(q => new InputProblem(
                path,
                q.Line,
                0,
                $"the question is {shown[q.Row.Question]} too: '{q.Row.Question}'",
                "--holdout is for questions that the method is not given"
            ))
            .ToList();
        return problems.Count > 0 ? throw new InputException(problems) : [.. rows.Select(q => q.Row)];
    }

    private static InputProblem Placed(OptionProblem problem, GivenOptions? given)
    {
        var option = problem.Path.StartsWith("options.", StringComparison.Ordinal)
            ? problem.Path["options.".Length..]
            : null;
        if (option is null)
            return new InputProblem("--" + problem.Path, 0, 0, problem.Message, problem.Hint);
        return given is null
            ? new InputProblem(problem.Path, 0, 0, problem.Message, problem.Hint)
            : given.Placed(option, problem.Message, problem.Hint);
    }

    private T? Tried<T>(Func<T> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (InputException e)
        {
            _problems.AddRange(e.Problems);
            return null;
        }
    }

    private void Wrong(string option, string message, string? hint = null) =>
        _problems.Add(new InputProblem(option, 0, 0, message, hint));
}
