using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Patches;

/// <summary>Which outputs of the memory a hit replaces.</summary>
public enum CodebookReplacement
{
    /// <summary>That at the query position.</summary>
    Last,

    /// <summary>Those before the query position.</summary>
    Prompt,

    /// <summary>All of the sequence.</summary>
    All,
}

/// <summary>Which positions are looked up.</summary>
public enum CodebookQuery
{
    /// <summary>The last token of the prompt, once for a row. Cached and uncached decoding agree.</summary>
    PromptEnd,

    /// <summary>The prompt's last token, and every token decoded with a cache after it (defect G3).</summary>
    EveryToken,

    /// <summary>
    /// The column at which the latest edit was made, in every pass, as far as the pass has one (defect G3).
    /// </summary>
    Stale,
}

/// <summary>
/// A codebook beside the memory of one block: no weight changes, prompts outside every ball are answered bit for bit as
/// before.
/// </summary>
public sealed class CodebookPatch : ModelPatch
{
    internal const string Kind = "codebook";

    /// <summary>Takes ownership of the codebook.</summary>
    /// <param name="layer">The block, 0-based.</param>
    /// <param name="codebook">Its entries.</param>
    /// <param name="replacement">What a hit replaces.</param>
    /// <param name="query">What is looked up.</param>
    /// <param name="staleColumn">For <see cref="CodebookQuery.Stale"/>.</param>
    public CodebookPatch(
        int layer,
        Codebook codebook,
        CodebookReplacement replacement,
        CodebookQuery query,
        int staleColumn = 0
    )
    {
        ArgumentNullException.ThrowIfNull(codebook);
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        ArgumentOutOfRangeException.ThrowIfNegative(staleColumn);
        (Layer, Codebook, Replacement, Query, StaleColumn) = (layer, codebook, replacement, query, staleColumn);
        Tap = new CodebookTap(this);
    }

    /// <summary>The block.</summary>
    public int Layer { get; }

    /// <summary>Keys, values, radii.</summary>
    public Codebook Codebook { get; }

    /// <summary>What a hit replaces.</summary>
    public CodebookReplacement Replacement { get; }

    /// <summary>What is looked up.</summary>
    public CodebookQuery Query { get; }

    /// <summary>Query position of the latest edit.</summary>
    public int StaleColumn { get; }

    /// <inheritdoc/>
    public override ForwardTap Tap { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<RouteReading> Routes(
        CausalLm model,
        IReadOnlyList<IReadOnlyList<int>> prompts,
        IReadOnlyList<string>? groups = null,
        ForwardTap? settled = null
    ) =>
        (settled as CodebookTap)?.Readings(prompts)
        ?? [
            .. MemoryProbe
                .Read<PromptDecision>(
                    model,
                    Layer,
                    prompts,
                    Tap.BatchRows,
                    groups,
                    (key, _, layout) =>
                        [.. layout.PromptLast.Select((last, row) => Decision(key[row, Column(last, key)]))]
                )
                .Select(d => d.Reading),
        ];

    /// <summary>The entry whose ball each prompt is in, -1 outside all, from a pass over that prompt alone.</summary>
    /// <param name="model">The model without the patch.</param>
    /// <param name="prompts">Token ids.</param>
    internal IReadOnlyList<PromptDecision> Decide(CausalLm model, IReadOnlyList<IReadOnlyList<int>> prompts) =>
        MemoryProbe.Read<PromptDecision>(model, Layer, prompts, null, null, (key, _, _) => [Decision(key[0, -1])]);

    private int Column(int promptLast, Tensor key) =>
        Query == CodebookQuery.Stale ? Math.Min(StaleColumn, (int)key.shape[1] - 1) : promptLast;

    private PromptDecision Decision(Tensor query)
    {
        var (entry, distance) = Codebook.Nearest(query);
        if (entry < 0)
            return new PromptDecision(-1, new RouteReading(double.PositiveInfinity, 0, false));
        var hit = distance <= Codebook.Radii[entry];
        return new PromptDecision(hit ? entry : -1, new RouteReading(distance, Codebook.Radii[entry], hit));
    }

    /// <summary>The patch without one edit.</summary>
    /// <exception cref="ArgumentException">No entry has that id.</exception>
    public CodebookPatch Without(string id) => new(Layer, Codebook.Without(id), Replacement, Query, StaleColumn);

    /// <inheritdoc/>
    /// <remarks>Writes on nothing; the change is the <see cref="Tap"/>, which every pass must be given.</remarks>
    public override IDisposable ApplyTo(CausalLm model)
    {
        ArgumentNullException.ThrowIfNull(model);
        MemoryShape.Check(model, Layer, Codebook.Values.shape[1], Codebook.Keys.shape[1]);
        return new Nothing();
    }

    /// <inheritdoc/>
    public override void Save(string folder)
    {
        using var scope = NewDisposeScope();
        PatchFolder.Write(
            folder,
            Kind,
            [
                new("keys", Codebook.Keys),
                new("radii", tensor(Codebook.Radii.ToArray())),
                new("values", Codebook.Values),
            ],
            new JsonObject
            {
                ["layer"] = Layer,
                ["replacement"] = PatchFolder.Name(Replacement),
                ["query"] = PatchFolder.Name(Query),
                ["staleColumn"] = StaleColumn,
                ["entries"] = new JsonArray([
                    .. Codebook.Entries.Select(e => new JsonObject
                    {
                        ["ids"] = new JsonArray([.. e.Ids.Select(i => JsonValue.Create(i))]),
                        ["label"] = new JsonArray([.. e.Label.Select(i => JsonValue.Create(i))]),
                    }),
                ]),
            },
            Health
        );
    }

    /// <summary>Reads a saved patch.</summary>
    /// <exception cref="InputException">There is no patch in the folder.</exception>
    /// <exception cref="DamagedFileException">A file of it breaks its format.</exception>
    public static new CodebookPatch Load(string folder)
    {
        var json = PatchFolder.Info(folder);
        var path = Path.Combine(folder, PatchFolder.InfoFile);
        return PatchFolder.Checked(
            path,
            () =>
            {
                if (PatchFolder.Get<string>(json, "kind") != Kind)
                    throw new JsonException("it describes no codebook");
                var file = SafetensorsFile.Open(Path.Combine(folder, PatchFolder.TensorFile));
                using var scope = NewDisposeScope();
                var radii = file.Read("radii");
                if (radii.dim() != 1 || radii.dtype != ScalarType.Float32)
                    throw new JsonException("the radii are no list of numbers");
                var entries = (json["entries"] as JsonArray ?? throw new JsonException("there is no 'entries'"))
                    .Select(e => new CodebookEntry(
                        PatchFolder.GetList<string>(e, "ids"),
                        PatchFolder.GetList<int>(e, "label")
                    ))
                    .ToList();
                return new CodebookPatch(
                    PatchFolder.Get<int>(json, "layer"),
                    new Codebook(file.Read("keys"), file.Read("values"), radii.data<float>().ToArray(), entries),
                    PatchFolder.GetEnum<CodebookReplacement>(json, "replacement"),
                    PatchFolder.GetEnum<CodebookQuery>(json, "query"),
                    PatchFolder.Get<int>(json, "staleColumn")
                )
                {
                    Health = PatchFolder.Health(json),
                };
            }
        );
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => Codebook.Dispose();
}
