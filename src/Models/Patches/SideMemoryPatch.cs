using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>Who decides together which memory answers, and how long the decision holds (defect W4).</summary>
public enum RouteScope
{
    /// <summary>
    /// All rows of a pass, anew in every pass: while decoding with a cache from the newest tokens alone. Batches hold
    /// <see cref="Routing.BatchRows"/> rows of one split in the order of the data; what is read of a row is fed to it
    /// in the same batch, token by token.
    /// </summary>
    PerForwardBatch,

    /// <summary>
    /// Every row by itself, once, at its prompt: the same alone, in any batch, and whatever follows the prompt.
    /// </summary>
    StickyPerRow,
}

/// <summary>
/// How the memory of a <see cref="SideMemoryPatch"/> is chosen. Source: Wang et al. (2024), equation 5;
/// docs/methods.md, "WISE".
/// </summary>
public sealed record Routing
{
    /// <summary>Who decides.</summary>
    public RouteScope Scope { get; init; } = RouteScope.PerForwardBatch;

    /// <summary>
    /// A memory answers where its distance is at least this share of the least distance it was trained to.
    /// </summary>
    public double ActRatio { get; init; } = 0.88;

    /// <summary>
    /// In a sequence of more positions than this the greatest distance of a position stands for the mean; null never.
    /// </summary>
    public int? MaxBeyond { get; init; } = 100;

    /// <summary>
    /// Rows that decide together under <see cref="RouteScope.PerForwardBatch"/>; the reference evaluates 16 side by
    /// side. With 1 every row decides for itself, at its prompt and again for each token behind it, and may share a
    /// pass with any other.
    /// </summary>
    public int BatchRows { get; init; } = 16;
}

/// <summary>One side memory. Owns its tensor.</summary>
/// <param name="Weight">W' [D, F], float32.</param>
/// <param name="LeastDistance">Least mean distance over its edits; 1e9 before the first.</param>
public sealed record SideMemory(Tensor Weight, double LeastDistance)
{
    /// <summary>The distance of a memory that holds no edit: nothing reaches it.</summary>
    public const double Unedited = 1e9;
}

/// <summary>
/// Copies of one block's memory that answer in its stead where they differ enough from it; the main memory is never
/// written on.
/// </summary>
public sealed class SideMemoryPatch : ModelPatch
{
    internal const string Kind = "side-memory";

    /// <summary>Takes ownership of the memories.</summary>
    /// <param name="layer">The block, 0-based.</param>
    /// <param name="memories">The one being written first, then the stored ones, oldest first.</param>
    /// <param name="routing">How one is chosen.</param>
    public SideMemoryPatch(int layer, IReadOnlyList<SideMemory> memories, Routing routing)
    {
        ArgumentNullException.ThrowIfNull(memories);
        ArgumentNullException.ThrowIfNull(routing);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        if (
            memories.Count == 0
            || memories.Any(m =>
                m.Weight.dim() != 2
                || m.Weight.dtype != ScalarType.Float32
                || !m.Weight.shape.SequenceEqual(memories[0].Weight.shape)
            )
        )
            throw new ArgumentException(
                "Memories are float32 matrices of one shape, and there is at least one.",
                nameof(memories)
            );
        (Layer, Memories, Routing) = (layer, memories, routing);
        foreach (var memory in memories)
            memory.Weight.DetachFromDisposeScope();
        Tap = new SideMemoryTap(this);
    }

    /// <summary>The block.</summary>
    public int Layer { get; }

    /// <summary>The memory being written, then the stored ones.</summary>
    public IReadOnlyList<SideMemory> Memories { get; }

    /// <summary>How one is chosen.</summary>
    public Routing Routing { get; }

    /// <inheritdoc/>
    public override ForwardTap Tap { get; }

    /// <inheritdoc/>
    /// <remarks>Writes on nothing; the change is the <see cref="Tap"/>, which every pass must be given.</remarks>
    public override IDisposable ApplyTo(CausalLm model)
    {
        ArgumentNullException.ThrowIfNull(model);
        MemoryShape.Check(model, Layer, Memories[0].Weight.shape[0], Memories[0].Weight.shape[1]);
        return new Nothing();
    }

    /// <summary>
    /// How far each memory's output is from the main one's, position by position [M][B, T]: what routing looks at.
    /// </summary>
    /// <param name="key">Input of the memory [B, T, F].</param>
    /// <param name="main">The main memory's output [B, T, D].</param>
    public IReadOnlyList<Tensor> Distances(Tensor key, Tensor main) =>
        [.. Memories.Select(m => Distance(main, Output(m, key)))];

    /// <summary>
    /// |SiLU(o) - SiLU(o')| of every position [B, T], float32. The activation is applied to outputs, as the reference
    /// does (defect W3).
    /// </summary>
    public static Tensor Distance(Tensor main, Tensor side)
    {
        ArgumentNullException.ThrowIfNull(main);
        ArgumentNullException.ThrowIfNull(side);
        using var scope = NewDisposeScope();
        var difference =
            nn.functional.silu(main.to(ScalarType.Float32)) - nn.functional.silu(side.to(ScalarType.Float32));
        return difference.norm(-1).MoveToOuterDisposeScope();
    }

    /// <summary>The memory's output [B, T, D].</summary>
    internal static Tensor Output(SideMemory memory, Tensor key) => LinearMap.Of(key, memory.Weight.to(key.device));

