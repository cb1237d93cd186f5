namespace EditUnlearn.Pipeline;

/// <summary>The kinds of work a pipeline may run, by name.</summary>
public sealed class StageCatalog
{
    private readonly Dictionary<string, IStage> _byName = new(StringComparer.Ordinal);

    /// <summary>Lists the stages.</summary>
    /// <exception cref="ArgumentException">Two of one name.</exception>
    public StageCatalog(IReadOnlyList<IStage> stages)
    {
        ArgumentNullException.ThrowIfNull(stages);
        All = stages;
        foreach (var stage in stages)
            if (!_byName.TryAdd(stage.Info.Name, stage))
                throw new ArgumentException($"Two stages are called '{stage.Info.Name}'.", nameof(stages));
    }

    /// <summary>In the order of the catalogue.</summary>
    public IReadOnlyList<IStage> All { get; }

    /// <summary>The stage of that name, or null.</summary>
    public IStage? Find(string name) => _byName.GetValueOrDefault(name);
}
