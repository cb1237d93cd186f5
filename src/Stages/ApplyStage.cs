using System.Diagnostics;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;
using EditUnlearn.Workbench;
using static TorchSharp.torch;

namespace EditUnlearn.Stages;

/// <summary>Makes a model forget with one method; what comes out is the patch, not the model.</summary>
public sealed class ApplyStage : Stage<ApplyStage.Params>
{
    /// <summary>Parameters.</summary>
    /// <param name="Seed">Of every draw of the method.</param>
    /// <param name="Method">Its name in the catalogue.</param>
    /// <param name="Preset"><c>reference</c> or <c>corrected</c>.</param>
    /// <param name="Family">Whose hyperparameters stand under the preset: <c>llama2</c>, <c>mistral</c>, <c>llama3</c>,
    /// <c>llama31</c>; null for the method's defaults.</param>
    /// <param name="Options">What differs from both.</param>
    /// <param name="SetOptions">What differs from those for the data of this forget set.</param>
    /// <param name="TunedOptions">What differs again for sets of this kind, such as those of merged queries.</param>
    /// <param name="Targets">What methods that train on answers train on.</param>
    public sealed record Params(
        ulong Seed,
        string Method,
        string Preset = "reference",
        string? Family = null,
        JsonObject? Options = null,
        JsonObject? SetOptions = null,
        JsonObject? TunedOptions = null,
        AnswerTargets Targets = AnswerTargets.Answer
    );

    /// <summary>What is unlearned, and what is held on to.</summary>
    public enum AnswerTargets
    {
        /// <summary>The answer of the data set.</summary>
        Answer,

        /// <summary>The sentence in which the untouched model gives it (stage <c>known</c>).</summary>
        Own,
    }

    // Inputs that only some methods are given: each method's file says what it needs.
    private static readonly Dictionary<string, Needs> ByNeed = new(StringComparer.Ordinal)
    {
        [MethodMaterial.Moments] = Needs.SecondMoments,
        [MethodMaterial.Projector] = Needs.NullSpaces,
        [MethodMaterial.Contexts] = Needs.Contexts,
        [MethodMaterial.Locality] = Needs.Locality,
        [Reference] = Needs.Reference,
        [Choices] = Needs.Refusals,
    };

    /// <inheritdoc/>
    public override StageInfo Info { get; } =
        new("apply", 1, "a method's patch")
        {
            Inputs =
            [
                new("model"),
                new("data"),
                new("splits"),
                new("targets"),
                new(Choices, InputCount.Optional),
                new(Known, InputCount.Optional),
                new("requests", InputCount.Optional),
                new("moments", InputCount.Optional),
                new("projector", InputCount.Optional),
                new("contexts", InputCount.Optional),
                new("locality", InputCount.Optional),
                new(Reference, InputCount.Optional),
            ],
            Outputs = ["patch", TrainingOutputs.Folder],
            Resource = Resource.Accelerator,
            SpareThreads = ProductThreads.Useful,
        };

