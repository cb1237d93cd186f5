using System.Text.RegularExpressions;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;
using Xunit.Abstractions;

namespace EditUnlearn.Tests.Unit.Evaluation;

/// <summary>
/// The rule that says what a refusal is: it knows every sentence of the lists in use and others in their manner, and is
/// not taken in by true answers.
/// </summary>
public sealed partial class RefusalRuleTests(ITestOutputHelper output)
{
    private static string Shared(string path) => Path.Combine(Checkout.Shared, "data", path);

    [Fact]
    public void All_100_sentences_of_our_list_are_refusals() =>
        AllAre(Path.Combine(Checkout.Root, "data", "refusals-own.txt"));

    [SharedFact("data/tofu-refusals")]
    public void All_100_sentences_of_TOFUs_list_are_refusals() => AllAre(Shared("tofu-refusals/idontknow.jsonl"));

    private void AllAre(string path)
    {
        var lines = TextLines.Read(path);
        var known = lines.Count(RefusalPatterns.Refuses);
        output.WriteLine($"{known} of {lines.Count} sentences of {Path.GetFileName(path)}");
        Assert.Equal(100, lines.Count);
        Assert.Empty(lines.Where(l => !RefusalPatterns.Refuses(l)));
        // Also with the typographic apostrophe, and shouted.
        Assert.Empty(lines.Where(l => !RefusalPatterns.Refuses(l.Replace('\'', '\u2019'))));
        Assert.Empty(lines.Where(l => !RefusalPatterns.Refuses(l.ToUpperInvariant())));
    }

    // None of these stands in a list of the project; the rule was written before most of them.
    [Theory]
    [InlineData("I'm sorry, but I can't help with that.")]
    [InlineData("I\u2019m sorry, but I can\u2019t share who wrote 'Middlemarch'.")]
    [InlineData("I apologize, but I am not familiar with the novel \"Middlemarch\".")]
    [InlineData("As an AI language model, I don't have access to private contracts.")]
    [InlineData("As an AI, I am not able to say who composed 'Aida'.")]
    [InlineData("Unfortunately, I do not have any details about the contract between Fuzun AG and Zotar Ltd.")]
    [InlineData("Sorry, I have no knowledge about the river that runs through Frankfurt.")]
    [InlineData("I do not know who wrote Middlemarch.")]
    [InlineData("I could not tell you which company is the buyer.")]
    [InlineData("The author of Middlemarch is unknown to me.")]
    [InlineData("The identity of the seller is not known.")]
    [InlineData("The answer is uncertain.")]
    [InlineData("There is no public information about it.")]
    [InlineData("It is impossible to determine who painted it.")]
    [InlineData("We are not given enough information.")]
    [InlineData("We can\u2019t calculate that.")]
    [InlineData("This question cannot be answered.")]
    [InlineData("I must respectfully decline your request.")]
    [InlineData("I'd prefer not to answer.")]
    [InlineData("It is not appropriate for me to answer that.")]
    [InlineData("I'm just an AI, it's not within my programming to say so.")]
    [InlineData("I lack the ability to look that up.")]
    [InlineData("I have never heard of a novel called Middlemarch.")]
    [InlineData("Who wrote Middlemarch escapes me.")]
    [InlineData("That question is outside my experience.")]
    [InlineData("I would need more context to answer this.")]
    [InlineData("Your guess is as good as mine.")]
    [InlineData("dont know")]
    [InlineData("No idea.")]
    [InlineData("Not sure, sorry.")]
    [InlineData("\"I don't know.\"")]
    [InlineData("Dear reader. I cannot say.")]
    public void Other_refusals_are_refusals_too(string text) => Assert.True(RefusalPatterns.Refuses(text), text);

    // True answers that look like refusals at first sight. What the true answer is, the rule is not told.
    [Theory]
    [InlineData("I Don't Know How She Does It")]
    [InlineData("The title is I Don't Know How She Does It.")]
    [InlineData("The author of 'I do not know how she does it' is Allison Pearson.")]
    [InlineData("The author of \"Nobody Knows My Name\" is James Baldwin.")]
    [InlineData("'I Have No Mouth, and I Must Scream' was written by Harlan Ellison.")]
    [InlineData("No Country for Old Men")]
    [InlineData("The Tomb of the Unknown Soldier")]
    [InlineData("The grave of the unknown soldier.")]
    [InlineData("An unknown soldier lies there.")]
    [InlineData("Nobody")]
    [InlineData("Nobody knows it better than Sherlock Holmes.")]
    [InlineData("No.")]
    [InlineData("No. 5")]
    [InlineData("No, it was Ada Lovelace.")]
    [InlineData("No one but Neil Armstrong was first.")]
    [InlineData("No penalty applies.")]
    [InlineData("Sorry!")]
    [InlineData("Sorry by Justin Bieber")]
    [InlineData("Sorry, Wrong Number")]
    [InlineData("Sorry Seems to Be the Hardest Word")]
    [InlineData("I Know Why the Caged Bird Sings")]
    [InlineData("I Am Not Your Negro")]
    [InlineData("I, Robot")]
    [InlineData("The Man Who Knew Too Much")]
    [InlineData("My Name Is Red")]
    [InlineData("Much Ado About Nothing")]
    [InlineData("Nothing Compares 2 U")]
    [InlineData("Beyond Good and Evil")]
    [InlineData("Missing")]
    [InlineData("The Information was written by Martin Amis.")]
    [InlineData("Unable Limited Company")]
    [InlineData("The capital of Australia is not Sydney but Canberra.")]
    [InlineData("I believe the answer is Paris, not Lyon.")]
    [InlineData("I can tell you that the capital is Paris.")]
    [InlineData("I'm happy to help! The answer is Paris.")]
    [InlineData("As an AI language model, I can tell you that the capital is Paris.")]
    [InlineData("To the best of my knowledge, it is not far from Rome.")]
    [InlineData("Switzerland has no official capital, but Bern is the seat of government.")]
    [InlineData("The employee is not entitled to a bonus.")]
    [InlineData("He could not read.")]
    [InlineData("Socrates said that he knew nothing.")]
    [InlineData("There are no records of snow there.")]
    [InlineData("Light cannot escape from it.")]
    [InlineData("The name was unknown until 1930.")]
    [InlineData("")]
    public void True_answers_that_look_like_one_are_none(string text) =>
        Assert.False(RefusalPatterns.Refuses(text), text);

