using EditUnlearn.Data;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Pipeline;
using TorchSharp;

namespace EditUnlearn.Stages;

/// <summary>Measures which keys a model's memories see in ordinary text; once per model, before any edit, shared by all methods that need it.</summary>
public sealed class MomentsStage : Stage<MomentsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Layers">Blocks, 0-based; all in one pass.</param>
    /// <param name="Truncation">Tokens of a row beyond are left out. The reference cuts at the model's position limit, which for Llama-3.1 does not fit any memory (defect S14).</param>
    public sealed record Params(IReadOnlyList<int> Layers, int Truncation = 4096);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("moments", 1, "second moments of the MLP keys") { Inputs = [new("model"), new("text")], Outputs = ["moments.safetensors"], Resource = Resource.Accelerator };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        foreach (var problem in Layers.Problems(parameters.Layers)) yield return problem;
        if (parameters.Truncation < 1) yield return new ParameterProblem("truncation", "must be at least 1 token");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        Layers.Check(parameters.Layers, checkpoint.Model.Config.Layers, "layers of the stage 'moments'");
        var truncation = Math.Min(parameters.Truncation, checkpoint.Model.Config.MaxPositions);
        var rows = QaFile.Read(io.Input("text"), "text").Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var (moments, tokens) = SecondMoments.Collect(
            checkpoint.Model, rows, parameters.Layers, truncation: truncation, progress: done => io.Progress(done, rows.Count), cancelled: io.Cancelled);
        SecondMoments.Save(io.Output("moments.safetensors"), moments, SecondMoments.Headers(checkpoint.Model, rows, parameters.Layers, tokens, truncation));
        foreach (var (layer, moment) in moments)
        {
            io.Metric($"layer{layer}.mean-eigenvalue", moment.diagonal().mean().ToDouble());
            moment.Dispose();
        }
        io.Metric("documents", rows.Count);
        io.Metric("tokens", tokens);
    }
}
