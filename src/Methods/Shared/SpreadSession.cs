using System.Globalization;
using EditUnlearn.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>Options of the methods that write one value through several layers.</summary>
internal interface ISpreadOptions : IEditingOptions
{
    /// <summary>Value optimisation at the last layer.</summary>
    ValueOptions Value { get; }
}

/// <summary>
/// Seeks values at the last layer and spreads what it lacks over all layers: what MEMIT and AlphaEdit share. They
/// differ in the right factor of the update.
/// </summary>
/// <remarks>
/// Source: Meng et al. (2023), algorithm 1; docs/methods.md, "MEMIT" and "AlphaEdit". Shapes: B edits of a batch, D
/// width, F MLP width.
/// </remarks>
/// <param name="model">Only read.</param>
/// <param name="inputs">Contexts and statistics.</param>
/// <param name="options">Layers, value optimisation.</param>
internal abstract class SpreadSession(CausalLm model, MethodInputs inputs, ISpreadOptions options)
    : EditSession(model, inputs, options.Layers)
{
    private readonly Dictionary<string, double> _uneditedValues = UneditedValues(
        model,
        inputs.Edits,
        options.Layers[^1]
    );

    /// <summary>Makes all edits of the inputs, batch after batch.</summary>
    public void EditAll()
    {
        var done = Resume();
        foreach (var batch in Inputs.Edits.Skip(done).Chunk(Math.Max(1, options.BatchSize)))
        {
            Inputs.Cancelled.ThrowIfCancellationRequested();
            Edit(batch);
            done += batch.Length;
            var last = Health.Edits[^1];
            Inputs.Progress?.Invoke(
                new MethodProgress(
                    done,
                    Inputs.Edits.Count,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{last.Id}: target probability {last.ProbabilityBefore:0.000} -> "
                            + $"{last.ProbabilityAfter:0.000}, written {last.Layers.Average(l => l.Written):0.00}"
                    )
                )
            );
            Keep(done);
        }
        Health.Tell(Inputs);
    }

    /// <summary>Makes one batch of edits.</summary>
    /// <param name="batch">At least one.</param>
    /// <param name="watch">Told the intermediate results.</param>
    public void Edit(IReadOnlyList<EditRequest> batch, SpreadWatch? watch = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        var last = Layers[^1];
        foreach (
            var (id, norm) in UneditedValues(Model, [.. batch.Where(r => !_uneditedValues.ContainsKey(r.Id))], last)
        )
            _uneditedValues.Add(id, norm);
        var before = TargetProbabilities(batch);
        var values = TargetValues.Optimise(
            Model,
            batch,
            Inputs.Contexts,
            last,
            ValueSite.ResidPost,
            options.Value,
            [.. batch.Select(r => _uneditedValues[r.Id])],
            watch?.Gradient,
            Inputs.Cancelled
        );
        watch?.Values?.Invoke(values);

        using var linear = no_grad();
        var z = stack([.. values.Select(v => v.Value)], 1); // Z [D, B]
        using var states = new LookupStates(Model, batch, Inputs.Contexts, Layers[0]);
        var written = new List<LayerHealth>[batch.Count];
        for (var j = 0; j < batch.Count; j++)
            written[j] = [];
        foreach (var (i, layer) in Layers.Index())
        {
            using var inner = NewDisposeScope();
            var keys = states.MeanOfGroups(states.KeysAt(layer)); // K [F, B]
            var output = states.OutputAt(last).to(ScalarType.Float32).t(); // H [D, B]
            var residual = z - output; // what is still missing
            var share = LeastSquares.Wide(residual) / (Layers.Count - i); // R, spread over the layers left
            var factor = Factor(layer, keys); // A [F, B]
            watch?.Step?.Invoke(new SpreadStep(layer, keys, output, residual, share, factor));
            var drift = Write(layer, share, factor);
            Note(written, layer, LeastSquares.Wide(keys), share, factor, drift);
        }
        AfterEdit(states, watch);

        var after = TargetProbabilities(batch);
        for (var j = 0; j < batch.Count; j++)
        {
            var initial = values[j].Initial.to(ScalarType.Float32).norm().ToDouble();
            Health.Add(
                new EditHealth(
                    batch[j].Id,
                    values[j].Losses,
                    before[j],
                    after[j],
                    values[j].Clamped,
                    initial / _uneditedValues[batch[j].Id],
                    written[j]
                )
            );
        }
    }

    /// <summary>The right factor A [F, B] of Delta W = R A^T, float64.</summary>
    /// <param name="layer">The block.</param>
    /// <param name="keys">K [F, B], measured with the updates of earlier layers in place.</param>
    protected abstract Tensor Factor(int layer, Tensor keys);

    /// <summary>Called when all layers of a batch are written.</summary>
    /// <param name="states">Of the batch.</param>
    /// <param name="watch">Told the intermediate results.</param>
    protected virtual void AfterEdit(LookupStates states, SpreadWatch? watch) { }

    // phi_j: the part of r_j that the update sends to k_j, along r_j.
    private void Note(List<LayerHealth>[] written, int layer, Tensor keys, Tensor share, Tensor factor, double drift)
    {
        var sent = matmul(share, matmul(factor.t(), keys)); // Delta W K [D, B]
        var along = (sent * share).sum([0L]).cpu().data<double>().ToArray();
        var squares = (share * share).sum([0L]).cpu().data<double>().ToArray();
        var widths = (factor * factor).sum([0L]).cpu().data<double>().ToArray();
        for (var j = 0; j < written.Length; j++)
            written[j]
                .Add(
                    new LayerHealth(
                        layer,
                        squares[j] > 0 ? along[j] / squares[j] : 0,
                        Math.Sqrt(squares[j] * widths[j]) / UneditedNorm(layer),
                        drift,
                        null
                    )
                );
    }

    // |v0| of each edit at the bare prompt.
    private static Dictionary<string, double> UneditedValues(
        CausalLm model,
        IReadOnlyList<EditRequest> requests,
        int layer
    )
    {
        var found = new Dictionary<string, double>(StringComparer.Ordinal);
        if (layer < 0 || layer >= model.Config.Layers)
            return found;
        foreach (var chunk in requests.Where(r => r.SubjectLast >= 0 && r.SubjectLast < r.PromptIds.Count).Chunk(64))
        {
            using var scope = NewDisposeScope();
            using var states = new LookupStates(
                model,
                chunk,
                [
                    [],
                ],
                layer
            );
            var norms = states.OutputAt(layer).to(ScalarType.Float32).norm(dim: 1).cpu().data<float>().ToArray();
            for (var j = 0; j < chunk.Length; j++)
                found[chunk[j].Id] = norms[j];
        }
        return found;
    }
}

/// <summary>
/// Who wants to see the intermediate results of a batch; tensors belong to the caller of the callback's scope and are
/// gone afterwards.
/// </summary>
internal sealed record SpreadWatch
{
    /// <summary>Index of the edit, delta before an update, its gradient.</summary>
    public Action<int, Tensor, Tensor>? Gradient { get; init; }

    /// <summary>The values found.</summary>
    public Action<IReadOnlyList<TargetValue>>? Values { get; init; }

    /// <summary>Each layer, before it is written.</summary>
    public Action<SpreadStep>? Step { get; init; }

    /// <summary>Keys [F, B] of a layer after all are written, where the method measures them.</summary>
    public Action<int, Tensor>? KeysAfter { get; init; }
}

/// <summary>One layer of one batch.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Keys">K [F, B].</param>
/// <param name="Output">H [D, B] of the last edited block.</param>
/// <param name="Residual">Z - H.</param>
/// <param name="Share">R, float64.</param>
/// <param name="Factor">A [F, B], float64.</param>
internal sealed record SpreadStep(int Layer, Tensor Keys, Tensor Output, Tensor Residual, Tensor Share, Tensor Factor);