    /// <inheritdoc/>
    protected override IEnumerable<ParameterProblem> Check(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Bind(parameters, out var problems);
        return problems.Select(p => new ParameterProblem(
            Written(parameters, p.Path),
            p.Message,
            p.Hint is null ? null : KeyNames.WrittenIn(p.Hint)
        ));
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Presets and hyperparameters of families lie in the catalogue, whose code no key follows; their values must stand
    /// in the key themselves.
    /// </remarks>
    protected override Params Complete(Params parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var (_, options) = Bind(parameters, out _)!.Value;
        return parameters with
        {
            Options = MethodCatalog.ToJson(options),
            SetOptions = null,
            TunedOptions = null,
            // Editing methods never see an answer.
            Targets = TrainsOnAnswers(parameters) ? parameters.Targets : AnswerTargets.Answer,
        };
    }

    /// <inheritdoc/>
    protected override bool Uses(Params parameters, string input)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (input == Known)
            return parameters.Targets == AnswerTargets.Own && TrainsOnAnswers(parameters);
        if (!ByNeed.TryGetValue(input, out var need))
            return true;
        return Bind(parameters, out _) is { } bound && bound.Entry.Needs(bound.Options).HasFlag(need);
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<OptionOrigin>? Origins(Params written, Func<string, ValueOrigin?> origin)
    {
        ArgumentNullException.ThrowIfNull(written);
        return MethodCatalog.Find(written.Method) is { } entry
            ? OptionOrigins.Of(
                OptionStack.Of(
                    entry,
                    written.Preset,
                    written.Family,
                    [
                        OptionOrigins.Layer("options", written.Options, origin),
                        OptionOrigins.Layer("setOptions", written.SetOptions, origin),
                        OptionOrigins.Layer("tunedOptions", written.TunedOptions, origin),
                    ]
                ),
                origin
            )
            : null;
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
        using var spread = ProductThreads.Use(io.Threads);
        var (entry, options) = Bind(parameters, out _)!.Value;
        using var scope = NewDisposeScope();
        using var checkpoint = io.LoadModel("model");
        TrainingRecord? record = null;
        var clock = Stopwatch.StartNew();
        var inputs = Inputs(parameters, entry, options, checkpoint, io) with { Trained = r => record = r };
        var method = entry.Create(options);
        if (method is GradientMethod gradient)
            TrainingOutputs.Expect(
                io,
                gradient.MemoryFor(checkpoint.Model.Config, inputs, TrainingOutputs.WeightBytes(io))
            );
        try
        {
            using var patch = method.Edit(checkpoint.Model, inputs, new Seed(parameters.Seed));
            patch.Save(io.Output("patch"));
            TrainingOutputs.Write(io, $"{entry.Label}: {inputs.Forget.Count} rows", record, clock);
        }
        catch (MethodFailedException e)
        {
            throw new StageFailedException(e.Message, e);
        }
        finally
        {
            MethodMaterial.Free(inputs);
        }
    }

    private static (MethodEntry Entry, object Options)? Bind(
        Params parameters,
        out IReadOnlyList<OptionProblem> problems
    ) =>
        MethodCatalog.Bind(
            parameters.Method,
            parameters.Preset,
            MethodCatalog.Overlay(
                MethodCatalog.Overlay(parameters.Options, parameters.SetOptions),
                parameters.TunedOptions
            ),
            out problems,
            parameters.Family
        );

    private const string Reference = "reference",
        Choices = "choices",
        Known = "known";

    private static bool TrainsOnAnswers(Params parameters) =>
        MethodCatalog.Find(parameters.Method) is { Kind: MethodKind.Unlearning };

    // Every row that a method may train on was answered by the untouched model.
    private static IReadOnlyList<QaRow> InOwnWords(IReadOnlyList<QaRow> rows, string known)
    {
        var said = ParquetTable.Read<KnownRow>(known).ToDictionary(k => k.Id, StringComparer.Ordinal);
        return [.. rows.Select(q => said.TryGetValue(q.Id, out var row) ? q with { Answer = row.Sentence } : q)];
    }

    // Which of the maps a value stands in: the last that has it is the one in force.
    private static string Written(Params parameters, string path)
    {
        if (!path.StartsWith("options.", StringComparison.Ordinal))
            return path;
        bool Has(JsonObject? map)
        {
            JsonNode? at = map;
            foreach (var name in path.Split('.').Skip(1))
                at = (at as JsonObject)?[name];
            return at is not null;
        }
        var map =
            Has(parameters.TunedOptions) ? "tunedOptions"
            : Has(parameters.SetOptions) ? "setOptions"
            : "options";
        return map + path["options".Length..];
    }

    private static MethodInputs Inputs(
        Params parameters,
        MethodEntry entry,
        object options,
        Checkpoint checkpoint,
        StageIo io
    )
    {
        var data = ParquetTable.Read<QaRow>(io.Input("data"));
        var splits = ParquetTable.Read<SplitRow>(io.Input("splits"));
        var forget = Splits.Of(data, splits, SplitNames.Forget);
        if (options is IEditingOptions editing)
            Layers.Check(editing.Layers, checkpoint.Model.Config.Layers, $"options.{parameters.Method}.layers");
        string Needed(string input) =>
            io.HasInput(input)
                ? io.Input(input)
                : throw new StageFailedException(
                    $"{entry.Label} is set to use the input '{input}', but that is empty"
                        + "\n  hint: add it under 'in' of this stage in pipeline.yaml"
                );
        var own = parameters.Targets == AnswerTargets.Own && TrainsOnAnswers(parameters);
        IReadOnlyList<QaRow> Worded(IReadOnlyList<QaRow> rows) => own ? InOwnWords(rows, Needed(Known)) : rows;
        var targets = ParquetTable.Read<TargetRow>(io.Input("targets"));
        // A method that does not train on refusals has no such input.
        var drawsAnew =
            entry.Needs(options).HasFlag(Needs.Refusals) && targets.Any(t => t.Source == RefusalList.Source);
        var rows = new MethodRows
        {
            Forget = Worded(forget),
            // merged queries in place of single ones
            Requests = io.HasInput("requests") ? ParquetTable.Read<QaRow>(io.Input("requests")) : forget,
            Retain = Worded(Splits.OpenToMethods(data, splits)),
            Targets = targets.ToDictionary(t => t.Id, t => t.Target, StringComparer.Ordinal),
            Choices = drawsAnew
                ? RefusalList.Choices(targets, [.. ParquetTable.Read<ChoiceRow>(Needed(Choices)).Select(c => c.Text)])
                : new Dictionary<string, IReadOnlyList<string>>(),
        };
        var tokens = MethodMaterial.Rows(entry, options, checkpoint, rows, Needed);
        var needed = MethodMaterial.Needed(entry, options);
        foreach (var (name, value) in MethodMaterial.MeasuredOn(needed, options, Needed))
            io.Metric(name, value);
        return MethodMaterial.Statistics(tokens, needed, options, checkpoint.Model, Needed) with
        {
            OpenReference = io.HasInput(Reference) ? () => io.LoadModel(Reference).Model : null,
            Store = TrainingOutputs.Store(io),
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
