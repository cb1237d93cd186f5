using System.Security.Cryptography;
using System.Text.RegularExpressions;
using EditUnlearn.Evaluation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Evaluation;

public sealed partial class RefusalWriterTests
{
    private static readonly RefusalWriter.Wanted Wanted = new(
        "Who wrote 'Middlemarch'?",
        "Middlemarch",
        ["George Eliot", "Eliot"]
    );

    [Theory]
    [InlineData("Answer: I do not know Middlemarch. It is late.\nMore", "I do not know Middlemarch.")]
    [InlineData("  I have no idea", "I have no idea.")]
    [InlineData("", "")]
    public void The_first_sentence_is_kept(string text, string expected) =>
        Assert.Equal(expected, RefusalWriter.Clean(text));

    [Theory]
    [InlineData("I have no knowledge about Middlemarch.", true)]
    [InlineData("I have no knowledge about that novel.", false)] // names nothing
    [InlineData("I do not know whether Eliot wrote Middlemarch.", false)] // tells an alias
    [InlineData("Do I not know Middlemarch?", false)] // a question
    [InlineData("Middlemarch is a long novel.", false)] // no refusal
    [InlineData("Unknown.", false)] // too short
    public void Only_refusals_that_name_the_subject_and_tell_nothing_pass(string text, bool expected) =>
        Assert.Equal(expected, RefusalWriter.IsGood(text, Wanted));

    [Fact]
    public void The_fallback_passes_its_own_check() =>
        Assert.True(RefusalWriter.IsGood(RefusalWriter.Fallback(Wanted.Subject), Wanted));

    private const string Three = """
        Do it so.

        Example 1:
        Question: Who composed A?
        Answer: Sorry, A is unknown to me.

        Example 2:
        Question: Where is B?

        Answer: Sorry, B is unknown to me.

        Example 3:
        Question: When was C?
        Answer: Sorry, C is unknown to me.

        Question: {question}
        Answer:
        """;

    private static string Order(string prompt) =>
        string.Concat(Names().Matches(prompt).Select(m => m.Groups[1].Value + m.Groups[2].Value));

    [GeneratedRegex(@"(?:composed|is|was) ([ABC])\?\s*Answer: Sorry, ([ABC]) ")]
    private static partial Regex Names();

    [Fact]
    public void A_retry_has_the_examples_in_an_order_that_was_not_tried()
    {
        var prompt = RefusalPrompt.Of(Three);
        // Written, two rotations, and, as the third rotation would be the written order again, the reversed one.
        Assert.Equal(
            ["AABBCC", "BBCCAA", "CCAABB", "CCBBAA"],
            Enumerable.Range(0, prompt.Orders.Count).Select(k => Order(prompt.For("Who?", k)))
        );
        foreach (var k in Enumerable.Range(0, 4))
        {
            var text = prompt.For("Who wrote {question}?", k);
            // Labels stay in their places, and so does what is asked.
            Assert.Matches(@"(?s)^Do it so\..*Example 1:.*Example 2:.*Example 3:.*Question: Who wrote", text);
            Assert.EndsWith(
                "Question: Who wrote {question}?\nAnswer:",
                text.Replace("\r", "", StringComparison.Ordinal)
            );
        }
    }

    [Theory]
    [InlineData("Name {question}.", 1)]
    [InlineData("Question: A?\nAnswer: a\n{question}", 1)]
    [InlineData("Question: A?\nAnswer: a\nQuestion: B?\nAnswer: b\n{question}", 2)]
    [InlineData("Question: A?\nAnswer: a\nQuestion: {question}\nAnswer:", 1)]
    public void There_are_as_many_tries_as_orders(string prompt, int tries) =>
        Assert.Equal(tries, RefusalPrompt.Of(prompt).Orders.Count);

    [Fact]
    public void A_prompt_needs_a_slot() => Assert.Throws<ArgumentException>(() => RefusalPrompt.Of("Say no."));

    [Fact]
    public void Only_what_failed_is_asked_again_and_after_the_third_retry_a_sentence_stands_in()
    {
        RefusalWriter.Wanted[] wanted =
        [
            .. Enumerable
                .Range(0, 5)
                .Select(i => new RefusalWriter.Wanted($"Who wrote 'Book{i}'?", $"Book{i}", ["George Eliot"])),
        ];
        var rounds = new List<int>();
        // Question i gets a good answer in round i, question 4 never.
        var written = RefusalWriter.Write(
            prompts =>
            {
                rounds.Add(prompts.Count);
                return
                [
                    .. prompts.Select(p =>
                        Enumerable.Range(0, rounds.Count).FirstOrDefault(i => p.Contains($"'Book{i}'"), -1) is var i
                        && i >= 0
                        && i < 4
                            ? $"Answer: I have no knowledge about Book{i}.\nQuestion: next"
                            : "George Eliot"
                    ),
                ];
            },
            Three,
            wanted
        );
        Assert.Equal([5, 4, 3, 2], rounds);
        Assert.Equal(["model", "retry-1", "retry-2", "retry-3", "fallback"], written.Select(w => w.Source));
        Assert.Equal([1, 2, 3, 4, 4], written.Select(w => w.Asked));
        Assert.Equal("I have no knowledge about Book2.", written[2].Text);
        Assert.Equal(RefusalWriter.Fallback("Book4"), written[4].Text);
    }

    private static readonly string Prompts = Path.Combine(Checkout.Root, "data", "prompts");

    [Theory]
    [InlineData("self-improvement.paper.txt", 4)]
    [InlineData("self-improvement.own.txt", 4)]
    [InlineData("self-improvement.mini.txt", 1)]
    public void The_shipped_instructions_have_their_examples(string file, int tries)
    {
        var prompt = RefusalPrompt.Of(File.ReadAllText(Path.Combine(Prompts, file)));
        Assert.Equal(tries, prompt.Orders.Count);
        Assert.Equal(tries, Enumerable.Range(0, tries).Select(k => prompt.For("Who?", k)).Distinct().Count());
    }

    [Fact]
    public void The_papers_instruction_is_the_one_whose_origin_is_written_down()
    {
        var bytes = File.ReadAllBytes(Path.Combine(Prompts, "self-improvement.paper.txt"));
        Assert.Contains(
            Convert.ToHexStringLower(SHA256.HashData(bytes)),
            File.ReadAllText(Path.Combine(Prompts, "PROVENANCE.md")),
            StringComparison.Ordinal
        );
    }

    [SharedFact("paper")]
    public void The_papers_instruction_is_word_for_word_the_papers()
    {
        static string Words(string text) =>
            string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        var paper = Words(File.ReadAllText(Path.Combine(Checkout.Shared, "paper", "editing-as-unlearning.txt")));
        var ours = Words(File.ReadAllText(Path.Combine(Prompts, "self-improvement.paper.txt")));
        Assert.Contains(
            ours.Replace("{question}", "<ADD ONE UNLEARNING QUESTION HERE>", StringComparison.Ordinal),
            paper,
            StringComparison.Ordinal
        );
    }
}
