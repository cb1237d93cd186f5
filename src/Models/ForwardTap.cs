using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>Sees and may replace what flows through a block. Every point is the identity unless overridden.</summary>
/// <remarks>Taps are arguments of a forward pass, never registered on a model, so none can be forgotten there.</remarks>
public class ForwardTap
{
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

/// <summary>Everything a forward pass may be given besides ids and weights.</summary>
public sealed record ForwardOptions
{
    /// <summary>Interventions.</summary>
    public ForwardTap? Tap { get; init; }

    /// <summary>Keys and values of earlier positions; the pass appends its own.</summary>
    public KvCache? Cache { get; init; }

    /// <summary>What the rows began with, where only their ends are run.</summary>
    public RowTails? Tails { get; init; }

    /// <summary>1 where a token is real, 0 where it is padding [B, cached + T]; null when every token is real or padding is on the right and unread.</summary>
    public Tensor? AttentionMask { get; init; }

    /// <summary>Low-rank additions to the linear maps.</summary>
    public Training.LoraAdapter? Adapter { get; init; }

    /// <summary>Weights used instead of the model's own, by checkpoint name.</summary>
    public IReadOnlyDictionary<string, Tensor>? Overrides { get; init; }
}
