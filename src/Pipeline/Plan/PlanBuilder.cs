using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Checks a study in full and expands it into cells. Nothing runs before this has passed, and every mistake is reported
/// together.
/// </summary>
public sealed class PlanBuilder
{
    private const string Stages = "stages";

    private static readonly string[] TopLevel = [PipelineFile.DefaultProfile, Stages];

    // What took the place of a word of earlier versions of the file.
    private static readonly Dictionary<string, string> Replaced = new(StringComparer.Ordinal)
    {
        ["settings"] = "values live in profiles/<name>.yaml; the map below 'settings' is the content of such a file",
        ["profiles"] = "each profile is a file of its own: profiles/<name>.yaml",
    };

    private readonly PipelineFile _file;
    private readonly StageCatalog _catalog;
    private readonly Problems _problems;
    private readonly SettingsTree _settings;
    private readonly Resolver _resolver;
    private readonly StageReader _reader;
    private readonly string _profile;

    private PlanBuilder(PipelineFile file, StageCatalog catalog, PlanRequest request)
    {
        (_file, _catalog, _problems) = (file, catalog, new Problems());
        var layers = ProfileLayers.Of(file, request.Profile, _problems);
        _profile = layers.Count == 0 ? "" : layers[^1].Name;
        _settings = SettingsTree.Of(catalog.Settings, layers, request.Sets ?? [], _problems);
        _resolver = new Resolver(_settings.Root, _problems);
        _reader = new StageReader(catalog, _resolver, _problems);
    }

    /// <summary>Makes the plan.</summary>
    /// <exception cref="InputException">Everything that is wrong, in the order of the files.</exception>
    public static Plan Build(PipelineFile file, StageCatalog catalog, PlanRequest request)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(request);
        return new PlanBuilder(file, catalog, request).Build();
    }

    private Plan Build()
    {
        var content = _file.Content;
        foreach (var entry in content.Entries.Where(e => !TopLevel.Contains(e.Key)))
            if (Replaced.TryGetValue(entry.Key, out var instead))
                _problems.Add(entry.Place, $"'{entry.Key}' was replaced", instead);
            else
                _problems.Add(
                    entry.Place,
                    $"'{entry.Key}' is not a part of a pipeline",
                    Problems.DidYouMean(entry.Key, TopLevel)
                );
        var stages = _reader.Map(content[Stages], content.Place, Stages);
        if (content[Stages] is null)
            _problems.Add(content.Place, $"'{Stages}' is missing", "a map from the name of a stage to what it runs");
        SettingsUse.Check(_settings.Root, stages, _problems);
        var drafts = new Dictionary<string, StageDraft>(StringComparer.Ordinal);
        foreach (var entry in stages.Entries)
            if (_reader.Read(entry) is { } draft)
                drafts.Add(entry.Key, draft);

        var inputs = new InputReader(_file.Root, stages, drafts, _resolver, _problems);
        // Another name is another name even where nothing uses it.
        foreach (var alias in drafts.Values.Where(d => d.Run is null))
            foreach (var cell in alias.Cells)
                inputs.Read(alias.Name, InputCount.Many, new YamlScalar(alias.Name, true, alias.Place), cell);
        var completer = new CellCompleter(_resolver, _reader, inputs, _problems);
        var cells = drafts
            .Values.Where(d => d.Run is not null)
            .ToDictionary(d => d.Name, d => completer.Cells(d), StringComparer.Ordinal);
        _resolver.ReportMisspeltKeys();
        var device = Device();
        var type = OneOf("dtype", DeviceNames.F32, DeviceNames.Types.Contains, DeviceNames.Types);
        var numerics = OneOf("numerics", NumericsNames.Portable, NumericsNames.All.Contains, NumericsNames.All);
        var order = new StageOrder(drafts, cells, _problems).Names;
        _problems.ThrowIfAny();
        return new Plan
        {
            Root = _file.Root,
            Profile = _profile,
            Cells = [.. order.SelectMany(n => cells[n])],
            Stages =
            [
                .. order.Where(n => cells[n].Count > 0).Select(n => Planned(drafts[n], StageOrder.Reads(cells[n]))),
            ],
            Settings = [.. _settings.Leaves()],
            Device = device,
            DType = type,
            Numerics = numerics,
        };
    }

    private static PlannedStage Planned(StageDraft draft, IReadOnlyList<string> reads) =>
        new(
            draft.Name,
            draft.Run!,
            [.. draft.Axes.Select(a => KeyValuePair.Create(a.Name, a.Labels))],
            reads,
            draft.Place
        );

    private string Device() =>
        OneOf(
            "device",
            DeviceNames.Cpu,
            d => DeviceNames.Index(d) is not null,
            [DeviceNames.Cpu, DeviceNames.Cuda, DeviceNames.Cuda + ":<number>"]
        );

    private string OneOf(string name, string fallback, Func<string, bool> known, IReadOnlyList<string> names)
    {
        if (_settings.Root[name] is not { } value)
            return fallback;
        if (_resolver.ResolveText(value, [], $"'{name}'") is { } text && known(text))
            return text;
        _problems.Add(
            value.Place,
            $"'{(value as YamlScalar)?.Text ?? value.Kind}' is not a {name}",
            "known: " + string.Join(", ", names)
        );
        return fallback;
    }
}
