using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Lets the untouched model write the context prefixes of all recipes; once per model, shared by all methods and cells.</summary>
public sealed class ContextsStage : Stage<ContextsStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of the draws.</param>
    public sealed record Params(ulong Seed);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("contexts", 1, "context prefixes written by the model") { Inputs = [new("model")], Outputs = ["contexts.json"], Resource = Resource.Accelerator };

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        using var checkpoint = io.LoadModel("model");
        var seed = new Seed(parameters.Seed).For("contexts");
        var prefixes = new Dictionary<ContextRecipe, IReadOnlyList<IReadOnlyList<int>>>();
        foreach (var recipe in Enum.GetValues<ContextRecipe>())
        {
            io.Cancelled.ThrowIfCancellationRequested();
            prefixes[recipe] = ContextPrefixes.Generate(checkpoint.Model, checkpoint.Tokenizer, recipe, ContextPrefixes.Available(recipe), seed);
            foreach (var prefix in prefixes[recipe]) io.Log($"{recipe}: {checkpoint.Tokenizer.Decode([.. prefix])}");
        }
        ContextFile.Write(io.Output("contexts.json"), WeightFingerprint.Of(checkpoint.Model), prefixes);
    }
}
