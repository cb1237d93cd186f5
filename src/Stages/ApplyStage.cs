using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using static TorchSharp.torch;

namespace EditUnlearn.Stages;

/// <summary>Makes a model forget with one method; what comes out is the patch, not the model.</summary>
public sealed class ApplyStage : Stage<ApplyStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of every draw of the method.</param>
    /// <param name="Method">Its name in the catalogue.</param>
    /// <param name="Preset"><c>reference</c> or <c>corrected</c>.</param>
    /// <param name="Family">Whose hyperparameters stand under the preset: <c>llama2</c>, <c>mistral</c>, <c>llama3</c>, <c>llama31</c>; null for the method's defaults.</param>
    /// <param name="Options">What differs from both.</param>
    public sealed record Params(ulong Seed, string Method, string Preset = "reference", string? Family = null, JsonObject? Options = null);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("apply", 1, "a method's patch")
    {
        Inputs =
        [
            new("model"), new("data"), new("splits"), new("targets"),
            new("moments", InputCount.Optional), new("projector", InputCount.Optional), new("contexts", InputCount.Optional), new("locality", InputCount.Optional),
        ],
        Outputs = ["patch"],
        Resource = Resource.Accelerator,
    };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        MethodCatalog.Bind(parameters.Method, parameters.Preset, parameters.Options, out var problems, parameters.Family);
        return problems.Select(p => new ParameterProblem(p.Path, p.Message, p.Hint));
    }

    /// <inheritdoc/>
    protected override IEnumerable<Type> CodeOf(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return MethodCatalog.Find(parameters.Method) is { } entry ? [entry.Method, entry.Options] : [];
    }

    /// <inheritdoc/>
    protected override void Run(Params parameters, StageIo io)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(io);
        var (entry, options) = MethodCatalog.Bind(parameters.Method, parameters.Preset, parameters.Options, out _, parameters.Family)!.Value;
        using var scope = NewDisposeScope();
        using var checkpoint = io.LoadModel("model");
        var inputs = Inputs(parameters, entry, options, checkpoint, io);
        try
        {
            using var patch = entry.Create(options).Edit(checkpoint.Model, inputs, new Seed(parameters.Seed));
            patch.Save(io.Output("patch"));
        }
        catch (MethodFailedException e)
        {
            throw new StageFailedException(e.Message, e);
        }
        finally
        {
            foreach (var space in inputs.NullSpaces.Values) space.Dispose();
        }
    }

    private static MethodInputs Inputs(Params parameters, MethodEntry entry, object options, Checkpoint checkpoint, StageIo io)
    {
        var needs = entry.Needs(options);
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var splits = ParquetTable.Read<SplitRow>(io.Input("splits"));
        var forget = Splits.Of(data, splits, Splits.Forget);
        var targets = ParquetTable.Read<TargetRow>(io.Input("targets")).ToDictionary(t => t.Id, t => t.Target, StringComparer.Ordinal);
        var editing = options as IEditingOptions;
        var layers = editing?.Layers ?? [];
        Layers.Check(layers, checkpoint.Model.Config.Layers, $"options.{parameters.Method}.layers");
        string Needed(string input) => io.HasInput(input) ? io.Input(input) : throw new StageFailedException(
            $"{entry.Label} is set to use what the stage '{input}' makes, but the input '{input}' is empty\n  hint: add it under 'in' of this stage in pipeline.yaml");

        return new MethodInputs
        {
            Edits = editing is null ? [] : [.. forget.Select(q => EditRequests.FromText(checkpoint, q.Id, q.Question, q.Subject, q.SubjectStart, targets[q.Id], editing.AppendEos))],
            Forget = [.. forget.Select(q => checkpoint.Row(q.Question, q.Answer))],
            Retain = needs.HasFlag(Needs.RetainSet) ? [.. Splits.Of(data, splits, Splits.Retain).Select(q => checkpoint.Row(q.Question, q.Answer))] : [],
            Refusals = needs.HasFlag(Needs.Refusals) ? [.. forget.Select(q => new[] { checkpoint.Row(q.Question, targets[q.Id]) })] : [],
            SecondMoments = needs.HasFlag(Needs.SecondMoments) ? SecondMoments.Load(Needed("moments"), checkpoint.Model, layers) : new Dictionary<int, Tensor>(),
            NullSpaces = needs.HasFlag(Needs.NullSpaces) ? NullSpace.Load(Needed("projector"), checkpoint.Model, layers) : new Dictionary<int, NullSpace>(),
            Contexts = needs.HasFlag(Needs.Contexts) && editing is not null
                ? ContextFile.Read(Needed("contexts"), WeightFingerprint.Of(checkpoint.Model), editing.ContextRecipe, editing.Contexts)
                : [[]],
            Locality = needs.HasFlag(Needs.Locality) ? [.. QaFile.Read(Needed("locality"), "locality").Select(q => checkpoint.Row(q.Question, q.Answer, end: false).Ids)] : [],
            Progress = p =>
            {
                io.Progress(p.Done, p.Total, p.What);
                io.Log($"{p.Done} of {p.Total}: {p.What}");
            },
            Warn = io.Warn,
            Metric = io.Metric,
            Cancelled = io.Cancelled,
        };
    }
}
