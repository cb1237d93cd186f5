using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A program of the machine that decides what a stage writes; it enters the key of the stage.</summary>
/// <param name="Name">As in <c>explain</c>: <c>pdflatex</c>.</param>
/// <param name="Read">What of the program at this path counts; may take its time.</param>
public sealed record Surrounding(string Name, Func<string, SurroundingReading> Read)
{
    /// <summary>
    /// Its path; null where it is not installed. The first program of this name on PATH unless something else is said.
    /// </summary>
    public Func<string?>? Find { get; init; }

    /// <summary>Whether it is looked for on PATH.</summary>
    internal bool IsOnPath => Find is null;

    /// <summary>The value where there is none.</summary>
    public const string Absent = "absent";
}

/// <summary>What was read.</summary>
/// <param name="Value">Enters the key.</param>
/// <param name="Files">While these are what they are, the value holds; none where it must be read each time.</param>
public sealed record SurroundingReading(string Value, IReadOnlyList<string> Files);

/// <summary>
/// What stages declare of their surroundings, read once a process and remembered on disk until a file behind it
/// changes.
/// </summary>
/// <param name="cacheFile">Keeps what was read; null for no cache.</param>
public sealed class Surroundings(string? cacheFile = null)
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private Dictionary<string, Kept>? _kept;

    private sealed record Kept(string Value, Dictionary<string, FileState> Files);

    /// <summary>The surroundings of a stage by name, in order; empty for one that declares none.</summary>
    public IReadOnlyDictionary<string, string> Of(StageInfo stage)
    {
        ArgumentNullException.ThrowIfNull(stage);
        if (stage.Surroundings.Count == 0)
            return EmptyDictionary;
        lock (_gate)
            return new SortedDictionary<string, string>(
                stage.Surroundings.ToDictionary(s => s.Name, Value),
                StringComparer.Ordinal
            );
    }

    private static readonly IReadOnlyDictionary<string, string> EmptyDictionary = new Dictionary<string, string>();

    private string Value(Surrounding surrounding)
    {
        if (_values.TryGetValue(surrounding.Name, out var known))
            return known;
        var path = surrounding.Find is { } find ? find() : SearchPath.Find(surrounding.Name);
        return _values[surrounding.Name] = path is null ? Surrounding.Absent : Remembered(surrounding, path);
    }

    private string Remembered(Surrounding surrounding, string path)
    {
        var name = $"{surrounding.Name} {path}";
        _kept ??= ReadCache();
        if (_kept.TryGetValue(name, out var kept) && kept.Files.All(f => FileState.Of(f.Key) == f.Value))
            return kept.Value;
        var reading = surrounding.Read(path);
        var states = reading.Files.Distinct().ToDictionary(f => f, FileState.Of);
        _kept.Remove(name);
        if (states.Count > 0 && states.Values.All(s => s is not null))
            _kept[name] = new Kept(reading.Value, states.ToDictionary(s => s.Key, s => s.Value!));
        if (cacheFile is not null)
            AtomicFile.Write(cacheFile, JsonSerializer.SerializeToUtf8Bytes(_kept));
        return reading.Value;
    }

    private Dictionary<string, Kept> ReadCache()
    {
        try
        {
            if (cacheFile is not null && File.Exists(cacheFile))
                return JsonSerializer.Deserialize<Dictionary<string, Kept>>(File.ReadAllBytes(cacheFile)) ?? [];
        }
        catch (JsonException)
        {
            // A torn cache is as good as none.
        }
        return [];
    }
}
