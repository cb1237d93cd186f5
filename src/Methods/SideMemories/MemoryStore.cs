using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.SideMemories;

/// <summary>
/// The memories of a run: the one being written, the stored ones, the main one with what was merged into it. Owns
/// copies in float32.
/// </summary>
/// <remarks>Source: Wang et al. (2024); docs/methods.md, "WISE".</remarks>
internal sealed class MemoryStore : IDisposable
{
    // weight of what the main memory already holds, when more is merged into it
    private const double ShareOfMerged = 0.6;

    private readonly Wise.Options _options;
    private readonly List<SideMemory> _stored = [];
    private bool _mainMerged;

    /// <summary>Copies the main memory.</summary>
    public MemoryStore(Tensor main, Wise.Options options)
    {
        ArgumentNullException.ThrowIfNull(main);
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        Original = Copy(main.to(ScalarType.Float32));
        Main = Copy(Original);
        Side = Copy(Original);
    }

    /// <summary>W as the model has it.</summary>
    public Tensor Original { get; }

    /// <summary>W with what was merged into it.</summary>
    public Tensor Main { get; private set; }

    /// <summary>W', being written.</summary>
    public Tensor Side { get; private set; }

    /// <summary>
    /// Least distance over the edits of <see cref="Side"/>; where memories are merged into the main one, over all
    /// edits.
    /// </summary>
    public double SideLeast { get; private set; } = SideMemory.Unedited;

    /// <summary>Stored memories, oldest first.</summary>
    public IReadOnlyList<SideMemory> Stored => _stored;

    /// <summary>Finished edits.</summary>
    public int Edits { get; private set; }

    /// <summary>All memories that can be chosen, the one being written first.</summary>
    public IEnumerable<SideMemory> All() => [new SideMemory(Side, SideLeast), .. _stored];

    /// <summary>Ends an edit: remembers its distance, and stores and merges when their turn has come.</summary>
    public void Finish(double distance)
    {
        SideLeast = Math.Min(SideLeast, distance);
        Edits++;
        if (Edits % _options.SaveFrequency == 0)
            Save();
        if (Edits % _options.MergeFrequency != 0)
            return;
        if (_options.Retrieve)
            MergeStored();
        else
            _ = MergeIntoMain();
    }

    /// <summary>Stores what was written since the last time, if anything was.</summary>
    public void SaveRemainder()
    {
        if (Edits % _options.SaveFrequency != 0)
            Save();
    }

    /// <summary>Merges all stored memories into the main one, together with what it already holds.</summary>
    /// <returns><see cref="Main"/>.</returns>
    public Tensor MergeIntoMain()
    {
        if (_stored.Count == 0)
            return Main;
        using var scope = NewDisposeScope();
        List<Tensor> tensors = [.. _stored.Select(m => m.Weight)];
        var weights = tensors
            .Select(_ => (!_mainMerged ? _options.MergeWeight : 1 - ShareOfMerged) / tensors.Count)
            .ToList();
        if (_mainMerged)
        {
            tensors.Add(Main);
            weights.Add(ShareOfMerged);
        }
        var merged = Copy(MergeOperators.Merge(_options.Merge, Original, tensors, weights, _options.Density));
        Main.Dispose();
        Main = merged;
        _mainMerged = true;
        Forget(_stored.Count);
        return Main;
    }

    /// <summary>What of a run is no tensor.</summary>
    /// <param name="SideLeast">See <see cref="MemoryStore.SideLeast"/>.</param>
    /// <param name="StoredLeast">Of the stored memories, in order.</param>
    /// <param name="Edits">Finished ones.</param>
    /// <param name="MainMerged">Whether something was merged into the main memory.</param>
    public sealed record Numbers(double SideLeast, IReadOnlyList<double> StoredLeast, int Edits, bool MainMerged);

    /// <summary>See <see cref="Numbers"/>.</summary>
    public Numbers State => new(SideLeast, [.. _stored.Select(m => m.LeastDistance)], Edits, _mainMerged);

    /// <summary>The memories by name; W itself is the model's.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Tensors() =>
        [
            new("main", Main),
            new("side", Side),
            .. _stored.Select((m, i) => KeyValuePair.Create($"stored/{i}", m.Weight)),
        ];

    /// <summary>Goes back to where an earlier attempt was.</summary>
    /// <param name="tensors">As <see cref="Tensors"/> gave them.</param>
    /// <param name="numbers">As <see cref="State"/> gave them.</param>
    public void Restore(SafetensorsFile tensors, Numbers numbers)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(numbers);
        Main.copy_(tensors.Read("main"));
        Side.copy_(tensors.Read("side"));
        Forget(_stored.Count);
        foreach (var (i, least) in numbers.StoredLeast.Index())
            _stored.Add(new SideMemory(Copy(tensors.Read($"stored/{i}").to(Main.device)), least));
        (SideLeast, Edits, _mainMerged) = (numbers.SideLeast, numbers.Edits, numbers.MainMerged);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Original.Dispose();
        Main.Dispose();
        Side.Dispose();
        Forget(_stored.Count);
    }

    private void Save()
    {
        _stored.Add(new SideMemory(Side, SideLeast));
        Side = Copy(Original);
        if (_options.Retrieve)
            SideLeast = SideMemory.Unedited;
    }

    // The latest memories become one, which answers as early as the most easily reached of them.
    private void MergeStored()
    {
        var count = Math.Min(_stored.Count, _options.MergeFrequency / _options.SaveFrequency);
        if (count == 0)
            return;
        using var scope = NewDisposeScope();
        var latest = _stored.Skip(_stored.Count - count).ToList();
        var merged = Copy(
            MergeOperators.Merge(
                _options.Merge,
                Original,
                [.. latest.Select(m => m.Weight)],
                [.. latest.Select(_ => _options.MergeWeight / count)],
                _options.Density
            )
        );
        var least = latest.Min(m => m.LeastDistance);
        Forget(count);
        _stored.Add(new SideMemory(merged, least));
    }

    // Drops the latest memories.
    private void Forget(int count)
    {
        foreach (var memory in _stored.Skip(_stored.Count - count))
            memory.Weight.Dispose();
        _stored.RemoveRange(_stored.Count - count, count);
    }

    private static Tensor Copy(Tensor t) => t.detach().clone().DetachFromDisposeScope();
}
