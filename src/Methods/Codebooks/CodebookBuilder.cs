using EditUnlearn.Models.Patches;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Codebooks;

/// <summary>How two edits' targets are compared.</summary>
internal enum LabelComparison
{
    /// <summary>
    /// Equal means of the label vector, whose prompt positions hold -100: prompt lengths matter, and different targets
    /// may pass for equal (defect G2).
    /// </summary>
    MeanOfIds,

    /// <summary>The same tokens.</summary>
    Sequence,
}

/// <summary>Which entry a stored label is compared for.</summary>
internal enum LabelOrder
{
    /// <summary>
    /// Labels are put in front while keys are put behind, so from the second entry on a key meets another's label
    /// (defect G1).
    /// </summary>
    Prepended,

    /// <summary>Label and key stand at the same index, as in the method's first release.</summary>
    Aligned,
}

/// <summary>What happens to an edit whose prompt has been edited before, to another target.</summary>
internal enum DuplicatePrompt
{
    /// <summary>Both entries get a ball of no size; the older may win the tie and nothing is trained.</summary>
    Tie,

    /// <summary>The entry's value is found anew for the new target.</summary>
    Replace,
}

/// <summary>What an edit did to the codebook.</summary>
internal enum Admission
{
    /// <summary>A new entry, far from all others.</summary>
    New,

    /// <summary>
    /// A new entry inside reach of another with a different target: the two share the distance between them.
    /// </summary>
    Split,

    /// <summary>No new entry: one with the same target is near, and its ball now covers this prompt too.</summary>
    Expanded,

    /// <summary>No new entry: the same prompt had another target, which is forgotten.</summary>
    Replaced,
}

/// <summary>One edit's place in the codebook.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Entry">The entry whose value is trained, or -1 where none would answer.</param>
/// <param name="Fresh">Whether that value starts anew.</param>
/// <param name="Nearest">Distance to the nearest earlier key; infinite for the first.</param>
internal readonly record struct Admitted(Admission Kind, int Entry, bool Fresh, double Nearest);

/// <summary>
/// Decides which edits get an entry and how large its ball is. Needs keys and targets only: values do not change where
/// a prompt falls.
/// </summary>
/// <remarks>
/// Source: Hartvigsen et al. (2023), algorithm 1; docs/methods.md, "GRACE". All arithmetic in float32, as in the
/// reference.
/// </remarks>
internal sealed class CodebookBuilder(
    float radius,
    LabelComparison comparison,
    LabelOrder order,
    DuplicatePrompt duplicates
)
{
    private const float Gap = 1e-5f; // keeps the point half-way between two keys out of the older ball

    private readonly List<Tensor> _keys = [];
    private readonly List<float> _radii = [];
    private readonly List<CodebookEntry> _entries = [];
    private readonly List<float> _meansPrepended = [],
        _meansAligned = [];
    private readonly List<IReadOnlyList<int>> _labelsPrepended = [];

    /// <summary>Entries so far.</summary>
    public int Count => _keys.Count;

    /// <summary>Radii so far.</summary>
    public IReadOnlyList<float> Radii => _radii;

    /// <summary>What the entries stand for.</summary>
    public IReadOnlyList<CodebookEntry> Entries => _entries;

    /// <summary>Keys so far [N, F]; the caller's scope owns the copy.</summary>
    public Tensor Keys() => stack(_keys.ToArray());

    /// <summary>Takes an edit in.</summary>
    /// <param name="id">Of the edit.</param>
    /// <param name="key">Its query [F], float32; belongs to the caller and must outlive the builder.</param>
    /// <param name="promptLength">Tokens of the prompt, BOS included.</param>
    /// <param name="target">Target tokens.</param>
    public Admitted Admit(string id, Tensor key, int promptLength, IReadOnlyList<int> target)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(target);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var (nearest, distance) = Count == 0 ? (-1, float.PositiveInfinity) : Codebook.Nearest(Keys(), key);
        var mean = (-100f * promptLength + target.Sum(t => (float)t)) / (promptLength + target.Count);
        if (nearest < 0 || distance > radius + _radii[nearest])
        {
            Add(id, key, mean, target, radius);
            return Trained(Admission.New, key, distance);
        }
        if (SameLabel(nearest, mean, target))
        {
            if (distance > _radii[nearest])
                _radii[nearest] = distance;
            _entries[nearest] = new CodebookEntry([.. _entries[nearest].Ids, id], target);
            return new Admitted(Admission.Expanded, nearest, false, distance);
        }
        if (duplicates == DuplicatePrompt.Replace && distance / 2 <= Gap)
        {
            _entries[nearest] = new CodebookEntry([id], target);
            _meansAligned[nearest] = mean;
            return new Admitted(Admission.Replaced, nearest, true, distance);
        }
        _radii[nearest] = distance / 2 - Gap;
        Add(id, key, mean, target, distance / 2);
        return Trained(Admission.Split, key, distance);
    }

    private void Add(string id, Tensor key, float mean, IReadOnlyList<int> target, float size)
    {
        _keys.Add(key);
        _radii.Add(size);
        _entries.Add(new CodebookEntry([id], target));
        _meansAligned.Add(mean);
        _meansPrepended.Insert(0, mean);
        _labelsPrepended.Insert(0, target);
    }

    // The new key is its own nearest, unless an older one is exactly as near: then the older answers, if its ball has
    // any size left.
    private Admitted Trained(Admission kind, Tensor key, float nearestBefore)
    {
        var (entry, distance) = Codebook.Nearest(Keys(), key);
        return new Admitted(kind, distance <= _radii[entry] ? entry : -1, entry == Count - 1, nearestBefore);
    }

    private bool SameLabel(int entry, float mean, IReadOnlyList<int> target) =>
        (comparison, order) switch
        {
            (LabelComparison.Sequence, LabelOrder.Aligned) => _entries[entry].Label.SequenceEqual(target),
            (LabelComparison.Sequence, _) => _labelsPrepended[entry].SequenceEqual(target),
            (_, LabelOrder.Aligned) => _meansAligned[entry].Equals(mean),
            _ => _meansPrepended[entry].Equals(mean),
        };
}
