using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>What an entry of a <see cref="Codebook"/> stands for.</summary>
/// <param name="Ids">Of the edits that share it.</param>
/// <param name="Label">The target tokens of the latest of them.</param>
public sealed record CodebookEntry(IReadOnlyList<string> Ids, IReadOnlyList<int> Label);

/// <summary>
/// Values that stand in for a memory's output near their keys. Shapes: N entries, F, D. Owns its tensors.
/// </summary>
/// <remarks>
/// Source: Hartvigsen et al. (2023), section 2; docs/methods.md, "GRACE". Keys, values and distances are float32
/// whatever the model is.
/// </remarks>
public sealed class Codebook : IDisposable
{
    /// <summary>Takes ownership of the tensors.</summary>
    /// <param name="keys">Centres of the balls [N, F].</param>
    /// <param name="values">[N, D].</param>
    /// <param name="radii">Below 0 where a ball can never be hit.</param>
    /// <param name="entries">N of them.</param>
    /// <exception cref="ArgumentException">The parts do not fit together.</exception>
    public Codebook(Tensor keys, Tensor values, IReadOnlyList<float> radii, IReadOnlyList<CodebookEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(radii);
        ArgumentNullException.ThrowIfNull(entries);
        if (
            keys.dim() != 2
            || values.dim() != 2
            || keys.dtype != ScalarType.Float32
            || values.dtype != ScalarType.Float32
        )
            throw new ArgumentException("Keys and values are float32 matrices.", nameof(keys));
        if (keys.shape[0] != entries.Count || values.shape[0] != entries.Count || radii.Count != entries.Count)
            throw new ArgumentException(
                $"There are {keys.shape[0]} keys, "
                    + $"{values.shape[0]} values and {radii.Count} radii for {entries.Count} entries.",
                nameof(entries)
            );
        Keys = keys.DetachFromDisposeScope();
        Values = values.DetachFromDisposeScope();
        Radii = radii;
        Entries = entries;
    }

    /// <summary>Centres of the balls [N, F].</summary>
    public Tensor Keys { get; }

    /// <summary>[N, D].</summary>
    public Tensor Values { get; }

    /// <summary>Radii, Euclidean.</summary>
    public IReadOnlyList<float> Radii { get; }

    /// <summary>What the entries stand for.</summary>
    public IReadOnlyList<CodebookEntry> Entries { get; }

    /// <summary>
    /// The nearest key and its distance; the first of equally near ones, and (-1, infinity) in an empty codebook.
    /// </summary>
    /// <param name="query">[F].</param>
    public (int Entry, float Distance) Nearest(Tensor query) => Nearest(Keys, query);

    /// <summary>The entry whose ball holds the query, or -1. Only the nearest key is asked.</summary>
    /// <param name="query">[F].</param>
    public int Hit(Tensor query)
    {
        var (entry, distance) = Nearest(query);
        return entry >= 0 && distance <= Radii[entry] ? entry : -1;
    }

    /// <summary>
    /// A codebook without an edit; an entry goes when no edit is left to it. Radii of its neighbours stay as they are.
    /// </summary>
    /// <exception cref="ArgumentException">No entry has that id.</exception>
    public Codebook Without(string id)
    {
        if (!Entries.Any(e => e.Ids.Contains(id)))
            throw new ArgumentException($"No entry belongs to '{id}'.", nameof(id));
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var left = Entries
            .Select((e, i) => (Index: i, Entry: e with { Ids = [.. e.Ids.Where(x => x != id)] }))
            .Where(e => e.Entry.Ids.Count > 0)
            .ToList();
        var rows = tensor(left.Select(e => (long)e.Index).ToArray(), device: Keys.device);
        return new Codebook(
            Keys.index_select(0, rows),
            Values.index_select(0, rows),
            [.. left.Select(e => Radii[e.Index])],
            [.. left.Select(e => e.Entry)]
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }

    /// <summary>
    /// The nearest of some keys and its distance; the first of equally near ones, and (-1, infinity) without any.
    /// </summary>
    /// <remarks>
    /// Differences, squared and added: the shortcut over inner products is not exactly 0 at the key itself. One query
    /// at a time, so that no distance depends on what else is asked.
    /// </remarks>
    /// <param name="keys">[N, F].</param>
    /// <param name="query">[F].</param>
    public static (int Entry, float Distance) Nearest(Tensor keys, Tensor query)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(query);
        if (keys.shape[0] == 0)
            return (-1, float.PositiveInfinity);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var distances = (keys - query.to(ScalarType.Float32).to(keys.device)).square().sum(1).sqrt();
        var nearest = distances.argmin();
        return ((int)nearest.ToInt64(), distances[nearest].ToSingle());
    }
}
