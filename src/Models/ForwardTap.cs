using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Sees and may replace what flows through a block. Every point is the identity unless overridden.</summary>
/// <remarks>
/// Taps are arguments of a forward pass, never registered on a model, so none can be forgotten there. A tap that
/// decides something for a row (which value, which memory) does so in an object of its own for each batch, made by
/// <see cref="Begin"/>: decisions last as long as the batch and never reach another.
/// </remarks>
public class ForwardTap
{
    /// <summary>
    /// Rows of one batch that this tap wants to see together, where it decides for whole batches and in every pass
    /// anew; null where each row is decided for by itself. Such batches hold one group of rows in the order given, and
    /// whatever is read of a row is fed to it as it would have been generated, token by token.
    /// </summary>
    public virtual int? BatchRows => null;

    /// <summary>
    /// The lowest block it looks at: those below run as they do without it, on rows that are packed where that is
    /// possible. What a tap that says more than 0 sees of positions behind the last one that is read, or of padding, is
    /// undefined.
    /// </summary>
    public virtual int First => 0;

    /// <summary>
    /// The tap with everything decided that it decides for each prompt by itself, from a pass over that prompt alone:
    /// then no rounding of another batch, of other padding or of another device's kernels can decide otherwise. Itself
    /// where there is nothing to decide so, or all is known.
    /// </summary>
    /// <param name="model">The model; must not change while the result is used.</param>
    /// <param name="prompts">Token ids; none empty.</param>
    public virtual ForwardTap Settle(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts) => this;

    /// <summary>
    /// The tap for one batch, which may be several passes over successive columns; itself where nothing is decided.
    /// </summary>
    /// <param name="layout">Where the rows stand.</param>
    public virtual ForwardTap Begin(BatchLayout layout) => this;

    /// <summary>Only these rows are left in the batch, in this order.</summary>
    /// <param name="rows">Indices into the rows so far.</param>
    public virtual void Keep(IReadOnlyList<int> rows) { }

    /// <summary>The residual stream as a block receives it [B, T, D].</summary>
    public virtual Tensor ResidPre(int layer, Tensor h) => h;

    /// <summary>The output of <c>down_proj</c> [B, T, D], before it is added to the stream.</summary>
    /// <param name="layer">The block.</param>
    /// <param name="key">Its input [B, T, F].</param>
    /// <param name="value">Its output [B, T, D].</param>
    public virtual Tensor MlpOut(int layer, Tensor key, Tensor value) => value;

    /// <summary>The residual stream as a block leaves it [B, T, D].</summary>
    public virtual Tensor ResidPost(int layer, Tensor h) => h;
}

/// <summary>Where the rows of a batch stand in its columns, counted from the first column of the first pass.</summary>
/// <param name="First">Column of each row's first real token [B]; above 0 under padding on the left.</param>
/// <param name="PromptLast">Column of the last token of each row's prompt [B].</param>
public sealed record BatchLayout(IReadOnlyList<int> First, IReadOnlyList<int> PromptLast)
{
    /// <summary>Each row's prompt [B]; null where nobody said.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? PromptIds { get; init; }

    /// <summary>Rows without padding that are prompts from end to end: what a bare forward pass is taken for.</summary>
    public static BatchLayout Prompts(long rows, long width) =>
        new(new int[rows], [.. Enumerable.Repeat((int)width - 1, (int)rows)]);

    /// <summary>The layout of the rows that are left.</summary>
    public BatchLayout Keep(IReadOnlyList<int> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return new BatchLayout([.. rows.Select(r => First[r])], [.. rows.Select(r => PromptLast[r])])
        {
            PromptIds = PromptIds is { } prompts ? [.. rows.Select(r => prompts[r])] : null,
        };
    }
}

/// <summary>Everything a forward pass may be given besides ids and weights.</summary>
public sealed record ForwardOptions
{
    /// <summary>Interventions.</summary>
    public ForwardTap? Tap { get; init; }

    /// <summary>Earlier positions that the pass may look at; null where it begins its rows.</summary>
    public Past? Past { get; init; }

    /// <summary>The positions that are read; null for all [B, T, D].</summary>
    public Positions? Positions { get; init; }

    /// <summary>
    /// 1 where a token is real, 0 where it is padding [B, past + T]; null when every token is real or padding is on
    /// the right and unread.
    /// </summary>
    public Tensor? AttentionMask { get; init; }

    /// <summary>Where the rows of the pass lie end to end in its one row; null where there are B of them.</summary>
    internal PackedRows? Packed { get; init; }

    /// <summary>Low-rank additions to the linear maps.</summary>
    public Training.LoraAdapter? Adapter { get; init; }

    /// <summary>Weights used instead of the model's own, by checkpoint name.</summary>
    public IReadOnlyDictionary<string, Tensor>? Overrides { get; init; }
}
