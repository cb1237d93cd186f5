using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli.Doctor;

/// <summary>Shapes of a plan's models before any of them is loaded, and what its cells need for them.</summary>
/// <param name="plan">Of the study.</param>
/// <param name="sources">Shapes of published models.</param>
internal sealed class ModelShapes(Plan plan, SourceCatalog sources)
{
    private readonly Lazy<Dictionary<string, ModelConfig>> _shapes = new(() => All(plan, sources));

    /// <summary>Bytes of a weight.</summary>
    public static int TypeBytes(Plan plan) => plan.DType == DeviceNames.F32 ? 4 : 2;

    /// <summary>The estimate for a cell; null where its model's shape or its kind of work is not known.</summary>
    public MemoryEstimate? Memory(Cell cell) =>
        cell.Stage.Info.Resource == Resource.Accelerator
        && cell.Id.Axis("model") is { } model
        && _shapes.Value.TryGetValue(model, out var shape)
            ? StageMemory.Of(cell, shape, TypeBytes(plan))
            : null;

    /// <summary>What to change where a cell's memory is not enough; null where nothing is known.</summary>
    public string? Relief(Cell cell) => Memory(cell) is { } estimate ? StageRelief.For(plan, cell, estimate) : null;

    /// <summary>Of a miniature.</summary>
    public static ModelConfig Of(PretrainStage.Params p) =>
        new()
        {
            Family = p.Family,
            VocabSize = p.Size.Vocabulary,
            HiddenSize = p.Size.Width,
            IntermediateSize = p.Size.MlpWidth,
            Layers = p.Size.Layers,
            Heads = p.Size.Heads,
            KvHeads = p.KvHeads,
            HeadDim = p.Size.Width / p.Size.Heads,
            TieWordEmbeddings = true,
        };

    /// <summary>Of a published model.</summary>
    public static ModelConfig Of(string family, PublishedShape s) =>
        new()
        {
            Family = family,
            VocabSize = s.Vocabulary,
            HiddenSize = s.Width,
            IntermediateSize = s.MlpWidth,
            Layers = s.Layers,
            Heads = s.Heads,
            KvHeads = s.KvHeads,
            HeadDim = s.Width / s.Heads,
            TieWordEmbeddings = s.Tied,
        };

    private static Dictionary<string, ModelConfig> All(Plan plan, SourceCatalog sources)
    {
        var shapes = new Dictionary<string, ModelConfig>(StringComparer.Ordinal);
        foreach (var cell in plan.Cells)
            if (
                cell.Id.Axis("model") is { } name
                && !shapes.ContainsKey(name)
                && Of(plan, cell, name, sources) is { } shape
            )
                shapes[name] = shape;
        return shapes;
    }

    private static ModelConfig? Of(Plan plan, Cell cell, string name, SourceCatalog sources)
    {
        if (cell.Parameters is PretrainStage.Params miniature)
            return Of(miniature);
        if (cell.Parameters is not CheckpointStage.Params)
            return null;
        var file = Path.Combine(plan.Root, cell.Inputs.OfType<FileInput>().Single().Path, "config.json");
        try
        {
            if (File.Exists(file))
                return ConfigFile.Read(file).Item1;
        }
        catch (Exception e) when (e is InputException or DamagedFileException)
        {
            return null; // the stage says it better
        }
        return sources.Find(name)?.Shape is { } published ? Of(name, published) : null;
    }
}

/// <summary>What to type when the memory is not enough for a stage.</summary>
internal static class StageRelief
{
    /// <summary>What takes the largest part away.</summary>
    public static string For(Plan plan, Cell cell, MemoryEstimate estimate)
    {
        var repro = $"dotnet eu-stage repro --profile {plan.Profile} --set ";
        return estimate.Largest.Name switch
        {
            "training state" => repro + $"methods.{cell.Id.Axis("method")}.options.trainable=lora",
            "activations" when cell.Id.Axis("method") is { } method && cell.Parameters is ApplyStage.Params apply =>
                MethodCatalog.Find(apply.Method) is not { IsEditing: true }
                    ? repro + $"methods.{method}.options.gradient-checkpointing=true"
                : (int?)apply.Options?["batchSize"] > 1 ? repro + $"methods.{method}.options.batch-size=1"
                : repro + $"methods.{method}.options.contexts=0",
            _ when plan.DType == "float32" => repro + "dtype=bfloat16",
            _ => "run it on a machine with more memory",
        };
    }
}
