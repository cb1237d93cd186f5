namespace EditUnlearn.Evaluation.Oracle;

/// <summary>How far two distributions over the same tokens are apart.</summary>
/// <param name="Kl">KL(P || Q) = sum p (log p - log q) [nats]; from 0, without bound.</param>
/// <param name="Js">
/// Jensen-Shannon, (KL(P || M) + KL(Q || M)) / 2 with M = (P + Q) / 2 [bits]; from 0 to 1, the same both ways.
/// </param>
internal readonly record struct Divergence(double Kl, double Js)
{
    /// <summary>Of two distributions given by natural log-probabilities; null where one of them is no number.</summary>
    /// <remarks>
    /// KL weighs by P: with the oracle as P it counts what the oracle would say and the other holds unlikely. Rounding
    /// may leave either a little below 0, which is 0.
    /// </remarks>
    public static Divergence? Of(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        if (p.Length != q.Length)
            throw new ArgumentException($"{p.Length} tokens cannot be compared with {q.Length}.", nameof(q));
        double kl = 0,
            js = 0;
        for (var v = 0; v < p.Length; v++)
        {
            var (a, b) = (Math.Exp(p[v]), Math.Exp(q[v]));
            if (double.IsNaN(a) || double.IsNaN(b))
                return null;
            // What is equal adds nothing, whatever rounding would make of it.
            if (a == b)
                continue;
            var middle = Math.Log((a + b) / 2);
            // What has no probability adds nothing.
            if (a > 0)
            {
                kl += a * (p[v] - (double)q[v]);
                js += a * (p[v] - middle);
            }
            if (b > 0)
                js += b * (q[v] - middle);
        }
        return new Divergence(Math.Max(0, kl), Math.Clamp(js / 2 / Math.Log(2), 0, 1));
    }

    /// <summary>Mean over the positions of an answer; null where there is none, or one is no number.</summary>
    public static Divergence? Mean(IReadOnlyList<float[]> p, IReadOnlyList<float[]> q)
    {
        ArgumentNullException.ThrowIfNull(p);
        ArgumentNullException.ThrowIfNull(q);
        if (p.Count != q.Count)
            throw new ArgumentException($"{p.Count} positions cannot be compared with {q.Count}.", nameof(q));
        double kl = 0,
            js = 0;
        for (var i = 0; i < p.Count; i++)
        {
            if (Of(p[i], q[i]) is not { } here)
                return null;
            (kl, js) = (kl + here.Kl, js + here.Js);
        }
        return p.Count == 0 ? null : new Divergence(kl / p.Count, js / p.Count);
    }
}
