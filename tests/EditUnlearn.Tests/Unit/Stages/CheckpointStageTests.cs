using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>A real checkpoint as an input of the study: by content, from where it lies.</summary>
public sealed class CheckpointStageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StageCatalog _catalog = new([new CheckpointStage(), new Reader()]);
    private readonly List<string> _ran = [];

    public CheckpointStageTests()
    {
        using var model = TinyModels.Llama();
        EditUnlearn.Models.Weights.WeightFolder.Save(_folder["model"], model);
        File.WriteAllText(_folder["model/tokenizer.json"], "{}");
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Reads what stands behind a model input, as the study's stages do.</summary>
    private sealed class Reader : Stage<Reader.Params>
    {
        public sealed record Params;

        public override StageInfo Info { get; } =
            new("reader", 1, "reads a model")
            {
                Inputs = [new("model")],
                Outputs = ["seen.txt"],
                Resource = Resource.Accelerator,
            };

        protected override void Run(Params parameters, StageIo io)
        {
            using var model = EditUnlearn.Models.Weights.WeightFolder.Load(io.Input("model"), TorchSharp.torch.CPU);
            File.WriteAllText(io.Output("seen.txt"), $"{model.Config.Layers}");
        }
    }

    private sealed class Observer(List<string> ran) : IRunObserver
    {
        public void Planned(int cells) { }

        public void Started(CellId cell, IReadOnlyList<string> reasons) => ran.Add(cell.Text);

        public void Told(CellId cell, StageMessage message) { }

        public void Finished(CellOutcome outcome) { }

        public void Estimated(TimeSpan? left) { }

        public void Waiting(CellId cell, string holder) { }
    }

    private async Task<RunResult> Run(string place = "model", string family = "llama2", bool keepGoing = false)
    {
        _ran.Clear();
        var plan = PlanBuilder.Build(
            StudyText.Parse(
                $$"""
                stages:
                  checkpoint:
                    in: { folder: { file: {{place}}, obtain: dotnet eu-stage pull llama2 } }
                    with: { family: {{family}} }
                  reader: { in: { model: checkpoint } }
                """,
                _folder.Path
            ),
            _catalog,
            new PlanRequest()
        );
        var store = new ResultStore(_folder["artifacts"]);
        await using var runner = new InProcessRunner(_catalog);
        var files = new FileHashes(Path.Combine(store.Folder, "files.json"));
        return await new Scheduler(
            plan,
            store,
            new KeyResolver(plan, new CodeIdentity(AppContext.BaseDirectory), files),
            runner,
            new Observer(_ran)
        ).RunAsync(plan.Cells, new RunOptions { KeepGoing = keepGoing }, CancellationToken.None);
    }

    private async Task<Exception> Failure(string family = "llama2") =>
        (await Run(family: family)).Cells.Single(c => c.Outcome == Outcome.Failed).Error!;

    private static void Flip(string path, long offset)
    {
        using var file = new FileStream(path, FileMode.Open);
        file.Position = offset;
        var old = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(old ^ 1));
    }

    [Fact]
    public async Task A_folder_is_read_where_it_lies_and_named_by_its_content()
    {
        await Run();
        Assert.Equal(["checkpoint", "reader"], _ran);
        Assert.Equal("3", File.ReadAllText(_folder["artifacts/reader/seen.txt"]));
        var text = File.ReadAllText(_folder["artifacts/checkpoint/checkpoint.json"]);
        Assert.DoesNotContain(_folder.Path, text, StringComparison.Ordinal);
        var identity = JsonNode.Parse(text)!;
        Assert.Equal(("llama2", "float32"), ((string?)identity["family"], (string?)identity["dtype"]));
        Assert.Equal(
            ["config.json", "model.safetensors", "tokenizer.json"],
            identity["files"]!.AsArray().Select(f => (string?)f!["path"])
        );
        Assert.Equal(
            HubServer.Sha256(File.ReadAllBytes(_folder["model/model.safetensors"])),
            (string?)identity["files"]![1]!["sha256"]
        );
        var size = Directory
            .EnumerateFiles(_folder["artifacts/.store/objects"], "*", SearchOption.AllDirectories)
            .Sum(f => new FileInfo(f).Length);
        Assert.True(size < 4096, $"the store holds {size} bytes");
        await Run();
        Assert.Empty(_ran);
    }

    [Fact]
    public async Task Another_place_changes_nothing_and_a_read_me_only_the_look()
    {
        await Run();
        Directory.Move(_folder["model"], _folder["elsewhere"]);
        await Run("elsewhere");
        Assert.Empty(_ran);
        File.WriteAllText(_folder["elsewhere/README.md"], "hello");
        await Run("elsewhere");
        Assert.Equal(["checkpoint"], _ran);
    }

    [Fact]
    public async Task A_changed_weight_reruns_what_hangs_below()
    {
        await Run();
        var weights = _folder["model/model.safetensors"];
        File.SetLastWriteTimeUtc(weights, DateTime.UtcNow.AddMinutes(-5));
        Flip(weights, new FileInfo(weights).Length - 1);
        await Run();
        Assert.Equal(["checkpoint", "reader"], _ran);
    }

    [Fact]
    public async Task A_snapshot_made_of_links_is_seen_through()
    {
        Directory.CreateDirectory(_folder["snapshot"]);
        foreach (var file in Directory.EnumerateFiles(_folder["model"]))
            File.CreateSymbolicLink(
                _folder["snapshot/" + Path.GetFileName(file)],
                "../model/" + Path.GetFileName(file)
            );
        await Run();
        await Run("snapshot");
        Assert.Empty(_ran);
        Assert.True(ModelFolder.Look(_folder["snapshot"], "").WeightBytes > 10_000);
        Flip(_folder["model/model.safetensors"], new FileInfo(_folder["model/model.safetensors"]).Length - 1);
        await Run("snapshot");
        Assert.Equal(["checkpoint", "reader"], _ran);
    }

    [Fact]
    public async Task An_absent_folder_stops_the_run_before_it_starts_and_names_the_command()
    {
        Directory.Delete(_folder["model"], recursive: true);
        var e = await Assert.ThrowsAsync<ResourceUnavailableException>(() => Run());
        Assert.Equal("model: is not there\n  hint: dotnet eu-stage pull llama2", e.Message);
        var result = await Run(keepGoing: true);
        Assert.Equal((1, 1), (result.Count(Outcome.Failed), result.Count(Outcome.NotRun)));
        Assert.IsType<ResourceUnavailableException>(result.Cells[0].Error);
    }

    [Theory]
    [InlineData("config.json", "there is no config.json")]
    [InlineData("model.safetensors", "there is neither model.safetensors nor model.safetensors.index.json")]
    [InlineData("tokenizer.json", "there is neither tokenizer.json nor tokenizer.model")]
    public async Task An_incomplete_folder_says_what_is_missing_and_names_pull(string file, string expected)
    {
        File.Delete(_folder["model/" + file]);
        var e = Assert.IsType<InputException>(await Failure());
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.Contains("dotnet eu-stage pull llama2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_shards_are_counted_and_shards_outside_the_folder_refused()
    {
        File.Move(_folder["model/model.safetensors"], _folder["model/a.safetensors"]);
        File.WriteAllText(
            _folder["model/model.safetensors.index.json"],
            """{"weight_map":{"x":"a.safetensors","y":"b.safetensors","z":"c.safetensors"}}"""
        );
        Assert.Contains(
            "2 of 3 weight files that model.safetensors.index.json names are not there, the first is b.safetensors",
            (await Failure()).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(
            _folder["model/model.safetensors.index.json"],
            """{"weight_map":{"x":"../secret.safetensors"}}"""
        );
        Assert.IsType<DamagedFileException>(await Failure());
    }

    [Fact]
    public async Task Pickle_is_named_as_such()
    {
        File.Move(_folder["model/model.safetensors"], _folder["model/pytorch_model.bin"]);
        Assert.Contains(
            "pickle and can run code; safetensors are needed",
            (await Failure()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_model_of_another_family_is_refused() =>
        Assert.Contains(
            "holds a model of the family llama2, but stands for mistral",
            (await Failure("mistral")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public async Task A_truncated_weight_file_is_found_before_anything_loads_it()
    {
        using (var file = new FileStream(_folder["model/model.safetensors"], FileMode.Open))
            file.SetLength(file.Length / 2);
        Assert.IsType<DamagedFileException>(await Failure());
    }
}
