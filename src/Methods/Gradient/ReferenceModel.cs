using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Gradient;

/// <summary>Which model a trained one is compared with.</summary>
public enum ReferenceSource
{
    /// <summary>The model as training found it: the study's text, OpenUnlearning.</summary>
    Start,

    /// <summary>
    /// The model before it was finetuned, from the stage's input <c>reference</c>: what PISTOL's code does.
    /// </summary>
    Pretrained,

    /// <summary>Any other checkpoint of the same shape, from the stage's input <c>reference</c>.</summary>
    Folder,
}

/// <summary>What a reference means for a method's needs.</summary>
internal static class ReferenceSources
{
    /// <summary><see cref="Needs.Reference"/> where a second model is compared with.</summary>
    public static Needs Needed(this ReferenceSource source) =>
        source == ReferenceSource.Start ? Needs.None : Needs.Reference;
}

/// <summary>
/// A model that does not move. What is asked of it is computed once, before training, and kept; a second model then
/// need not be.
/// </summary>
/// <remarks>
/// For a divergence the states before the output map are kept, [T, D] a row: D is a small part of V, and the output map
/// gives the log-probabilities back without loss. For sequence probabilities one number a row is kept.
/// </remarks>
public sealed class ReferenceModel : IDisposable
{
    private const int RowsAtOnce = 16;
    private readonly Dictionary<TokenRow, Tensor> _states = [];
    private readonly Dictionary<TokenRow, float> _sums = [];
    private readonly Tensor _head;
    private readonly bool _owns;
    private readonly long _budget;
    private CausalLm? _model;

    /// <summary>Wraps a model.</summary>
    /// <param name="model">The reference.</param>
    /// <param name="owns">Whether it is disposed once all is cached, or here.</param>
    /// <param name="budgetBytes">Above this size nothing is kept and the model is asked anew each time.</param>
    public ReferenceModel(CausalLm model, bool owns, long budgetBytes)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, _owns, _budget) = (model, owns, budgetBytes);
        var head = model.Weight(model.Config.TieWordEmbeddings ? TensorNames.Embedding : TensorNames.LmHead);
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        _head = owns ? head.detach().clone().DetachFromDisposeScope() : head;
    }

    /// <summary>Asks the model all it will be asked about sequence probabilities.</summary>
    public void PrepareSums(IEnumerable<TokenRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var model = Open;
        foreach (var part in ByLength(rows))
        {
            using var scope = NewDisposeScope();
            using var batch = RowBatch.Of(part, model.Device);
            var sums = LiveSums(model, batch).cpu().data<float>().ToArray();
            for (var i = 0; i < part.Length; i++)
                _sums[part[i]] = sums[i];
        }
        Release();
    }

    /// <summary>Asks the model all it will be asked about single positions, where that fits the budget.</summary>
    public void PrepareStates(IEnumerable<TokenRow> rows, KlRule rule)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(rule);
        var model = Open;
        var distinct = rows.Distinct().ToList();
        if (distinct.Count == 0)
            return;
        var width = rule.Width(distinct);
        if (rule.Count(distinct, width) * model.Config.HiddenSize * _head.element_size() > _budget)
            return;
        foreach (var part in ByLength(distinct))
        {
            using var scope = NewDisposeScope();
            var states = LiveStates(model, part, rule, rule.Positions == KlPositions.PaddedCompat ? width : null);
            long at = 0;
            foreach (var row in part)
            {
                var count = rule.Of(row, width).Count();
                _states[row] = states.narrow(0, at, count).clone().DetachFromDisposeScope();
                at += count;
            }
        }
        Release();
    }

    /// <summary>Summed negative log-probabilities of rows [B].</summary>
    public Tensor RowNll(RowBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return batch.Rows.All(_sums.ContainsKey)
            ? tensor(batch.Rows.Select(r => _sums[r]).ToArray(), device: batch.Ids.device)
            : LiveSums(Open, batch);
    }

    /// <summary>States before the output map at the counted positions [P, D].</summary>
    public Tensor States(IReadOnlyList<TokenRow> rows, KlRule rule)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(rule);
        if (!rows.All(_states.ContainsKey))
            return LiveStates(Open, rows, rule, null);
        var width = rule.Width(rows);
        // A padded row is kept at the greatest width; its first positions do not know what follows.
        return cat(rows.Select(r => _states[r].narrow(0, 0, rule.Of(r, width).Count())).ToArray());
    }

    /// <summary>Log-probabilities [P, V] of states [P, D].</summary>
    public Tensor LogProbabilities(Tensor states) => LabelLosses.LogProbabilities(LinearMap.Of(states, _head));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var states in _states.Values)
            states.Dispose();
        if (!_owns)
            return;
        _head.Dispose();
        _model?.Dispose();
    }

    private CausalLm Open =>
        _model
        ?? throw new InvalidOperationException("The reference model was asked for something that was not prepared.");

    // A model that was opened for this alone is not needed any more.
    private void Release()
    {
        if (!_owns)
            return;
        _model?.Dispose();
        _model = null;
    }

    private static IEnumerable<TokenRow[]> ByLength(IEnumerable<TokenRow> rows) =>
        rows.Distinct().OrderBy(r => r.Ids.Count).Chunk(RowsAtOnce);

    private static Tensor LiveSums(CausalLm model, RowBatch batch)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var logits = model.Logits(model.Hidden(batch.Ids, batch.LabelPositions));
        return LabelLosses.RowSums(LabelLosses.Nll(logits, batch.LabelTargets), batch).MoveToOuterDisposeScope();
    }

    private static Tensor LiveStates(CausalLm model, IReadOnlyList<TokenRow> rows, KlRule rule, int? width)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        using var laid = ReferencePositions.Of(rows, rule, 1, model.Device, width);
        return model
            .Hidden(laid.Ids, laid.Positions, new ForwardOptions { AttentionMask = laid.AttentionMask })
            .MoveToOuterDisposeScope();
    }
}
