namespace EditUnlearn.Models;

/// <summary>
/// The tensors of a Llama-shaped checkpoint: Llama 2, Mistral and Llama 3.1 name and shape them alike.
/// </summary>
internal static class SharedTensors
{
    /// <summary>Name and shape of every tensor, in the order of the forward pass.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Of(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return Enumerate(config);
    }

    private static IEnumerable<(string Name, long[] Shape)> Enumerate(ModelConfig c)
    {
        long d = c.HiddenSize,
            f = c.IntermediateSize,
            q = (long)c.Heads * c.HeadDim,
            kv = (long)c.KvHeads * c.HeadDim;
        yield return (TensorNames.Embedding, [c.VocabSize, d]);
        for (var l = 0; l < c.Layers; l++)
        {
            yield return (TensorNames.InputNorm(l), [d]);
            foreach (
                var (map, rows, columns) in new[]
                {
                    ("q_proj", q, d),
                    ("k_proj", kv, d),
                    ("v_proj", kv, d),
                    ("o_proj", d, q),
                }
            )
            {
                yield return (TensorNames.Attention(l, map), [rows, columns]);
                if (c.AttentionBias)
                    yield return (TensorNames.AttentionBias(l, map), [rows]);
            }
            yield return (TensorNames.PostAttentionNorm(l), [d]);
            yield return (TensorNames.Mlp(l, "gate_proj"), [f, d]);
            yield return (TensorNames.Mlp(l, "up_proj"), [f, d]);
            yield return (TensorNames.DownProj(l), [d, f]);
        }
        yield return (TensorNames.FinalNorm, [d]);
        if (!c.TieWordEmbeddings)
            yield return (TensorNames.LmHead, [c.VocabSize, d]);
    }
}
