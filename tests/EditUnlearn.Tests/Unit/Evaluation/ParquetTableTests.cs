using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Evaluation;

public sealed class ParquetTableTests
{
    private static readonly AnswerRow[] Rows =
    [
        new()
        {
            Model = "llama2",
            Set = "facts",
            Method = "ga",
            Split = "forget",
            Id = "facts/0001",
            Question = "Who?",
            Answer = "Ö",
            Generated = "nobody, \"really\"",
            NewTokens = 3,
            TargetIds = [5, 6],
            LogProbabilities = [-0.5, -1e-300],
            Ranks = [1, 99],
            Refused = true,
        },
        new() { Id = "facts/0002" },
    ];

    [Fact]
    public void Rows_come_back_as_they_were_and_the_same_rows_give_the_same_bytes()
    {
        using var folder = new TemporaryFolder();
        ParquetTable.Write(folder["a.parquet"], Rows);
        ParquetTable.Write(folder["b.parquet"], Rows);
        Assert.Equal(File.ReadAllBytes(folder["a.parquet"]), File.ReadAllBytes(folder["b.parquet"]));
        var read = ParquetTable.Read<AnswerRow>(folder["a.parquet"]);
        Assert.Equal(2, read.Count);
        Assert.Equal(Rows[0].Generated, read[0].Generated);
        Assert.Equal(Rows[0].LogProbabilities, read[0].LogProbabilities);
        Assert.Equal(Rows[0].Ranks, read[0].Ranks);
        Assert.True(read[0].Refused);
        Assert.Empty(read[1].TargetIds);
    }

    [Fact]
    public void A_truncated_file_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        ParquetTable.Write(folder["a.parquet"], Rows);
        var bytes = File.ReadAllBytes(folder["a.parquet"]);
        foreach (var length in (int[])[0, 3, bytes.Length / 2, bytes.Length - 1])
        {
            File.WriteAllBytes(folder["cut.parquet"], bytes[..length]);
            var e = Assert.Throws<DamagedFileException>(() => ParquetTable.Read<AnswerRow>(folder["cut.parquet"]));
            Assert.Contains("cut.parquet", e.Message, StringComparison.Ordinal);
            Assert.Contains("hint:", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_table_of_another_record_is_refused_with_the_columns_that_are_missing()
    {
        using var folder = new TemporaryFolder();
        ParquetTable.Write(folder["a.parquet"], [new SplitRow { Id = "x", Split = "forget" }]);
        var e = Assert.Throws<DamagedFileException>(() => ParquetTable.Read<AnswerRow>(folder["a.parquet"]));
        Assert.Contains("the column 'Generated' is missing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_table_can_be_looked_at()
    {
        using var folder = new TemporaryFolder();
        ParquetTable.Write(folder["a.parquet"], Rows);
        var (columns, rows, total) = ParquetTable.ReadAny(folder["a.parquet"], 1);
        Assert.Contains("Ranks", columns);
        Assert.Single(rows);
        Assert.Equal(2, total);
        Assert.Equal("[1, 99]", rows[0][columns.ToList().IndexOf("Ranks")]);
    }
}
