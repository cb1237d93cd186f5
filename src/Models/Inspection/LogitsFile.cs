using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Inspection;

/// <summary>What a model computes for given ids, written out for comparison with another implementation.</summary>
public static class LogitsFile
{
    /// <summary>Writes <c>logits.i</c> [T, V], float32, for every sequence i.</summary>
    /// <param name="path">A safetensors file; its name is taken only when all is written.</param>
    /// <param name="model">The model.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="hidden">Adds <c>hidden.i.l</c> [T, D], the stream as block l leaves it, and <c>hidden.i.embed</c>
    /// and <c>hidden.i.final_norm</c>.</param>
    /// <param name="progress">Told how many sequences are done.</param>
    /// <param name="cancelled">Looked at before every sequence.</param>
    public static void Write(
        string path,
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> sequences,
        bool hidden = false,
        Action<int>? progress = null,
        CancellationToken cancelled = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(sequences);
        using var scope = NewDisposeScope();
        using var quiet = inference_mode();
        var tensors = new List<KeyValuePair<string, Tensor>>();
        for (var i = 0; i < sequences.Count; i++)
        {
            cancelled.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            var ids = tensor(sequences[i].Select(t => (long)t).ToArray(), device: model.Device).unsqueeze(0);
            var tap = hidden ? new Recorder(model.Config.Layers) : null;
            var normed = model.Hidden(ids, new ForwardOptions { Tap = tap });
            void Keep(string name, Tensor value) =>
                tensors.Add(new(name, value[0].to(ScalarType.Float32).cpu().contiguous().MoveToOuterDisposeScope()));
            Keep($"logits.{i}", model.Logits(normed));
            if (tap is not null)
            {
                for (var layer = 0; layer < tap.After.Length; layer++)
                {
                    Keep($"hidden.{i}.{layer}", tap.After[layer]!);
                    tap.After[layer]!.Dispose();
                }
                Keep($"hidden.{i}.embed", model.Embed(ids));
                Keep($"hidden.{i}.final_norm", normed);
            }
            progress?.Invoke(i + 1);
        }
        var unfinished = path + ".incomplete";
        try
        {
            SafetensorsWriter.Write(unfinished, tensors);
            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private sealed class Recorder(int layers) : ForwardTap
    {
        public Tensor?[] After { get; } = new Tensor?[layers];

        public override Tensor ResidPost(int layer, Tensor h)
        {
            // Its own storage, in no scope: the pass disposes what it made.
            After[layer] = h.clone().DetachFromDisposeScope();
            return h;
        }
    }
}