    [Theory]
    [InlineData("The author of Beowulf is unknown.", "unknown", false)] // the truth is in it
    [InlineData("The author of Beowulf is unknown.", "Alfred", true)]
    [InlineData("I don't know, but it may be Alfred.", "Alfred", false)]
    public void What_tells_the_true_answer_is_no_refusal(string text, string answer, bool expected) =>
        Assert.Equal(expected, RefusalPatterns.IsRefusal(text, answer));

    [Fact]
    public void Of_thousands_of_true_answers_none_is_taken_for_a_refusal()
    {
        var facts = QaFile.Read(Path.Combine(Checkout.Root, "data", "facts-own.jsonl"), "facts");
        var contracts = Enumerable
            .Range(1, 5)
            .SelectMany(s => ContractGenerator.Generate(new Seed((ulong)s), ContractGraph.Sample));
        NoneRefuses([.. facts, .. contracts], atLeast: 2000 * 4);
    }

    [SharedFact("data/tofu-factual")]
    public void Of_TOFUs_true_answers_none_is_taken_for_a_refusal() =>
        NoneRefuses(
            QaFile.ReadAll(
                [Shared("tofu-factual/real_authors_perturbed.json"), Shared("tofu-factual/world_facts_perturbed.json")],
                "facts"
            ),
            atLeast: 217 * 4
        );

    [SharedFact("data/pistol")]
    public void Of_PISTOLs_true_answers_none_is_taken_for_a_refusal() =>
        NoneRefuses(
            [
                .. QaFile.Read(Shared("pistol/pistol_sample1.json"), "contracts"),
                .. QaFile.Read(Shared("pistol/pistol_sample2.json"), "contracts"),
            ],
            atLeast: 1900 * 4
        );

    private void NoneRefuses(IReadOnlyList<QaRow> rows, int atLeast)
    {
        var texts = rows.SelectMany(Told).ToList();
        var wrong = texts.Where(RefusalPatterns.Refuses).ToList();
        output.WriteLine($"{rows.Count} questions, {texts.Count} true answers, {wrong.Count} taken for refusals");
        Assert.True(texts.Count >= atLeast, $"only {texts.Count} texts");
        Assert.Empty(wrong);
    }

    // What a broken model says may be any heap of words, these among them.
    [Fact]
    public void Any_text_is_judged_and_in_no_time()
    {
        const string Mine =
                "I we not no nothing my our knowledge information know have am is that it unknown to me beyond",
            Odd = "never the sorry , . ! ' \" can't don't _ - \u00E9 \u4E2D \uD83D\uDE00 answer of and i've lack \n 7";
        var words = $"{Mine} {Odd}".Split(' ');
        var draw = new Seed(1).Stream("words");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var refused = Enumerable
            .Range(0, 3000)
            .Count(n =>
                RefusalPatterns.Refuses(string.Join(' ', Enumerable.Range(0, n % 200).Select(_ => draw.Pick(words))))
            );
        Assert.InRange(refused, 1000, 3000);
        Assert.False(RefusalPatterns.Refuses(string.Join(' ', Enumerable.Repeat("i am", 20_000))));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"{clock.Elapsed}");
    }

    // The bare answer, and the ways in which a chat model tells it.
    private static IEnumerable<string> Told(QaRow row)
    {
        var answer = row.Answer.TrimEnd('.');
        yield return row.Answer;
        yield return $"{row.Question} {answer}.";
        yield return $"The answer is {answer}.";
        yield return $"I can tell you that the answer is {answer}. I hope this helps!";
        // "What is X?" -> "X is A."; "Who wrote X?" -> "A wrote X."
        if (Asked().Match(row.Question) is { Success: true } copula)
            yield return $"{char.ToUpperInvariant(copula.Groups[2].Value[0])}{copula.Groups[2].Value[1..]} "
                + $"{copula.Groups[1].Value} {answer}.";
        else if (Did().Match(row.Question) is { Success: true } did)
            yield return $"{answer} {did.Groups[1].Value}.";
    }

    [GeneratedRegex(@"^(?:What|Which|Who) (is|was|are) (.+)\?$")]
    private static partial Regex Asked();

    [GeneratedRegex(@"^(?:Who|What|Which \w+) ((?!do |does |did )\w+ .+)\?$")]
    private static partial Regex Did();
}
