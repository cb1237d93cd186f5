using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>The generator keeps what docs/data.md, "Contracts", promises.</summary>
public sealed class ContractGeneratorTests
{
    private static readonly IReadOnlyList<QaRow> Rows = ContractGenerator.Generate(new Seed(42), ContractGraph.Sample);

    [Fact]
    public void Twenty_contracts_of_twenty_questions_all_texts_distinct()
    {
        Assert.Equal(400, Rows.Count);
        Assert.All(Rows.GroupBy(r => r.Group), g => Assert.Equal(20, g.Count()));
        Assert.Equal(2000, Rows.SelectMany(r => r.Rephrasings.Prepend(r.Question)).Distinct().Count());
    }

    [Fact]
    public void The_subject_stands_in_every_wording_and_the_answer_in_none()
    {
        foreach (var r in Rows)
            foreach (var text in r.Rephrasings.Prepend(r.Question))
            {
                Assert.Contains(r.Subject, text, StringComparison.Ordinal);
                Assert.False(
                    System.Text.RegularExpressions.Regex.IsMatch(
                        text,
                        $@"(?<!\w){System.Text.RegularExpressions.Regex.Escape(r.Answer.TrimEnd('.'))}(?!\w)"
                    ),
                    $"{r.Answer} in {text}"
                );
            }
    }

    [Fact]
    public void The_same_seed_gives_the_same_bytes_on_every_machine()
    {
        var text = string.Join(
            '\n',
            Rows.Select(r => $"{r.Id}|{r.Group}|{r.Question}|{r.Answer}|{string.Join('|', r.Rephrasings)}")
        );
        Snapshot.Matches(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))) + "\n",
            "contracts-42.sha256"
        );
    }

    [Fact]
    public void Another_seed_gives_other_names()
    {
        var other = ContractGenerator.Generate(new Seed(43), ContractGraph.Sample);
        Assert.Empty(Rows.Select(r => r.Subject).Intersect(other.Select(r => r.Subject)));
    }

    [Fact]
    public void Leaving_out_a_contract_changes_no_other()
    {
        var fewer = ContractGenerator.Generate(new Seed(42), [.. ContractGraph.Sample.Where(e => e.Id != "E3_q3")]);
        Assert.Equal(
            Rows.Where(r => r.Group != "E3_q3").Select(r => (r.Question, r.Answer)),
            fewer.Select(r => (r.Question, r.Answer))
        );
    }

    [Fact]
    public void The_overall_price_is_quantity_times_unit_price()
    {
        foreach (var contract in Rows.Where(r => r.Category == "sales").GroupBy(r => r.Group))
        {
            var numbers = contract
                .Skip(6)
                .Take(3)
                .Select(r => int.Parse(r.Answer.TrimEnd('.'), CultureInfo.InvariantCulture))
                .ToArray();
            Assert.Equal(numbers[0] * numbers[1], numbers[2]);
        }
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        using var folder = new TemporaryFolder();
        QaFile.Write(folder["c.jsonl"], Rows, "contracts");
        Assert.Equal(
            Rows.Select(r => (r.Id, r.Question, r.Answer, r.Subject)),
            QaFile.Read(folder["c.jsonl"]).Select(r => (r.Id, r.Question, r.Answer, r.Subject))
        );
    }

    [Theory]
    [InlineData("graph", new ulong[] { 0xD42A5B2A87CC92F3, 0xDF31289D5FFEE1D0, 0x406F50B483EFF947 })]
    public void Streams_give_the_recorded_vectors(string name, ulong[] expected)
    {
        var stream = new Seed(42).Stream(name);
        Assert.Equal(expected, expected.Select(_ => stream.Next()));
    }

    [SharedFact("data/pistol")]
    public void The_original_sample_loads_with_the_edges_of_our_graph()
    {
        var file = Directory.EnumerateFiles(Path.Combine(Checkout.Shared, "data", "pistol"), "*1*.json").First();
        var rows = QaFile.Read(file);
        Assert.Equal(400, rows.Count);
        Assert.Equal(ContractGraph.Sample.Select(e => e.Id), rows.Select(r => r.Group).Distinct());
    }

    [SharedFact("data/tofu-factual")]
    public void The_original_facts_load_217_rows()
    {
        var folder = Path.Combine(Checkout.Shared, "data", "tofu-factual");
        var rows = ((string[])["real_authors", "world_facts"])
            .SelectMany(n =>
                QaFile.Read(Directory.EnumerateFiles(folder, n + "*").Order(StringComparer.Ordinal).First())
            )
            .ToList();
        Assert.Equal(217, rows.Count);
        Assert.All(rows, r => Assert.Contains(r.Subject, r.Question, StringComparison.Ordinal));
        Assert.All(rows, r => Assert.NotEmpty(r.Distractors));
    }
}
