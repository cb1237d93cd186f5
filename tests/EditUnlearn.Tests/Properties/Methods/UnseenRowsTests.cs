using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Properties.Methods;

/// <summary>What is scored as kept, no method has seen: its patch is the same whatever stands in those rows.</summary>
public sealed class UnseenRowsTests : IDisposable
{
    private const int Forgotten = 3;
    private readonly TemporaryFolder _folder = new();
    private readonly InProcessRunner _runner = new(StudyStages.Catalog);

    private static readonly IReadOnlyList<QaRow> Rows =
    [
        .. Enumerable
            .Range(0, 11)
            .Select(i => new QaRow
            {
                Id = $"x/{i:0000}",
                Row = i,
                Question = $"Who wrote 'Book {(char)('A' + i)}'?",
                Answer = $"Writer {(char)('K' + i)}",
                Subject = $"Book {(char)('A' + i)}",
                SubjectStart = 11,
            }),
    ];

    private static readonly IReadOnlyList<SplitRow> Parted = Splits.SetApart(
        Rows,
        Splits.Range(Rows, 0, Forgotten),
        0.5,
        new Seed(0)
    );

    public UnseenRowsTests()
    {
        var tokenizer = BpeTrainer.Train(Rows.Select(r => r.Question + " " + r.Answer), 300);
        using var model = TinyModels.Lively(words: 300);
        using var checkpoint = new Checkpoint(model, tokenizer);
        checkpoint.Save(_folder["model"]);
        File.WriteAllText(_folder["text.txt"], string.Join('\n', Rows.Select(r => r.Question)));
        File.WriteAllText(_folder["locality.jsonl"], """{"question":"Is rain wet?","answer":"Yes"}""");
        ParquetTable.Write(_folder["splits.parquet"], [.. Parted]);
        ParquetTable.Write(_folder["choices.parquet"], RefusalList.Rows(["No idea.", "I cannot say."]));
        ParquetTable.Write(
            _folder["targets.parquet"],
            [
                .. Rows.Take(Forgotten)
                    .Select(r => new TargetRow
                    {
                        Id = r.Id,
                        Target = "No idea.",
                        Source = "list",
                    }),
            ]
        );
    }

    public void Dispose()
    {
        _runner.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _folder.Dispose();
    }

    /// <summary>Every method, and those that may be told to look at retain rows although they need none.</summary>
    public static TheoryData<string, string> Methods
    {
        get
        {
            var methods = new TheoryData<string, string>();
            foreach (var method in MethodCatalog.All.Where(m => m.Kind != MethodKind.Untouched))
                methods.Add(method.Name, "{}");
            methods.Add("dpo", """{"retainWeight":1}""");
            methods.Add("wise", """{"locality":"retain"}""");
            return methods;
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task A_patch_does_not_depend_on_unseen_rows_and_does_on_those_a_method_trains_on(
        string method,
        string given
    )
    {
        var (entry, options) = Options(method, given);
        await Statistics();
        var asked = await Patch("as-it-is", method, options, Rows);
        var unseen = await Patch("unseen", method, options, Changed(SplitNames.Retain));
        Assert.Equal(asked, unseen);
        var trained = await Patch("trained", method, options, Changed(SplitNames.RetainTrained));
        var bound = MethodCatalog.Bind(method, "corrected", options, out _)!.Value.Options;
        Assert.Equal(entry.Needs(bound).HasFlag(Needs.RetainSet), asked != trained);
    }

    private static IReadOnlyList<QaRow> Changed(string split)
    {
        var ids = Splits.Of(Rows, Parted, split).Select(r => r.Id).ToHashSet();
        Assert.NotEmpty(ids);
        return [.. Rows.Select(r => ids.Contains(r.Id) ? r with { Answer = "Book A " + r.Id } : r)];
    }

    // Small enough for three blocks and a few seconds.
    private static (MethodEntry Entry, JsonObject Options) Options(string method, string given)
    {
        var options = JsonNode.Parse(given)!.AsObject();
        var known = MethodCatalog.ToJson(MethodCatalog.Bind(method, "corrected", null, out _)!.Value.Options);
        foreach (
            var (name, value) in (IEnumerable<(string, JsonNode)>)
                [
                    ("layers", new JsonArray(1)),
                    ("layer", 1),
                    ("contexts", 0),
                    ("steps", 4),
                    ("trainable", "full"),
                    ("learningRate", 0.01),
                ]
        )
            if (known.ContainsKey(name) && !(name == "layers" && known.ContainsKey("trainable")))
                options[name] = value.DeepClone();
        if (known.ContainsKey("value"))
            options["value"] = new JsonObject { ["steps"] = 4 };
        if (known.ContainsKey("nullSpaceThreshold"))
            (options["nullSpaceThreshold"], options["nullSpaceUnit"]) = (0.3, "mean");
        return (MethodCatalog.Find(method)!, options);
    }

    private async Task Statistics()
    {
        await Run("moments", """{"layers":[1]}""", ("model", "model"), ("text", "text.txt"));
        Directory.Move(_folder["out"], _folder["moments"]);
        await Run(
            "projector",
            """{"layers":[1],"unit":"mean","threshold":0.3}""",
            ("moments", "moments/moments.safetensors")
        );
        Directory.Move(_folder["out"], _folder["projector"]);
    }

    // The bytes of every file of the patch, as one hash.
    private async Task<string> Patch(string name, string method, JsonObject options, IReadOnlyList<QaRow> rows)
    {
        ParquetTable.Write(_folder["data.parquet"], [.. rows]);
        var parameters = new JsonObject
        {
            ["seed"] = 3,
            ["method"] = method,
            ["preset"] = "corrected",
            ["options"] = options.DeepClone(),
        };
        await Run(
            "apply",
            parameters.ToJsonString(),
            ("model", "model"),
            ("data", "data.parquet"),
            ("splits", "splits.parquet"),
            ("targets", "targets.parquet"),
            ("choices", "choices.parquet"),
            ("moments", "moments/moments.safetensors"),
            ("projector", "projector/projector.safetensors"),
            ("locality", "locality.jsonl"),
            ("reference", "model")
        );
        Directory.Move(_folder["out"], _folder[name]);
        return string.Join(
            '\n',
            Directory
                .EnumerateFiles(_folder[name + "/patch"], "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(f =>
                    Path.GetFileName(f)
                    + " "
                    + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f)))
                )
        );
    }

    private Task<StageResult> Run(string stage, string parameters, params (string Name, string File)[] inputs) =>
        _runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                JsonNode.Parse(parameters)!.AsObject(),
                [.. inputs.Select(i => new JobInput(i.Name, null, [], _folder[i.File]))],
                _folder["out"],
                _folder["scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
}
