using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Workbench;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>How many documents second moments are measured on: asked for, drawn, enforced and said.</summary>
public sealed class MomentSampleTests : IDisposable
{
    private const int Lines = 60;
    private readonly TemporaryFolder _folder = new();
    private readonly Checkpoint _checkpoint;

    public MomentSampleTests()
    {
        var lines = Enumerable.Range(0, Lines).Select(i => $"Document {i} says that {i * 7} is near {i * 7 + 1}.");
        File.WriteAllLines(_folder["documents.txt"], lines);
        _checkpoint = new Checkpoint(TinyModels.Llama(words: 400), BpeTrainer.Train(lines, 300));
        _checkpoint.Save(_folder["model"]);
    }

    public void Dispose()
    {
        _checkpoint.Dispose();
        _folder.Dispose();
    }

    private async Task<StageResult> Run(string parameters)
    {
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                "moments",
                "moments",
                [],
                JsonNode.Parse(parameters)!.AsObject(),
                [
                    new JobInput("model", null, [], _folder["model"]),
                    new JobInput("text", null, [], _folder["documents.txt"]),
                ],
                _folder["out"],
                _folder["scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private List<string> Drawn((int, Seed)? sample) =>
        [.. ModelStatistics.Text(_checkpoint, _folder["documents.txt"], sample).Select(r => string.Join(',', r.Ids))];

    [Fact]
    public void The_first_of_a_seeded_shuffle_are_taken_and_none_twice()
    {
        var all = Drawn(null);
        Assert.Equal(Lines, all.Count);
        var some = Drawn((25, new Seed(17)));
        Assert.Equal(25, some.Distinct().Count());
        Assert.Equal(some, all.Where(some.Contains));
        Assert.Equal(some, Drawn((25, new Seed(17))));
        Assert.NotEqual(some, Drawn((25, new Seed(18))));
        Assert.NotEqual(all.Take(25), some);
        // More documents of one seed hold the fewer.
        Assert.Subset(Drawn((40, new Seed(17))).ToHashSet(), some.ToHashSet());
        Assert.Equal(all, Drawn((Lines, new Seed(17))));
    }

    [Fact]
    public async Task What_was_asked_for_is_what_metrics_and_header_say()
    {
        var result = await Run("""{"layers":[0,1],"mom2Samples":25,"seed":17}""");
        var path = _folder["out/moments.safetensors"];
        var header = StatisticsHeader.From(SafetensorsFile.Open(path), path, 1);
        var tokens = ModelStatistics
            .Text(_checkpoint, _folder["documents.txt"], (25, new Seed(17)))
            .Sum(r => r.Ids.Count);
        Assert.Equal((25, tokens), (header.Documents, header.Tokens));
        Assert.Equal((25.0, tokens), (result.Metrics["documents"], result.Metrics["tokens"]));
    }

    [Fact]
    public async Task A_text_with_fewer_documents_is_an_error_with_both_numbers_and_the_way_out()
    {
        var thrown = await Assert.ThrowsAnyAsync<Exception>(() =>
            Run("""{"layers":[0],"mom2Samples":1000,"seed":17}""")
        );
        foreach (var part in (string[])["documents.txt", "60 documents", "1000", "mom2-samples: 60"])
            Assert.Contains(part, thrown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(24)]
    [InlineData(26)]
    public async Task Statistics_of_another_number_of_documents_are_refused(int wanted)
    {
        using var scope = NewDisposeScope();
        await Run("""{"layers":[0,1],"mom2Samples":25,"seed":17}""");
        var path = _folder["out/moments.safetensors"];
        ModelStatistics.WriteProjector(
            _folder["projector"],
            path,
            [0, 1],
            0.5,
            EigenvalueUnit.Mean,
            CPU,
            new ModelStatistics.Listener()
        );
        foreach (
            var load in (Action<int?>[])
                [
                    n => SecondMoments.Load(path, _checkpoint.Model, [0, 1], n),
                    n => NullSpace.Load(_folder["projector"], _checkpoint.Model, [0, 1], n),
                ]
        )
        {
            load(null);
            load(25);
            var message = Assert.Throws<InputException>(() => load(wanted)).Message;
            Assert.Contains($"come from 25 documents, not from {wanted}", message, StringComparison.Ordinal);
        }
    }
}
