using EditUnlearn.Pipeline;

namespace EditUnlearn.Torture;

/// <summary>A study in a folder of its own, with what an undisturbed run makes of it.</summary>
internal sealed class Arena : IDisposable
{
    private readonly string _root;
    private readonly Dictionary<int, Dictionary<string, string>> _expected = [];

    public Arena()
    {
        _root = Path.Combine(Path.GetTempPath(), $"eu-torture-{Guid.NewGuid():N}");
        Directory.CreateDirectory(_root);
    }

    /// <summary>The folder of the study.</summary>
    public string Root => _root;

    /// <summary>Throws the results away, so that all must be made again.</summary>
    public void Empty()
    {
        if (Directory.Exists(Path.Combine(_root, "artifacts")))
            Directory.Delete(Path.Combine(_root, "artifacts"), recursive: true);
        File.Delete(Path.Combine(_root, "journal.txt"));
    }

    /// <summary>Cells in the order in which they were begun.</summary>
    public IReadOnlyList<string> Journal() =>
        File.Exists(Path.Combine(_root, "journal.txt"))
            ? [.. File.ReadLines(Path.Combine(_root, "journal.txt")).Select(l => l.Split(' ')[0])]
            : [];

    /// <summary>Damaged results; empty when nothing is torn.</summary>
    public IReadOnlyList<StoreDamage> Torn() =>
        Directory.Exists(Path.Combine(_root, "artifacts"))
            ? StoreCheck.Run(SyntheticStudy.Store(_root), quarantine: false).Damage
            : [];

    /// <summary>Whether every cell has its result, with the bytes of an undisturbed run.</summary>
    public bool IsAsUndisturbed(int seed)
    {
        if (!_expected.TryGetValue(seed, out var expected))
        {
            using var quiet = new Arena();
            using var run = ToolProcess.Start(quiet.Root, seed);
            if (run.Finish() != 0)
                throw new InvalidOperationException($"The undisturbed run failed: {run.Said()}");
            _expected.Add(seed, expected = Hashes(quiet.Root, seed));
        }
        var actual = Hashes(_root, seed);
        return expected.Count > 0
            && actual.Count == expected.Count
            && expected.All(e => actual.GetValueOrDefault(e.Key) == e.Value)
            && Torn().Count == 0;
    }

    private static Dictionary<string, string> Hashes(string root, int seed)
    {
        var plan = SyntheticStudy.Plan(root, seed);
        var store = SyntheticStudy.Store(root);
        return Status
            .Of(plan, store, SyntheticStudy.Keys(plan, store))
            .Where(s => s.State == CellState.UpToDate)
            .ToDictionary(
                s => s.Cell.Id.Text,
                s => string.Join(' ', store.Find(s.Key!)!.OrderBy(o => o.Key, StringComparer.Ordinal))
            );
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
