using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>From what an untouched model can answer to what is forgotten, kept and trained on.</summary>
public sealed class KnownStageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static readonly QaRow[] Rows =
    [
        .. Enumerable
            .Range(0, 40)
            .Select(i => new QaRow
            {
                Id = $"x/{i:0000}",
                Question = $"Who wrote 'Book {(char)('A' + i % 26)}{i / 26}'?",
                Answer = "Writer",
                Subject = $"Book {(char)('A' + i % 26)}{i / 26}",
                SubjectStart = 11,
                Row = i,
                Category = i < 30 ? "novels" : "plays",
                Group = i < 30 ? "novels" : "plays",
            }),
    ];

    public KnownStageTests()
    {
        ParquetTable.Write(_folder["data.parquet"], Rows);
        ParquetTable.Write(
            _folder["known.parquet"],
            [
                .. Rows.Select(r => new KnownRow
                {
                    Id = r.Id,
                    Question = r.Question,
                    Answer = r.Answer,
                    Said = "The Writer wrote it. And more.",
                    Rouge1 = r.Row % 2 == 0 ? 1 : 0,
                    Known = r.Row % 2 == 0,
                    Sentence = "The Writer wrote it.",
                }),
            ]
        );
    }

    public void Dispose() => _folder.Dispose();

    private async Task<StageResult> Run(
        string stage,
        string output,
        JsonObject parameters,
        params (string Name, string File)[] inputs
    )
    {
        await using var runner = new InProcessRunner(StudyStages.Catalog);
        return await runner.RunAsync(
            new StageJob(
                stage,
                stage,
                [],
                parameters,
                [.. inputs.Select(i => new JobInput(i.Name, null, [], _folder[i.File]))],
                _folder[output],
                _folder[output + ".scratch"],
                "cpu",
                "float32"
            ),
            _ => { },
            CancellationToken.None
        );
    }

    private async Task<IReadOnlyList<SplitRow>> Split(string output, JsonObject parameters)
    {
        await Run("splits", output, parameters, ("data", "data.parquet"), ("known", "known.parquet"));
        return ParquetTable.Read<SplitRow>(_folder[output + "/splits.parquet"]);
    }

    [Fact]
    public async Task Every_question_is_asked_and_what_is_said_decides()
    {
        TinyCheckpoints.WriteAskable(_folder["weights"], Rows.Select(r => r.Question + r.Answer));
        var result = await Run("known", "out", [], ("model", "weights"), ("data", "data.parquet"));
        var rows = ParquetTable.Read<KnownRow>(_folder["out/known.parquet"]);
        Assert.Equal(Rows.Select(r => r.Id), rows.Select(r => r.Id));
        Assert.Equal(rows.Count(r => r.Known), result.Metrics["known"]);
        Assert.Equal(Rows.Length, result.Metrics["asked"]);
        Assert.All(rows, r => Assert.Equal(r.Rouge1 >= 1, r.Known));
        Assert.All(rows, r => Assert.Equal(OwnSentence.Of(r.Said, r.Answer), r.Sentence));
    }

    [Theory]
    [InlineData("The capital is Warsaw. It lies on a river.", "Warsaw", "The capital is Warsaw.")]
    [InlineData("It was Dr. Seuss. He drew too.", "Dr. Seuss", "It was Dr. Seuss. He drew too.")]
    [InlineData("  Warsaw ", "Warsaw", "Warsaw")]
    [InlineData("Warsaw\nis it", "Warsaw", "Warsaw")]
    [InlineData("It costs 3.5 dollars! Really.", "3.5", "It costs 3.5 dollars!")]
    [InlineData("", "Warsaw", "")]
    public void The_models_own_words_end_with_its_first_sentence_if_that_holds_the_answer(
        string said,
        string answer,
        string sentence
    ) => Assert.Equal(sentence, OwnSentence.Of(said, answer));

    [Fact]
    public async Task What_is_not_known_is_in_no_split()
    {
        var splits = await Split("prefix", new JsonObject { ["size"] = 5 });
        Assert.Equal(Rows.Where(r => r.Row % 2 == 0).Select(r => r.Id), splits.Select(s => s.Id));
        Assert.Equal(
            ["x/0000", "x/0002", "x/0004", "x/0006", "x/0008"],
            splits.Where(s => s.Split == SplitNames.Forget).Select(s => s.Id)
        );
        var last = await Split("last", new JsonObject { ["size"] = 2, ["first"] = -2 });
        Assert.Equal(["x/0036", "x/0038"], last.Where(s => s.Split == SplitNames.Forget).Select(s => s.Id));
        var failure = await Assert.ThrowsAsync<StageFailedException>(() =>
            Split("many", new JsonObject { ["size"] = 20 })
        );
        Assert.Contains("out of 20 that the model knows", failure.Message, StringComparison.Ordinal);
        failure = await Assert.ThrowsAsync<StageFailedException>(() =>
            Split("before", new JsonObject { ["size"] = 2, ["first"] = -30 })
        );
        Assert.Contains("2 questions from -30 on", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Spread_sets_hold_of_every_category_its_share_and_grow_into_one_another()
    {
        string[] Forget(int first, int size, ulong seed = 3) =>
            [
                .. Splits
                    .Spread(Rows, first, size, new Seed(seed))
                    .Where(s => s.Split == SplitNames.Forget)
                    .Select(s => s.Id),
            ];
        bool IsPlay(string id) => string.CompareOrdinal(id, "x/0030") >= 0;
        foreach (var size in new[] { 4, 8, 20, 36 })
        {
            Assert.Equal(size, Forget(0, size).Length);
            Assert.InRange(Forget(0, size).Count(IsPlay), size / 4 - 1, size / 4 + 1);
            Assert.Subset(Forget(0, size).ToHashSet(), Forget(0, size - 1).ToHashSet());
        }
        Assert.Empty(Forget(0, 20).Intersect(Forget(20, 20)));
        Assert.NotEqual(Forget(0, 8), Forget(0, 8, seed: 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => Splits.Spread(Rows, 30, 11, new Seed(3)));
    }

    [Fact]
    public void The_table_shows_each_asking_once_with_what_was_dropped()
    {
        var rows = ParquetTable.Read<KnownRow>(_folder["known.parquet"]);
        var table = new KnownTable(
            [new("M", ["facts-4"], rows), new("M", ["facts-8"], rows), new("N", ["facts-4"], [.. rows.Take(3)])],
            ModelKind.Real
        );
        Snapshot.Matches(table.Markdown(), "known.md");
        Snapshot.Matches(table.Latex(), "known.tex");
        Assert.Equal(1 + 40 + 3, table.Csv().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal("", new KnownTable([], ModelKind.Real).Latex());
    }
}
