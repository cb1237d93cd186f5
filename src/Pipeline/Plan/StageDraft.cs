namespace EditUnlearn.Pipeline;

/// <summary>A stage as written, with its cells by label; not yet with parameters and inputs.</summary>
/// <param name="Name">The name under <c>stages:</c>.</param>
/// <param name="Run">The kind of work; null for another name of other cells (<c>is:</c>).</param>
/// <param name="Body">As written.</param>
/// <param name="Place">Where it stands.</param>
/// <param name="Axes">With all labels.</param>
/// <param name="Cells">The labels of each cell.</param>
/// <param name="IsBroken">Whether a mistake in an axis has left it without cells: what reads it has no mistake.</param>
internal sealed record StageDraft(
    string Name,
    IStage? Run,
    YamlMap Body,
    SourcePlace Place,
    IReadOnlyList<Axis> Axes,
    IReadOnlyList<IReadOnlyList<AxisLabel>> Cells,
    bool IsBroken
)
{
    private readonly Dictionary<string, ILookup<string, IReadOnlyList<AxisLabel>>> _byLabel = new(
        StringComparer.Ordinal
    );

    /// <summary>Whether its cells, and all that they read, go before others.</summary>
    public bool IsSoon { get; init; }

    /// <summary>Cells that a cell with these labels reads: the same label on every axis that both have.</summary>
    public IEnumerable<IReadOnlyList<AxisLabel>> Agreeing(IReadOnlyList<AxisLabel> reader)
    {
        // By the longest axis in common: to look at every cell for every reader is what long studies wait for.
        var shared = Axes.Where(a => reader.Any(r => r.Axis == a.Name)).MaxBy(a => a.Labels.Count);
        if (shared is null)
            return Cells;
        if (!_byLabel.TryGetValue(shared.Name, out var cells))
            _byLabel[shared.Name] = cells = Cells.ToLookup(
                c => c.First(l => l.Axis == shared.Name).Label,
                StringComparer.Ordinal
            );
        return cells[reader.First(r => r.Axis == shared.Name).Label].Where(c => Agrees(c, reader));
    }

    private static bool Agrees(IReadOnlyList<AxisLabel> producer, IReadOnlyList<AxisLabel> reader) =>
        producer.All(p => reader.FirstOrDefault(r => r.Axis == p.Axis) is not { } own || own.Label == p.Label);

    /// <summary>The name of a cell.</summary>
    public CellId IdOf(IReadOnlyList<AxisLabel> labels) =>
        new(Name, [.. labels.Select(l => KeyValuePair.Create(l.Axis, l.Label))]);
}

/// <summary>Reads the bodies of the stages: which kind of work they run, on which cells.</summary>
internal sealed class StageReader(StageCatalog catalog, Resolver resolver, Problems problems)
{
    private const string Run = "run",
        For = "for",
        Is = "is";

    private const string Soon = "soon";

    private static readonly string[] Keys = [Run, For, Is, Soon, "in", "with"];

    // What took the place of a word of earlier versions of the file.
    private static readonly Dictionary<string, string> Replaced = new(StringComparer.Ordinal)
    {
        ["when"] = "axes choose their labels: for: { model: { of: models, where: { from: checkpoint } } }",
        ["exclude"] = "axes choose their labels with 'only', 'where' or 'having'",
        ["include"] = "axes choose their labels with 'only', 'where' or 'having'",
    };

    /// <summary>Reads one stage; null after a problem that leaves nothing to look at.</summary>
    public StageDraft? Read(YamlEntry entry)
    {
        if (entry.Value is not YamlMap body)
        {
            problems.Add(entry.Value.Place, $"the stage '{entry.Key}' must be a map, not {entry.Value.Kind}");
            return null;
        }
        foreach (var key in body.Entries.Where(e => !Keys.Contains(e.Key)))
            if (Replaced.TryGetValue(key.Key, out var instead))
                problems.Add(key.Place, $"'{key.Key}' of a stage was replaced", instead);
            else
                problems.Add(key.Place, $"'{key.Key}' is not a part of a stage", Problems.DidYouMean(key.Key, Keys));
        if (!CellId.IsLabel(entry.Key))
            problems.Add(entry.Place, $"the stage name '{entry.Key}' may hold letters, digits, '.', '_' and '-' only");
        if (!Kind(entry, body, out var stage))
            return null;
        var before = problems.Found;
        var (axes, cells) = new AxisReader(resolver, problems).Product(Map(body[For], body.Place, For));
        var broken = problems.Found > before && cells.Count == 0;
        return new StageDraft(entry.Key, stage, body, entry.Place, axes, cells, broken) { IsSoon = IsSoon(body) };
    }

    /// <summary>A value that must be a map; an empty one where there is none, or after a problem.</summary>
    public YamlMap Map(YamlValue? value, SourcePlace around, string what)
    {
        if (value is YamlMap map)
            return map;
        if (value is not (null or YamlScalar { IsNull: true }))
            problems.Add(value.Place, $"'{what}' must be a map, not {value.Kind}");
        return new YamlMap([], value?.Place ?? around);
    }

    private bool IsSoon(YamlMap body)
    {
        if (body[Soon] is not { } written)
            return false;
        if (written is not YamlScalar { Text: "true" or "false" } flag)
        {
            problems.Add(written.Place, "'soon' must be true or false");
            return false;
        }
        return flag.Text == "true";
    }

    // Whether the kind of work is known; null for a stage that is another name of other cells.
    private bool Kind(YamlEntry entry, YamlMap body, out IStage? stage)
    {
        stage = null;
        if (body[Is] is { } other)
        {
            foreach (var key in body.Entries.Where(e => e.Key is Run or Soon or "in" or "with"))
                problems.Add(
                    key.Place,
                    $"'{key.Key}' has no meaning beside 'is': the cells are those of another stage"
                );
            if (other is not YamlScalar { IsNull: false })
                problems.Add(other.Place, $"'is' must name a cell of another stage, not {other.Kind}");
            return other is YamlScalar { IsNull: false };
        }
        var kind = body[Run] is { } run ? resolver.ResolveText(run, [], "'run'") : entry.Key;
        if (kind is null)
            return false;
        stage = catalog.Find(kind);
        if (stage is null)
            problems.Add(
                body[Run]?.Place ?? entry.Place,
                $"there is no kind of stage '{kind}'",
                Problems.DidYouMean(kind, catalog.All.Select(s => s.Info.Name))
            );
        return stage is not null;
    }
}
