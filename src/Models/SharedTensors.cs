namespace EditUnlearn.Models;

/// <summary>
/// The tensors of a Llama-shaped checkpoint: Llama, Mistral and Qwen name and shape them alike.
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
            foreach (var tensor in Maps(l, [("q_proj", q, d), ("k_proj", kv, d), ("v_proj", kv, d), ("o_proj", d, q)]))
                yield return tensor;
            if (c.QkNorm)
            {
                yield return (TensorNames.QueryNorm(l), [c.HeadDim]);
                yield return (TensorNames.KeyNorm(l), [c.HeadDim]);
            }
            yield return (TensorNames.PostAttentionNorm(l), [d]);
            foreach (var tensor in Maps(l, [("gate_proj", f, d), ("up_proj", f, d), ("down_proj", d, f)]))
                yield return tensor;
        }
        yield return (TensorNames.FinalNorm, [d]);
        if (!c.TieWordEmbeddings)
            yield return (TensorNames.LmHead, [c.VocabSize, d]);

        IEnumerable<(string, long[])> Maps(int layer, (string Map, long Rows, long Columns)[] maps)
        {
            foreach (var (map, rows, columns) in maps)
            {
                var name =
                    map[0] is 'g' or 'u' or 'd' ? TensorNames.Mlp(layer, map) : TensorNames.Attention(layer, map);
                yield return (name, [rows, columns]);
                if (c.HasBias(name))
                    yield return (TensorNames.Bias(name), [rows]);
            }
        }
    }
}
