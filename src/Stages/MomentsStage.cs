using EditUnlearn.Data;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Measures which keys a model's memories see in ordinary text; once per model, shared by all methods that need it.</summary>
public sealed class MomentsStage : Stage<MomentsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Layers">Blocks, 0-based.</param>
    public sealed record Params(IReadOnlyList<int> Layers);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("moments", 1, "second moments of the MLP keys") { Inputs = [new("model"), new("text")], Outputs = ["moments.safetensors"], Resource = Resource.Accelerator };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Layers.Count == 0 || parameters.Layers.Any(l => l < 0)) yield return new ParameterProblem("layers", "must be a list of block numbers from 0");
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        CheckLayers(parameters.Layers, checkpoint.Model.Config.Layers);
        var rows = QaFile.Read(io.Input("text"), "text").Select(q => checkpoint.Row(q.Question, q.Answer)).ToList();
        var (moments, tokens) = SecondMoments.Collect(checkpoint.Model, rows, parameters.Layers, progress: done => io.Progress(done, rows.Count), cancelled: io.Cancelled);
        SecondMoments.Save(io.Output("moments.safetensors"), moments, tokens);
        foreach (var moment in moments.Values) moment.Dispose();
        io.Metric("tokens", tokens);
    }

    internal static void CheckLayers(IReadOnlyList<int> layers, int count)
    {
        var beyond = layers.Where(l => l >= count).ToList();
        if (beyond.Count > 0) throw new StageFailedException($"the model has blocks 0 to {count - 1}, but the options name {string.Join(", ", beyond)}\n  hint: set options.<method>.layers");
    }
}
