using EditUnlearn.Foundation;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>
/// Draws a continuation token by token from the model's distribution. The same stream gives the same text; the company
/// of other prompts does not matter, since there is none.
/// </summary>
public static class Sampler
{
    /// <summary>Continues one prompt.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">Token ids, BOS included; not empty.</param>
    /// <param name="temperature">Logits are divided by it; 1 for the model's own distribution.</param>
    /// <param name="maxNewTokens">Limit.</param>
    /// <param name="stream">One draw a token.</param>
    public static Generated Draw(
        CausalLm model,
        IReadOnlyList<int> prompt,
        double temperature,
        int maxNewTokens,
        SplitMix64 stream
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(temperature);
        if (prompt.Count == 0)
            throw new ArgumentException("A prompt needs a token.", nameof(prompt));
        using var quiet = inference_mode();
        using var cache = new KvCache(model, 1, prompt.Count + maxNewTokens);
        var written = new List<int>();
        long[] next = [.. prompt.Select(i => (long)i)];
        while (written.Count < maxNewTokens)
        {
            using var scope = NewDisposeScope();
            var hidden = model.Hidden(
                tensor(next, device: model.Device).unsqueeze(0),
                new ForwardOptions { Past = cache }
            );
            var logits = model.Logits(hidden.select(1, -1))[0].to(ScalarType.Float32).cpu();
            var chosen = Pick(logits.data<float>().ToArray(), temperature, stream.NextDouble());
            if (model.Config.EosIds.Contains(chosen))
                return new Generated(written, StopReason.StopToken);
            written.Add(chosen);
            next = [chosen];
        }
        return new Generated(written, StopReason.Limit);
    }

    // By the cumulative distribution in order of id, in float64; of logits that are no numbers the first.
    private static int Pick(float[] logits, double temperature, double draw)
    {
        var top = logits.Max();
        var weights = logits.Select(l => Math.Exp((l - top) / temperature)).ToArray();
        var left = draw * weights.Sum();
        for (var i = 0; i < weights.Length; i++)
            if ((left -= weights[i]) < 0)
                return i;
        return Math.Max(0, Array.FindLastIndex(weights, w => w > 0));
    }
}
