using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Cli;

/// <summary>
/// A study as its store shows it now: of every cell the result for the present settings, else the latest one, and the
/// state it is in.
/// </summary>
internal sealed class StoreView
{
    private readonly Study _study;
    private readonly Dictionary<CellId, CellStatus> _states;

    public StoreView(Study study)
    {
        _study = study;
        _states = Status.Of(study.Plan, study.Store, study.Keys).ToDictionary(s => s.Cell.Id);
    }

    /// <summary>Whether a cell has a result to show.</summary>
    public bool Has(CellId cell) => KeyOf(cell) is not null;

    /// <summary>How many cells are in a state.</summary>
    public int Count(Func<CellStatus, bool> which) => _states.Values.Count(which);

    /// <summary>What stands behind an input of a cell; what is not there is left out.</summary>
    public IReadOnlyList<BoundInput> Inputs(Cell cell, string name) =>
        [
            .. cell.Inputs.Where(i => i.Name == name)
                .Select(i =>
                    i switch
                    {
                        CellOutputInput made => KeyOf(made.Cell) is { } key
                            ? new BoundInput(made.Cell, Path.Combine(_study.Store.ResultFolder(key), made.Output))
                            : null,
                        FileInput file => new BoundInput(null, Path.Combine(_study.Root, file.Path)),
                        _ => null,
                    }
                )
                .OfType<BoundInput>()
                .Where(i => Path.Exists(i.Path)),
        ];

    /// <summary>Every cell with its state and its manifest, and the stages as written.</summary>
    public JsonObject Json()
    {
        var places = _study.Plan.Cells.Index().ToDictionary(c => c.Item.Id, c => c.Index);
        return new JsonObject
        {
            ["profile"] = _study.Plan.Profile,
            ["stages"] = new JsonArray([
                .. _study.Plan.Stages.Select(s => new JsonObject
                {
                    ["name"] = s.Name,
                    ["summary"] = s.Run.Info.Summary,
                    ["reads"] = new JsonArray([.. s.Reads.Select(r => (JsonNode)r)]),
                    ["cells"] = new JsonArray([
                        .. _study.Plan.Cells.Where(c => c.Id.Stage == s.Name).Select(c => (JsonNode)places[c.Id]),
                    ]),
                }),
            ]),
            ["cells"] = new JsonArray([.. _study.Plan.Cells.Select(Json)]),
        };
    }

    private JsonObject Json(Cell cell)
    {
        var state = _states[cell.Id];
        var json = new JsonObject
        {
            ["cell"] = cell.Id.Text,
            ["state"] = JsonNamingPolicy.CamelCase.ConvertName(state.State.ToString()),
        };
        if (state.Reasons.Count > 0)
            json["reasons"] = new JsonArray([.. state.Reasons.Take(5).Select(r => (JsonNode)r)]);
        if (KeyOf(cell.Id) is not { } key)
            return json;
        try
        {
            if (_study.Store.ReadManifest(key) is { } manifest)
                json["manifest"] = Json(manifest);
        }
        catch (DamagedFileException e)
        {
            json["damaged"] = e.Message;
        }
        return json;
    }

    private static JsonObject Json(Manifest m) =>
        new()
        {
            ["key"] = m.Key,
            ["code"] = m.Code,
            ["parameters"] = m.Parameters.DeepClone(),
            ["inputs"] = new JsonArray([.. m.Inputs.Select(i => new JsonArray(i.Name, i.Source, i.Hash))]),
            ["outputs"] = new JsonArray([.. m.Outputs.Select(o => new JsonArray(o.Name, o.Bytes, o.Hash))]),
            ["started"] = m.Started,
            ["seconds"] = m.Seconds,
            ["cpuSeconds"] = m.CpuSeconds,
            ["peakBytes"] = m.PeakBytes,
            ["device"] = m.Device,
            ["dtype"] = m.DType,
            ["numerics"] = m.Numerics,
            ["threads"] = m.Threads,
            ["seed"] = m.Seed,
            ["versions"] = new JsonObject(m.Versions.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value))),
            ["commit"] = m.Commit,
            ["dirty"] = m.Dirty,
            ["metrics"] = new JsonObject(m.Metrics.Select(v => KeyValuePair.Create(v.Key, Finite(v.Value)))),
            ["warnings"] = new JsonArray([.. m.Warnings.Select(w => (JsonNode)w)]),
        };

    // JSON has no NaN.
    private static JsonNode? Finite(double x) => double.IsFinite(x) ? JsonValue.Create(x) : null;

    // The result for the present settings; where there is none, the one that the readable view points to.
    private string? KeyOf(CellId cell)
    {
        if (_states[cell] is { State: CellState.UpToDate, Key: { } key })
            return key;
        var view = new FileInfo(Path.Combine(_study.Store.Artifacts, cell.Folder));
        var shown = view.LinkTarget is { } target ? Path.GetFileName(target) : _study.Store.LastKey(cell);
        return shown is not null && File.Exists(Path.Combine(_study.Store.ResultFolder(shown), "manifest.json"))
            ? shown
            : null;
    }
}
