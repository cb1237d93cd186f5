using System.Diagnostics;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Makes a model forget with one method; what comes out is the patch, not the model.</summary>
public sealed class ApplyStage : Stage<ApplyStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of every draw of the method.</param>
    /// <param name="Method">Its name in the catalogue.</param>
    /// <param name="Preset"><c>reference</c> or <c>corrected</c>.</param>
    /// <param name="Options">What differs from the preset.</param>
    public sealed record Params(ulong Seed, string Method, string Preset = "reference", JsonObject? Options = null);

    /// <inheritdoc/>
    public override StageInfo Info { get; } = new("apply", 1, "a method's patch")
    {
        Inputs = [new("model"), new("data"), new("splits"), new("targets"), new("moments", InputCount.Optional), new("reference", InputCount.Optional)],
        Outputs = ["patch", TrainingOutputs.Folder],
        Resource = Resource.Accelerator,
    };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        MethodCatalog.Bind(parameters.Method, parameters.Preset, parameters.Options, out var problems);
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
        var (entry, options) = MethodCatalog.Bind(parameters.Method, parameters.Preset, parameters.Options, out _)!.Value;
        var needs = entry.Needs(options);
        using var checkpoint = io.LoadModel("model");
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var splits = ParquetTable.Read<SplitRow>(io.Input("splits"));
        var forget = Splits.Of(data, splits, Splits.Forget);
        var targets = ParquetTable.Read<TargetRow>(io.Input("targets")).ToDictionary(t => t.Id, t => t.Target, StringComparer.Ordinal);
        var seed = new Seed(parameters.Seed);
        if (options is Rome.Options rome) MomentsStage.CheckLayers(rome.Layers, checkpoint.Model.Config.Layers);
        if (needs.HasFlag(Needs.SecondMoments) && !io.HasInput("moments"))
            throw new StageFailedException($"{entry.Label} is set to use second moments, but the input 'moments' is empty\n  hint: add it under 'in' of this stage in pipeline.yaml");

        var moments = needs.HasFlag(Needs.SecondMoments) ? SecondMoments.Load(io.Input("moments")) : new Dictionary<int, TorchSharp.torch.Tensor>();
        TrainingRecord? record = null;
        var clock = Stopwatch.StartNew();
        var inputs = new MethodInputs
        {
            Edits = entry.IsEditing ? [.. forget.Select(q => EditRequests.FromText(checkpoint, q.Id, q.Question, q.Subject, q.SubjectStart, targets[q.Id], options is Rome.Options { AppendEos: true }))] : [],
            Forget = [.. forget.Select(q => checkpoint.Row(q.Question, q.Answer))],
            Retain = needs.HasFlag(Needs.RetainSet) ? [.. Splits.Of(data, splits, Splits.Retain).Select(q => checkpoint.Row(q.Question, q.Answer))] : [],
            Refusals = needs.HasFlag(Needs.Refusals) ? [.. forget.Select(q => new[] { checkpoint.Row(q.Question, targets[q.Id]) })] : [],
            SecondMoments = moments,
            Contexts = needs.HasFlag(Needs.Contexts) && options is Rome.Options { Contexts: var count } ? ContextPrefixes.Generate(checkpoint.Model, checkpoint.Tokenizer, count, seed.For("contexts")) : [[]],
            OpenReference = io.HasInput("reference") ? () => io.LoadModel("reference").Model : null,
            Store = TrainingOutputs.Store(io),
            Trained = r => record = r,
            Progress = p =>
            {
                io.Progress(p.Done, p.Total, p.What);
                io.Log($"{p.Done} of {p.Total}: {p.What}");
            },
            Cancelled = io.Cancelled,
        };
        var method = entry.Create(options);
        if (method is GradientMethod gradient) TrainingOutputs.Expect(io, gradient.MemoryFor(checkpoint.Model.Config, inputs, TrainingOutputs.WeightBytes(io)));
        using var patch = method.Edit(checkpoint.Model, inputs, seed);
        patch.Save(io.Output("patch"));
        TrainingOutputs.Write(io, $"{entry.Label}: {forget.Count} rows", record, clock);
        foreach (var moment in moments.Values) moment.Dispose();
    }
}