    /// <summary>Which memory answers: its index, or -1 for the main one.</summary>
    /// <param name="distances">Pooled, one a memory.</param>
    /// <remarks>
    /// The search starts at the current memory's distance even where the main memory was preferred to it, as in the
    /// reference.
    /// </remarks>
    public int Choose(IReadOnlyList<double> distances)
    {
        ArgumentNullException.ThrowIfNull(distances);
        var chosen = distances[0] < Routing.ActRatio * Memories[0].LeastDistance ? -1 : 0;
        var best = distances[0];
        for (var i = 1; i < Memories.Count; i++)
            if (distances[i] > best && distances[i] > Routing.ActRatio * Memories[i].LeastDistance)
                (chosen, best) = (i, distances[i]);
        return chosen;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// By the passes in which rows are answered: each prompt alone, or the batches of <see cref="Routing.BatchRows"/>
    /// that decide together. Of tokens behind the prompt nothing is told.
    /// </remarks>
    public override IReadOnlyList<RouteReading> Routes(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        IReadOnlyList<string>? groups = null,
        ForwardTap? settled = null
    ) =>
        (settled as SideMemoryTap)?.Readings(prompts)
        ?? [.. MemoryProbe.Read(model, Layer, prompts, Tap.BatchRows, groups, Decisions).Select(d => d.Reading)];

    /// <summary>Which memory answers each prompt, decided from a pass over that prompt alone.</summary>
    /// <param name="model">The model without the patch.</param>
    /// <param name="prompts">Token ids.</param>
    internal IReadOnlyList<PromptDecision> Decide(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts) =>
        MemoryProbe.Read(model, Layer, prompts, null, null, Decisions);

    // One decision for all rows of the pass.
    private List<PromptDecision> Decisions(Tensor key, Tensor main, BatchLayout layout)
    {
        var pooled = Distances(key, main).Select(Pooled).ToList();
        var thresholds = Memories.Select(m => Routing.ActRatio * m.LeastDistance).ToList();
        var chosen = Choose(pooled);
        // Where the main memory answers, the one that came nearest to answering.
        var told = chosen >= 0 ? chosen : Enumerable.Range(0, Memories.Count).MaxBy(i => pooled[i] / thresholds[i]);
        var reading = new RouteReading(pooled[told], thresholds[told], chosen >= 0);
        return [.. layout.First.Select(_ => new PromptDecision(chosen, reading))];
    }

    /// <summary>
    /// What one memory is chosen by: the mean over rows of each row's mean distance, or of its greatest in a long
    /// sequence.
    /// </summary>
    /// <param name="distances">Of every position [B, T].</param>
    public double Pooled(Tensor distances)
    {
        ArgumentNullException.ThrowIfNull(distances);
        using var scope = NewDisposeScope();
        return (distances.shape[1] > Routing.MaxBeyond ? distances.amax([1L]) : distances).mean().ToDouble();
    }

    /// <inheritdoc/>
    public override void Save(string folder) =>
        PatchFolder.Write(
            folder,
            Kind,
            Memories.Select((m, i) => KeyValuePair.Create(Name(i), m.Weight)),
            new JsonObject
            {
                ["layer"] = Layer,
                ["scope"] = PatchFolder.Name(Routing.Scope),
                ["actRatio"] = Routing.ActRatio,
                ["maxBeyond"] = Routing.MaxBeyond,
                ["batchRows"] = Routing.BatchRows,
                ["leastDistances"] = new JsonArray([.. Memories.Select(m => JsonValue.Create(m.LeastDistance))]),
            },
            Health
        );

    /// <summary>Reads a saved patch.</summary>
    /// <exception cref="InputException">There is no patch in the folder.</exception>
    /// <exception cref="DamagedFileException">A file of it breaks its format.</exception>
    public static new SideMemoryPatch Load(string folder)
    {
        var json = PatchFolder.Info(folder);
        return PatchFolder.Checked(
            Path.Combine(folder, PatchFolder.InfoFile),
            () =>
            {
                if (PatchFolder.Get<string>(json, "kind") != Kind)
                    throw new JsonException("it describes no side memory");
                var file = SafetensorsFile.Open(Path.Combine(folder, PatchFolder.TensorFile));
                var least = (
                    json["leastDistances"] as JsonArray ?? throw new JsonException("there is no 'leastDistances'")
                )
                    .Select(d => d?.GetValue<double>() ?? throw new JsonException("a least distance is null"))
                    .ToList();
                var routing = new Routing
                {
                    Scope = PatchFolder.GetEnum<RouteScope>(json, "scope"),
                    ActRatio = PatchFolder.Get<double>(json, "actRatio"),
                    MaxBeyond = (int?)json["maxBeyond"],
                    BatchRows = Math.Max(1, PatchFolder.Get<int>(json, "batchRows")),
                };
                return new SideMemoryPatch(
                    PatchFolder.Get<int>(json, "layer"),
                    [.. least.Select((d, i) => new SideMemory(file.Read(Name(i)), d))],
                    routing
                )
                {
                    Health = PatchFolder.Health(json),
                };
            }
        );
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var memory in Memories)
            memory.Weight.Dispose();
    }

    private static string Name(int index) => index == 0 ? "side" : $"memory{index - 1}";
}
