using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// Tells models apart by what is in them, never by name: statistics of one must not serve another (defects S7, S13,
/// A1).
/// </summary>
public static class WeightFingerprint
{
    /// <summary>
    /// SHA-256, in hex, of the shape of the model, its embedding and its blocks 0 .. <paramref name="lastLayer"/>: all
    /// that a key of that block depends on, and its <c>down_proj</c>.
    /// </summary>
    /// <param name="model">The model as it is now.</param>
    /// <param name="lastLayer">0-based.</param>
    public static string UpTo(CausalLm model, int lastLayer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(lastLayer, model.Config.Layers);
        return Hash(
            model,
            Enumerable.Range(0, lastLayer + 1).SelectMany(l => OfBlock(model, l)).Prepend(TensorNames.Embedding)
        );
    }

    /// <summary>The same of every weight.</summary>
    public static string Of(CausalLm model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Hash(model, model.Config.Tensors().Select(t => t.Name));
    }

    private static IEnumerable<string> OfBlock(CausalLm model, int layer)
    {
        var prefix = $"model.layers.{layer.ToString(CultureInfo.InvariantCulture)}.";
        return model.Config.Tensors().Select(t => t.Name).Where(n => n.StartsWith(prefix, StringComparison.Ordinal));
    }

    private static string Hash(CausalLm model, IEnumerable<string> names)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var c = model.Config;
        void Text(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
        Text(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{c.Heads} {c.KvHeads} {c.HeadDim} {c.RmsNormEps:R} {c.RopeTheta:R} {c.RopeScaling} {c.SlidingWindow}"
            ) + (c.SlidingWindow is not null && c.WindowedFrom > 0 ? " from block " + c.WindowedFrom : "")
        );
        using var quiet = no_grad();
        foreach (var name in names)
        {
            using var scope = NewDisposeScope();
            var weight = model.Weight(name);
            Text($"{name} {weight.dtype} {string.Join(',', weight.shape)}");
            hash.AppendData(weight.detach().cpu().contiguous().clone().bytes);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
