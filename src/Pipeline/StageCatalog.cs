namespace EditUnlearn.Pipeline;

/// <summary>The kinds of work a pipeline may run, by name.</summary>
public sealed class StageCatalog
{
    private readonly Dictionary<string, IStage> _byName = new(StringComparer.Ordinal);

    /// <summary>Lists the stages.</summary>
    /// <param name="stages">In any order.</param>
    /// <param name="known">Maps of settings that the program itself lists, such as its methods: the name of the map,
    /// then its entries with their values. Profiles give the entries further values.</param>
    /// <exception cref="ArgumentException">Two stages have one name.</exception>
    public StageCatalog(IReadOnlyList<IStage> stages, params IReadOnlyList<KnownEntries> known)
    {
        ArgumentNullException.ThrowIfNull(stages);
        ArgumentNullException.ThrowIfNull(known);
        All = stages;
        Settings = new YamlMap([.. known.Select(k => k.ToYaml())], KnownEntries.Place);
        foreach (var stage in stages)
            if (!_byName.TryAdd(stage.Info.Name, stage))
                throw new ArgumentException($"Two stages are called '{stage.Info.Name}'.", nameof(stages));
    }

    /// <summary>What lies below every profile.</summary>
    public YamlMap Settings { get; }

    /// <summary>In the order of the catalogue.</summary>
    public IReadOnlyList<IStage> All { get; }

    /// <summary>The stage of that name, or null.</summary>
    public IStage? Find(string name) => _byName.GetValueOrDefault(name);
}

/// <summary>A map of settings whose entries the program lists.</summary>
/// <param name="Name">The name of the map: <c>methods</c>.</param>
/// <param name="Entries">The labels with their values, in order.</param>
public sealed record KnownEntries(
    string Name,
    IReadOnlyList<(string Label, IReadOnlyList<(string Key, string Value)> Values)> Entries
)
{
    /// <summary>
    /// The key with which a profile's entry says which of these it is a variant of; null where a profile can add none.
    /// </summary>
    public string? VariantOf { get; init; }

    internal static SourcePlace Place { get; } = new("the program", 0, 0);

    internal YamlEntry ToYaml() =>
        new(
            Name,
            Place,
            new YamlMap(
                [
                    .. Entries.Select(e => new YamlEntry(
                        e.Label,
                        Place,
                        new YamlMap(
                            [
                                .. e.Values.Select(v => new YamlEntry(
                                    v.Key,
                                    Place,
                                    new YamlScalar(v.Value, true, Place)
                                )),
                            ],
                            Place
                        )
                    )),
                ],
                Place
            )
            {
                IsClosed = true,
                VariantOf = VariantOf,
            }
        );
}
