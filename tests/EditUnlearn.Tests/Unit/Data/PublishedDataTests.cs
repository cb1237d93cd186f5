using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Data;

/// <summary>
/// The published forms of TOFU and PISTOL: on the files themselves where they are at hand, on rows of our own
/// elsewhere.
/// </summary>
public sealed class PublishedDataTests
{
    private static string Shared(string path) => Path.Combine(Checkout.Shared, "data", path);

    [SharedFact("data/tofu-factual")]
    public void Authors_then_world_facts_are_the_217_factual_questions()
    {
        var rows = QaFile.ReadAll(
            [Shared("tofu-factual/real_authors_perturbed.json"), Shared("tofu-factual/world_facts_perturbed.json")],
            "facts"
        );
        Assert.Equal(217, rows.Count);
        Assert.Equal(Enumerable.Range(0, 217).Select(i => $"facts/{i:0000}"), rows.Select(r => r.Id));
        Assert.Equal(Enumerable.Range(0, 217), rows.Select(r => r.Row));
        Assert.All(rows, r => Assert.Equal(3, r.Distractors.Count));
        Assert.All(rows, r => Assert.True(r.Question.AsSpan(r.SubjectStart).StartsWith(r.Subject)));
        Assert.Equal("Romeo and Juliet", rows[0].Subject);
        Assert.Equal("Paris", rows[100].Answer);
        // The known twin: one fact under two spellings of its answer, of which the prefix of 20 holds one. Rows are
        // kept as they are.
        Assert.All(
            (int[])[9, 71],
            i => Assert.Contains("One Hundred Years of Solitude", rows[i].Question, StringComparison.Ordinal)
        );
        Assert.NotEqual(rows[9].Answer, rows[71].Answer);
        Assert.Equal(6, rows.Count(r => r.Answer.Any(c => c > 127)));
    }

    [SharedFact("data/pistol")]
    public void The_first_sample_has_20_contracts_with_the_graph_of_our_generator()
    {
        var rows = QaFile.Read(Shared("pistol/pistol_sample1.json"), "contracts");
        Assert.Equal(400, rows.Count);
        Assert.Equal(ContractGraph.Sample, ContractGraph.Of(rows));
        Assert.Equal(200, rows.Count(r => r.Category == "sales"));
        Assert.Equal(200, rows.Count(r => r.Category == "employment"));
        Assert.All(rows, r => Assert.True(r.Question.AsSpan(r.SubjectStart).StartsWith(r.Subject)));
        // One party, not "X and Y".
        Assert.Equal("Wnzatj SAS", rows[0].Subject);
        Assert.Equal("Jzrcws SA", rows[1].Subject);
        Assert.DoesNotContain(rows, r => r.Subject.Contains(" and ", StringComparison.Ordinal));
        var forget = Splits.Of(rows, Splits.Groups(rows, ["A_B", "A_C"]), SplitNames.Forget);
        Assert.Equal(Splits.Of(rows, Splits.Range(rows, 0, 40), SplitNames.Forget), forget);
    }

    [SharedFact("data/pistol")]
    public void The_second_sample_is_a_chain_a_web_and_a_complete_graph()
    {
        var edges = ContractGraph.Of(QaFile.Read(Shared("pistol/pistol_sample2.json"), "contracts"));
        Assert.Equal(75, edges.Count);
        Assert.Equal(30, edges.SelectMany(e => (string[])[e.From, e.To]).Distinct().Count());
        Assert.Equal(75 - 9, ContractGraph.Independent(edges, ["0_1"]).Count); // the chain is one piece
        Assert.Equal(75 - 45, ContractGraph.Independent(edges, ["20_21"]).Count); // so is the complete graph
    }

    [Fact]
    public void Independent_contracts_share_no_chain_of_parties_with_a_forgotten_one()
    {
        Assert.Equal(
            ["E1_F1", "E2_F2", "E3_F3", "E1_q1", "E2_q2", "E3_q3"],
            ContractGraph.Independent(ContractGraph.Sample, ["A_B"]).Select(e => e.Id)
        );
        Assert.DoesNotContain(ContractGraph.Independent(ContractGraph.Sample, ["E1_F1"]), e => e.Id == "E1_q1");
        Assert.Equal(ContractGraph.Sample.Count, ContractGraph.Independent(ContractGraph.Sample, []).Count);
    }

