using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Checks a pipeline in full and expands it into cells. Nothing runs before this has passed, and every mistake is
/// reported together.
/// </summary>
public sealed class PlanBuilder
{
    private static readonly string[] TopLevel = ["default-profile", "settings", "profiles", "stages"];
    private static readonly string[] StageKeys = ["run", "when", "for", "include", "exclude", "in", "with"];
    private static readonly string[] InputKeys = ["file", "obtain", "from", "when", "where"];

    private readonly PipelineFile _file;
    private readonly StageCatalog _catalog;
    private readonly Problems _problems = new();
    private readonly Dictionary<string, Draft> _drafts = new(StringComparer.Ordinal);
    private readonly HashSet<string> _leftOut = new(StringComparer.Ordinal);

    // A stage as written, with its cells by label.
    private sealed record Draft(
        string Name,
        IStage Run,
        YamlMap Body,
        SourcePlace Place,
        IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> Axes,
        IReadOnlyList<CellId> Cells
    );

    private PlanBuilder(PipelineFile file, StageCatalog catalog)
    {
        _file = file;
        _catalog = catalog;
    }

    /// <summary>Makes the plan.</summary>
    /// <exception cref="InputException">Everything that is wrong, in file order.</exception>
    public static Plan Build(PipelineFile file, StageCatalog catalog, PlanRequest request)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(request);
        return new PlanBuilder(file, catalog).Build(request);
    }

    private Plan Build(PlanRequest request)
    {
        var content = _file.Content;
        foreach (var entry in content.Entries.Where(e => !TopLevel.Contains(e.Key)))
            _problems.Add(
                entry.Place,
                $"'{entry.Key}' is not a part of a pipeline",
                Problems.DidYouMean(entry.Key, TopLevel)
            );
        var settings = new SettingsTree(Map(content["settings"], content.Place, "settings"), _problems);
        var profile = ApplyProfile(settings, request);
        foreach (var set in request.Sets ?? [])
            settings.Set(set);
        var stages = Map(content["stages"], content.Place, "stages");
        SettingsUse.Check(settings.Root, stages, _problems);

        foreach (var entry in stages.Entries)
            DraftStage(entry, settings);
        var cells = new Dictionary<string, List<Cell>>(StringComparer.Ordinal);
        foreach (var draft in _drafts.Values)
            cells[draft.Name] = [.. draft.Cells.Select(id => Complete(draft, id, settings)).OfType<Cell>()];
        var reads = _drafts.Keys.ToDictionary(
            n => n,
            n =>
                (IReadOnlyList<string>)
                    [
                        .. cells[n]
                            .SelectMany(c => c.Inputs)
                            .OfType<CellOutputInput>()
                            .Select(i => i.Cell.Stage)
                            .Distinct(),
                    ],
            StringComparer.Ordinal
        );
        var order = Ordered(reads);
        var device = OneOf(
            "device",
            DeviceNames.Cpu,
            d => DeviceNames.Index(d) is not null,
            [DeviceNames.Cpu, DeviceNames.Cuda, DeviceNames.Cuda + ":<number>"]
        );
        var type = OneOf("dtype", DeviceNames.F32, DeviceNames.Types.Contains, DeviceNames.Types);
        _problems.ThrowIfAny();

        string OneOf(string name, string fallback, Func<string, bool> known, IReadOnlyList<string> names)
        {
            var text = settings.Root[name] is YamlScalar s ? s.Text : fallback;
            if (!known(text))
                _problems.Add(
                    settings.Root[name]!.Place,
                    $"'{text}' is not a {name}",
                    "known: " + string.Join(", ", names)
                );
            return text;
        }
        return new Plan
        {
            Root = _file.Root,
            Profile = profile,
            Cells = [.. order.SelectMany(n => cells[n])],
            Stages =
            [
                .. order.Select(n => new PlannedStage(n, _drafts[n].Run, _drafts[n].Axes, reads[n], _drafts[n].Place)),
            ],
            Settings = [.. settings.Leaves()],
            Device = device,
            DType = type,
        };
    }

    private string ApplyProfile(SettingsTree settings, PlanRequest request)
    {
        var profiles = Map(_file.Content["profiles"], _file.Content.Place, "profiles");
        var named = _file.Content["default-profile"];
        var name = request.Profile ?? (named as YamlScalar)?.Text;
        if (name is null)
            return "";
        foreach (
            var values in ProfileLayers.Of(
                profiles,
                name,
                request.Profile is null ? named!.Place : new SourcePlace("--profile", 0, 0),
                _problems
            )
        )
            settings.Apply(values);
        return name;
    }

    private void DraftStage(YamlEntry entry, SettingsTree settings)
    {
        if (entry.Value is not YamlMap body)
        {
            _problems.Add(entry.Value.Place, $"the stage '{entry.Key}' must be a map, not {entry.Value.Kind}");
            return;
        }
        if (body["when"] is { } when && !Belongs(when, settings))
        {
            _leftOut.Add(entry.Key);
            return;
        }
        foreach (var key in body.Entries.Where(e => !StageKeys.Contains(e.Key)))
            _problems.Add(key.Place, $"'{key.Key}' is not a part of a stage", Problems.DidYouMean(key.Key, StageKeys));
        if (!IsLabel(entry.Key))
            _problems.Add(entry.Place, $"the stage name '{entry.Key}' may hold letters, digits, '.', '_' and '-' only");
        var kind = body["run"] is { } run ? settings.ResolveText(run, [], "run") : entry.Key;
        if (kind is null)
            return;
        if (_catalog.Find(kind) is not { } stage)
        {
            _problems.Add(
                body["run"]?.Place ?? entry.Place,
                $"there is no kind of stage '{kind}'",
                Problems.DidYouMean(kind, _catalog.All.Select(s => s.Info.Name))
            );
            return;
        }
        var (axes, combinations) = Product(body, settings);
        _drafts.Add(
            entry.Key,
            new Draft(entry.Key, stage, body, entry.Place, axes, Cells(entry.Key, body, axes, combinations, settings))
        );
    }

    // Every combination of labels in the order of the axes; the labels of an axis may depend on those before it
    // ($sets.$model).
    private (
        List<KeyValuePair<string, IReadOnlyList<string>>> Axes,
        List<List<KeyValuePair<string, string>>> Combinations
    ) Product(YamlMap body, SettingsTree settings)
    {
        var axes = new List<KeyValuePair<string, IReadOnlyList<string>>>();
        List<List<KeyValuePair<string, string>>> combinations =
        [
            [],
        ];
        if (body["for"] is not { } loop)
            return (axes, combinations);
        foreach (var axis in Map(loop, loop.Place, "for").Entries)
        {
            var labels = combinations.Select(c => Labels(axis, c, settings)).ToList();
            if (labels.Any(l => l is null))
                continue; // said already; the rest of the stage is checked without it
            combinations =
            [
                .. combinations
                    .Zip(labels)
                    .SelectMany(c =>
                        c.Second!.Select(l => (List<KeyValuePair<string, string>>)[.. c.First, new(axis.Key, l)])
                    ),
            ];
            axes.Add(new(axis.Key, [.. labels.SelectMany(l => l!).Distinct()]));
        }
        return (axes, combinations);
    }

    // A list of labels, or a map of lists: then every label of any of them, once.
    private List<string>? Labels(
        YamlEntry axis,
        IReadOnlyList<KeyValuePair<string, string>> before,
        SettingsTree settings
    )
    {
        var labels = new List<string>();
        var value = settings.Resolve(axis.Value, before);
        if (value is not YamlList && (value is not YamlMap lists || lists.Entries.Any(e => e.Value is not YamlList)))
        {
            _problems.Add(axis.Value.Place, $"the axis '{axis.Key}' must be a list of labels");
            return null;
        }
        foreach (
            var item in value is YamlList one
                ? one.Items
                : ((YamlMap)value).Entries.SelectMany(e => ((YamlList)e.Value).Items)
        )
            if (item is not YamlScalar s || !IsLabel(s.Text))
                _problems.Add(
                    item.Place,
                    $"a label of the axis '{axis.Key}' may hold letters, digits, '.', '_' and '-' only"
                );
            else if (!labels.Contains(s.Text))
                labels.Add(s.Text);
            else if (value is YamlList)
                _problems.Add(item.Place, $"the label '{s.Text}' stands twice on the axis '{axis.Key}'");
        return labels;
    }

    private List<CellId> Cells(
        string stage,
        YamlMap body,
        List<KeyValuePair<string, IReadOnlyList<string>>> axes,
        List<List<KeyValuePair<string, string>>> combinations,
        SettingsTree settings
    )
    {
        // A rule may find nothing: a smaller profile need not have the labels of a larger one.
        foreach (var (rule, _) in Rules(body["exclude"], axes, settings, whole: false))
            combinations.RemoveAll(c => rule.All(r => c.Any(a => a.Key == r.Key && a.Value == r.Value)));
        foreach (var (rule, place) in Rules(body["include"], axes, settings, whole: true))
        {
            List<KeyValuePair<string, string>> cell =
            [
                .. axes.Select(a => new KeyValuePair<string, string>(a.Key, rule.GetValueOrDefault(a.Key, ""))),
            ];
            if (combinations.Any(c => c.SequenceEqual(cell)))
                _problems.Add(place, "this cell is there already");
            else
                combinations.Add(cell);
        }
        return [.. combinations.Select(c => new CellId(stage, c))];
    }

    private List<(Dictionary<string, string> Rule, SourcePlace Place)> Rules(
        YamlValue? value,
        List<KeyValuePair<string, IReadOnlyList<string>>> axes,
        SettingsTree settings,
        bool whole
    )
    {
        var rules = new List<(Dictionary<string, string>, SourcePlace)>();
        if (value is null)
            return rules;
        if (settings.Resolve(value, []) is not YamlList list)
        {
            _problems.Add(value.Place, "must be a list of maps from axis to label");
            return rules;
        }
        foreach (var item in list.Items)
        {
            if (item is not YamlMap map)
            {
                _problems.Add(item.Place, "must be a map from axis to label");
                continue;
            }
            foreach (var unknown in map.Entries.Where(e => axes.All(a => a.Key != e.Key)))
                _problems.Add(
                    unknown.Place,
                    $"there is no axis '{unknown.Key}' here",
                    Problems.DidYouMean(unknown.Key, axes.Select(a => a.Key))
                );
            foreach (var missing in axes.Where(a => whole && map[a.Key] is null))
                _problems.Add(map.Place, $"names no label for the axis '{missing.Key}'");
            rules.Add((map.Entries.ToDictionary(e => e.Key, e => (e.Value as YamlScalar)?.Text ?? ""), map.Place));
        }
        return rules;
    }

    private Cell? Complete(Draft draft, CellId id, SettingsTree settings)
    {
        var places = new Dictionary<string, SourcePlace>(StringComparer.Ordinal);
        var with = draft.Body["with"] is { } written
            ? settings.Resolve(written, id.Axes)
            : new YamlMap([], draft.Place);
        object? parameters = null;
        if (with is YamlMap map)
            parameters = ParameterBinder.Bind(draft.Run.ParametersType, map, _problems, places);
        else if (with is not null)
            _problems.Add(with.Place, $"'with' must be a map, not {with.Kind}");
        if (parameters is not null)
        {
            var wrong = draft.Run.Check(parameters).ToList();
            foreach (var p in wrong)
                _problems.Add(
                    PlaceOf(p.Path, places, draft),
                    p.Path.Length == 0 ? p.Message : $"'{p.Path}' {p.Message}",
                    p.Hint
                );
            if (wrong.Count == 0)
                parameters = draft.Run.Complete(parameters);
        }
        var inputs = Inputs(draft, id, settings);
        return parameters is null
            ? null
            : new Cell
            {
                Id = id,
                Stage = draft.Run,
                Parameters = parameters,
                ParametersJson = ParameterBinder.ToJson(parameters, draft.Run.ParametersType),
                Inputs = inputs,
                Place = draft.Place,
                ParameterPlaces = places,
            };
    }

    // The place of the parameter, or of the nearest map around it.
    private static SourcePlace PlaceOf(string path, Dictionary<string, SourcePlace> places, Draft draft)
    {
        for (var at = path; ; at = at[..at.LastIndexOf('.')])
        {
            if (places.TryGetValue(at, out var place))
                return place;
            if (!at.Contains('.', StringComparison.Ordinal))
                return draft.Body["with"]?.Place ?? draft.Place;
        }
    }

    private List<CellInput> Inputs(Draft draft, CellId id, SettingsTree settings)
    {
        var info = draft.Run.Info;
        var written = draft.Body["in"] is { } value ? Map(value, value.Place, "in") : new YamlMap([], draft.Place);
        foreach (var unknown in written.Entries.Where(e => info.Inputs.All(i => i.Name != e.Key)))
            _problems.Add(
                unknown.Place,
                $"the stage '{info.Name}' has no input '{unknown.Key}'",
                Problems.DidYouMean(unknown.Key, info.Inputs.Select(i => i.Name))
            );
        var inputs = new List<CellInput>();
        foreach (var input in info.Inputs)
        {
            var source = written[input.Name];
            if (source is null)
            {
                if (input.Count == InputCount.One)
                    _problems.Add(written.Place, $"the input '{input.Name}' of '{draft.Name}' is missing");
                continue;
            }
            var found = Source(input, source, id, settings);
            if (found is null)
                continue;
            if (input.Count != InputCount.Many && found.Count > 1)
                _problems.Add(
                    source.Place,
                    $"{found.Count} cells stand behind the input '{input.Name}', which takes one: "
                        + $"{string.Join(", ", found.OfType<CellOutputInput>().Take(3).Select(c => c.Cell))}...",
                    "give the stage the missing axis under 'for', or pin it with 'where'"
                );
            if (input.Count == InputCount.One && found.Count == 0)
                _problems.Add(source.Place, $"no cell stands behind the input '{input.Name}' of {id}");
            inputs.AddRange(found);
        }
        return inputs;
    }

    // Null after a problem; an empty list where 'when' leaves the input out.
    private List<CellInput>? Source(StageInput input, YamlValue source, CellId id, SettingsTree settings)
    {
        var name = input.Name;
        if (source is YamlScalar && settings.Resolve(source, id.Axes) is YamlMap whole)
            source = whole; // a setting may hold a whole input: { file: .., obtain: .. }
        var from = source;
        YamlMap? pins = null;
        if (source is YamlMap map)
        {
            foreach (var unknown in map.Entries.Where(e => !InputKeys.Contains(e.Key)))
                _problems.Add(
                    unknown.Place,
                    $"'{unknown.Key}' is not a part of an input",
                    Problems.DidYouMean(unknown.Key, InputKeys)
                );
            if (map["when"] is { } when && !Holds(when, id, settings))
                return [];
            if (map["file"] is { } file)
                return Files(name, file, map["obtain"], id, settings);
            pins = map["where"] is { } where ? Map(settings.Resolve(where, id.Axes), where.Place, "where") : null;
            if (map["from"] is not { } inner)
            {
                _problems.Add(map.Place, $"the input '{name}' names neither 'file' nor 'from'");
                return null;
            }
            from = inner;
        }
        if (settings.ResolveText(from, id.Axes, $"the input '{name}'") is not { Length: > 0 } reference)
            return null;
        var slash = reference.IndexOf('/', StringComparison.Ordinal);
        var stage = slash < 0 ? reference : reference[..slash];
        if (!_drafts.TryGetValue(stage, out var producer))
        {
            if (_leftOut.Contains(stage))
            {
                if (input.Count != InputCount.One)
                    return [];
                _problems.Add(
                    from.Place,
                    $"the stage '{stage}' is left out of this profile by its 'when', but '{id.Stage}' reads it"
                );
                return null;
            }
            // A stage that is written but broken has its own message.
            if (Map(_file.Content["stages"], default, "stages")[stage] is null)
                _problems.Add(from.Place, $"there is no stage '{stage}'", Problems.DidYouMean(stage, _drafts.Keys));
            return null;
        }
        var outputs = producer.Run.Info.Outputs;
        var output = slash < 0 ? outputs[0] : reference[(slash + 1)..];
        if (!outputs.Contains(output))
        {
            _problems.Add(from.Place, $"'{stage}' has no output '{output}'", Problems.DidYouMean(output, outputs));
            return null;
        }
        foreach (var pin in pins?.Entries ?? [])
            if (producer.Axes.All(a => a.Key != pin.Key))
                _problems.Add(
                    pin.Place,
                    $"'{stage}' has no axis '{pin.Key}'",
                    Problems.DidYouMean(pin.Key, producer.Axes.Select(a => a.Key))
                );
        bool Fits(CellId cell) =>
            cell.Axes.All(a =>
                pins?[a.Key] is { } pin
                    ? pin is YamlScalar s
                        ? s.Text == a.Value
                        : pin is YamlList l && l.Items.Any(i => i is YamlScalar x && x.Text == a.Value)
                    : id.Axis(a.Key) is null || id.Axis(a.Key) == a.Value
            );
        return [.. producer.Cells.Where(Fits).Select(c => new CellOutputInput(name, c, output))];
    }

    // One path or a list of them. With 'obtain' a file may be absent: the plan says then how to get it.
    private List<CellInput>? Files(string name, YamlValue file, YamlValue? obtain, CellId id, SettingsTree settings)
    {
        var command =
            obtain is not null && settings.Resolve(obtain, id.Axes) is { } written
                ? settings.ResolveText(written, id.Axes, $"'obtain' of '{name}'")
                : null;
        if (settings.Resolve(file, id.Axes) is not { } found)
            return file is YamlScalar { Text: [.., '?'] } ? [] : null;
        var inputs = new List<CellInput>();
        foreach (var item in found is YamlList list ? list.Items : [found])
        {
            var place = item.Place.File is null ? file.Place : item.Place;
            if (item is not YamlScalar { Text: { Length: > 0 } path })
            {
                _problems.Add(place, $"the file of '{name}' must be a path or a list of paths");
                return null;
            }
            if (command is null && !Path.Exists(Path.Combine(_file.Root, path)))
            {
                var folder = Path.GetDirectoryName(Path.Combine(_file.Root, path));
                var siblings = Directory.Exists(folder)
                    ? Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).OfType<string>()
                    : [];
                _problems.Add(
                    place,
                    $"there is no file '{path}'",
                    Spelling.Nearest(Path.GetFileName(path), siblings) is { } near
                        ? $"did you mean '{near}'?"
                        : "paths are relative to the folder of pipeline.yaml"
                );
                return null;
            }
            inputs.Add(new FileInput(name, path, command));
        }
        return inputs;
    }

    // 'when' of a stage compares settings with values; one that does not hold leaves the stage out of the study.
    private bool Belongs(YamlValue when, SettingsTree settings)
    {
        var belongs = true;
        foreach (var rule in Map(when, when.Place, "when").Entries)
            if (settings.Resolve(new YamlScalar("$" + rule.Key, true, rule.Place), []) is YamlScalar found)
                belongs &= IsOneOf(rule.Value, found.Text);
            else
                _problems.Add(rule.Place, $"'{rule.Key}' must be a setting with a single value");
        return belongs;
    }

    private static bool IsOneOf(YamlValue values, string text) =>
        values is YamlList list
            ? list.Items.Any(i => i is YamlScalar s && s.Text == text)
            : values is YamlScalar one && one.Text == text;

    private bool Holds(YamlValue when, CellId id, SettingsTree settings)
    {
        var holds = true;
        foreach (var rule in Map(settings.Resolve(when, id.Axes), when.Place, "when").Entries)
        {
            if (id.Axis(rule.Key) is not { } label)
            {
                _problems.Add(
                    rule.Place,
                    $"there is no axis '{rule.Key}' here",
                    Problems.DidYouMean(rule.Key, id.Axes.Select(a => a.Key))
                );
                continue;
            }
            holds &= IsOneOf(rule.Value, label);
        }
        return holds;
    }

    // Depth first in file order; what a stage reads comes before it.
    private List<string> Ordered(Dictionary<string, IReadOnlyList<string>> reads)
    {
        var order = new List<string>();
        var path = new List<string>();
        void Visit(string name)
        {
            if (order.Contains(name))
                return;
            var open = path.IndexOf(name);
            if (open >= 0)
            {
                _problems.Add(
                    _drafts[name].Place,
                    $"the stages read each other in a circle: {string.Join(" -> ", path[open..].Append(name))}",
                    "one of them must read something else"
                );
                return;
            }
            path.Add(name);
            foreach (var source in reads[name])
                Visit(source);
            path.RemoveAt(path.Count - 1);
            order.Add(name);
        }
        foreach (var name in _drafts.Keys)
            Visit(name);
        return order;
    }

    private YamlMap Map(YamlValue? value, SourcePlace around, string what)
    {
        if (value is YamlMap map)
            return map;
        if (value is not (null or YamlScalar { IsNull: true }))
            _problems.Add(value.Place, $"'{what}' must be a map, not {value.Kind}");
        return new YamlMap([], value?.Place ?? around);
    }

    private static bool IsLabel(string text) =>
        text.Length is > 0 and <= 100
        && text[0] != '.'
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
