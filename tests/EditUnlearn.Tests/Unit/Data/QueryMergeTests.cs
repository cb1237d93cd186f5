using EditUnlearn.Artifacts;
using EditUnlearn.Data;

namespace EditUnlearn.Tests.Unit.Data;

public sealed class QueryMergeTests
{
    private static readonly QaRow[] Rows =
    [
        .. Enumerable
            .Range(0, 21)
            .Select(i => new QaRow
            {
                Id = $"x/{i:0000}",
                Question = $"Who wrote 'Book {i}'?",
                Answer = $"Writer {i}",
                Subject = $"Book {i}",
                SubjectStart = 11,
                Row = i,
            }),
    ];

    private static readonly Dictionary<string, TargetRow> Targets = Rows.ToDictionary(
        r => r.Id,
        r => new TargetRow
        {
            Id = r.Id,
            Target = $"No idea about {r.Subject}.",
            Source = "model",
        }
    );

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(10)]
    public void Merging_is_a_partition_into_consecutive_groups_in_the_order_of_the_data(int size)
    {
        foreach (var lookup in (MergeLookup[])[MergeLookup.LastToken, MergeLookup.LastSubject])
        {
            var merged = QueryMerge.Of(Rows, Targets, size, lookup);
            Assert.Equal((Rows.Length + size - 1) / size, merged.Count);
            Assert.Equal(Rows.Select(r => r.Id), merged.SelectMany(m => m.Members));
            Assert.All(merged.SkipLast(1), m => Assert.Equal(size, m.Members.Count));
            Assert.Equal(
                string.Join(' ', Rows.Select(r => r.Question)),
                string.Join(' ', merged.Select(m => m.Request.Question))
            );
            Assert.Equal(merged.Count, merged.DistinctBy(m => m.Request.Id).Count());
            Assert.All(merged, m => Assert.Equal(m.Request.Id, m.Target.Id));
            Assert.All(merged, m => Assert.Equal(Targets[m.Members[^1]].Target, m.Target.Target));
            Assert.All(
                merged,
                m => Assert.True(m.Request.Question.AsSpan(m.Request.SubjectStart).StartsWith(m.Request.Subject))
            );
        }
    }

    [Fact]
    public void The_lookup_rule_decides_where_a_merged_query_is_edited()
    {
        var rows = Rows[..2];
        const string Text = "Who wrote 'Book 0'? Who wrote 'Book 1'?";
        var whole = Assert.Single(QueryMerge.Of(rows, Targets, 2, MergeLookup.LastToken)).Request;
        Assert.Equal(
            (Text, Text, 0, "Writer 0 Writer 1"),
            (whole.Question, whole.Subject, whole.SubjectStart, whole.Answer)
        );
        var last = Assert.Single(QueryMerge.Of(rows, Targets, 2, MergeLookup.LastSubject)).Request;
        Assert.Equal((Text, "Book 1", 31), (last.Question, last.Subject, last.SubjectStart));
        var each = QueryMerge.Of(rows, Targets, 2, MergeLookup.EachSubject);
        Assert.Equal([("Book 0", 11), ("Book 1", 31)], each.Select(e => (e.Request.Subject, e.Request.SubjectStart)));
        Assert.Equal(["No idea about Book 1.", "No idea about Book 1."], each.Select(e => e.Target.Target));
        Assert.Equal(["x/0000+1#0", "x/0000+1#1"], each.Select(e => e.Request.Id));
    }

    [Theory]
    [InlineData(MergeLookup.LastToken)]
    [InlineData(MergeLookup.EachSubject)]
    public void Groups_of_one_are_the_questions_as_they_were(MergeLookup lookup) =>
        Assert.Equal(Rows, QueryMerge.Of(Rows, Targets, 1, lookup).Select(m => m.Request));
}