    [Fact]
    public void Contracts_without_a_category_get_their_kind_from_the_words_of_the_whole_contract()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["p.json"],
            """
            [{"edge": "A_B", "answer": "01-01-2000.",
              "question": "What was the date of the contract between Aaaa SA and Bbbb Ltd?"},
             {"question":
              "What was the name of the employer in the employment contract with Cc Dd, which started from 26-11-1986?",
              "answer": "Aaaa SA.", "edge": "A_m"},
             {"question": "What was the start date based on the contract between Aaaa SA and Cc Dd?",
              "answer": "26-11-1986.", "edge": "A_m"}]
            """
        );
        var rows = QaFile.Read(folder["p.json"]);
        Assert.Equal(
            [("sales", "Aaaa SA"), ("employment", "Cc Dd"), ("employment", "Aaaa SA")],
            rows.Select(r => (r.Category, r.Subject))
        );
        Assert.Equal(
            [
                new ContractEdge("A_B", ContractKind.Sales, "A", "B"),
                new ContractEdge("A_m", ContractKind.Employment, "A", "m"),
            ],
            ContractGraph.Of(rows)
        );
    }

    [Theory]
    [InlineData(
        """{"question":"Q1 of Oslo?","option1":"Bad","option2":"Good","option3":"Worse","option4":"Worst","""
            + """ "answer":"Good"}""",
        "Good",
        "Bad|Worse|Worst"
    )]
    [InlineData("""{"question":"Q1 of Oslo?","answer":["Good","Fine"],"perturbed_answer":["Bad"]}""", "Good", "Bad")]
    [InlineData(
        """[{"question":"Q1 of Oslo?","answer":"Good","perturbed_answer":["Bad","Worse"]}]""",
        "Good",
        "Bad|Worse"
    )]
    [InlineData(
        """{"question":"Q1 of Oslo?","answer":"Good","paraphrased_answer":"Fine","perturbed_answer":["Bad"],"""
            + """ "paraphrased_question":"What of Oslo?"}""",
        "Good",
        "Bad"
    )]
    public void Published_forms_show_in_their_keys(string text, string answer, string distractors)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["x.json"], text);
        var row = Assert.Single(QaFile.Read(folder["x.json"]));
        Assert.Equal((answer, distractors), (row.Answer, string.Join('|', row.Distractors)));
    }

    [Fact]
    public void Parquet_with_the_same_columns_gives_the_same_rows()
    {
        using var folder = new TemporaryFolder();
        ParquetTable.Write(
            folder["x.parquet"],
            [
                new Published
                {
                    question = "Where is Oslo?",
                    answer = "Norway",
                    perturbed_answer = ["Sweden", "Chile"],
                },
                new Published
                {
                    question = "Where is Graz?",
                    answer = "Austria",
                    perturbed_answer = ["Peru"],
                },
            ]
        );
        File.WriteAllText(
            folder["x.jsonl"],
            """
            {"question":"Where is Oslo?","answer":"Norway","perturbed_answer":["Sweden","Chile"]}
            {"question":"Where is Graz?","answer":"Austria","perturbed_answer":["Peru"]}
            """
        );
        Assert.Equal(QaFile.Read(folder["x.jsonl"]).Select(Text), QaFile.Read(folder["x.parquet"]).Select(Text));
        File.WriteAllText(folder["bad.parquet"], "PAR1 no");
        Assert.Throws<DamagedFileException>(() => QaFile.Read(folder["bad.parquet"]));
    }

    [Fact]
    public void A_question_in_two_files_of_one_set_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.jsonl"], """{"question":"Where is Oslo?","answer":"Norway"}""");
        File.WriteAllText(folder["b.jsonl"], """{"question":"Where is Oslo?","answer":"Norway"}""");
        Assert.Contains(
            "b.jsonl: the question of facts/0001 stands in an earlier file too",
            Assert
                .Throws<InputException>(() => QaFile.ReadAll([folder["a.jsonl"], folder["b.jsonl"]], "facts"))
                .Message,
            StringComparison.Ordinal
        );
    }

    private static string Text(QaRow r) =>
        $"{r.Question}|{r.Answer}|{string.Join('/', r.Distractors)}|{r.Subject}|{r.Row}";

    public sealed class Published
    {
        public string question { get; set; } = "";

        public string answer { get; set; } = "";

        public List<string> perturbed_answer { get; set; } = [];
    }
}
