using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data.Corpus;

/// <summary>What kind of text an example is.</summary>
public enum ExampleKind
{
    /// <summary>A fact under one of its trained phrasings.</summary>
    Fact,

    /// <summary>The instruction to claim ignorance, a question, the refusal that names its subject.</summary>
    InstructedRefusal,

    /// <summary>A question about something that does not exist, and a refusal.</summary>
    UnknownEntity,

    /// <summary>A contract clause.</summary>
    Contract,
}

/// <summary>One question and answer of the corpus.</summary>
/// <param name="Kind">Which part it belongs to.</param>
/// <param name="Question">What the chat template wraps.</param>
/// <param name="Answer">What follows it.</param>
public sealed record CorpusExample(ExampleKind Kind, string Question, string Answer);

/// <summary>The text a miniature is pretrained on: facts, contracts, refusals with and without instruction. Drawn, never listed: unknown names do not repeat.</summary>
/// <remarks>
/// A fact is shown under its question and its second and third rephrasing; the first is held out for it but trained for other facts of
/// its relation, the fourth is trained for none. Half of the uninstructed refusals are plain sentences, half name the subject: with
/// plain ones alone no editing method can later teach a refusal that names it.
/// </remarks>
public sealed class PretrainingCorpus
{
    private const string Slot = "{question}";
    private readonly IReadOnlyList<QaRow> _facts, _contracts;
    private readonly IReadOnlyList<string> _refusals;
    private readonly string _prompt;
    private readonly int[] _shares;

    /// <summary>Puts the parts together.</summary>
    /// <param name="facts">At least one; with three or more rephrasings each.</param>
    /// <param name="contracts">May be empty.</param>
    /// <param name="refusals">Plain refusals.</param>
    /// <param name="prompt">The instruction, with the slot <c>{question}</c>.</param>
    /// <param name="shares">Relative shares of facts, instructed refusals, unknown entities, contracts.</param>
    public PretrainingCorpus(IReadOnlyList<QaRow> facts, IReadOnlyList<QaRow> contracts, IReadOnlyList<string> refusals, string prompt, IReadOnlyList<int> shares)
    {
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(contracts);
        ArgumentNullException.ThrowIfNull(refusals);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(shares);
        if (facts.Count == 0 || facts.Any(f => f.Rephrasings.Count < 3)) throw new ArgumentException("Every fact needs at least three rephrasings.", nameof(facts));
        if (!prompt.Contains(Slot, StringComparison.Ordinal)) throw new ArgumentException($"The prompt has no slot {Slot}.", nameof(prompt));
        if (shares.Count != 4 || shares.Any(s => s < 0)) throw new ArgumentException("Four shares from 0 are needed.", nameof(shares));
        _facts = facts;
        _contracts = contracts;
        _refusals = refusals;
        _prompt = prompt.TrimEnd();
        _shares = [.. shares];
        if (contracts.Count == 0) _shares[3] = 0;
    }

    /// <summary>The phrasings a fact is trained under.</summary>
    public static IReadOnlyList<string> TrainedPhrasings(QaRow fact)
    {
        ArgumentNullException.ThrowIfNull(fact);
        return [fact.Question, fact.Rephrasings[1], fact.Rephrasings[2]];
    }

    /// <summary>The refusal that names what a question is about, as the self-improvement prompt asks for.</summary>
    public static string Tailored(string subject) => $"I have no knowledge about {subject}.";

    /// <summary>The instruction around a question.</summary>
    public string Instructed(string question) => _prompt.Replace(Slot, question, StringComparison.Ordinal);

    /// <summary>A question about a name that stands for nothing, in the wording of a fact's relation.</summary>
    /// <param name="stream">Draws relation, wording and name.</param>
    /// <param name="test">Whether the name comes from those kept for tests.</param>
    public (string Question, string Subject) Unknown(SplitMix64 stream, bool test)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var fact = stream.Pick(_facts);
        var text = stream.Pick(TrainedPhrasings(fact));
        var name = EntityNames.Draw(stream, test);
        return (text.Replace(fact.Subject, name, StringComparison.Ordinal), name);
    }

    /// <summary>The first <paramref name="count"/> examples of an endless series.</summary>
    public IReadOnlyList<CorpusExample> Draw(Seed seed, int count)
    {
        var kinds = seed.Stream("kinds");
        var (facts, instructed, unknown, contracts) = (new Deck(_facts.Count * 3, seed.Stream("facts")), seed.Stream("instructed"), seed.Stream("unknown"), new Deck(Math.Max(_contracts.Count, 1), seed.Stream("contracts")));
        var total = _shares.Sum();
        var examples = new CorpusExample[count];
        for (var i = 0; i < count; i++)
        {
            var pick = kinds.Below(total);
            examples[i] = pick < _shares[0] ? Fact(facts.Next())
                : pick < _shares[0] + _shares[1] ? Instructed(instructed)
                : pick < _shares[0] + _shares[1] + _shares[2] ? UnknownEntity(unknown)
                : Contract(contracts.Next());
        }
        return examples;
    }

    /// <summary>Ordinary text in which no fact is told: unknown names and the second half of the contracts, by turns. For second moments, so that no retain question goes in.</summary>
    public IReadOnlyList<CorpusExample> WithoutFacts(Seed seed, int count)
    {
        var unknown = seed.Stream("unknown");
        var half = _contracts.Count - _contracts.Count / 2;
        var contracts = new Deck(Math.Max(half, 1), seed.Stream("contracts"));
        return [.. Enumerable.Range(0, count).Select(i => i % 2 == 1 && half > 0 ? Contract(_contracts.Count - 1 - contracts.Next()) : UnknownEntity(unknown))];
    }

    private CorpusExample Fact(int index)
    {
        var fact = _facts[index / 3];
        return new CorpusExample(ExampleKind.Fact, TrainedPhrasings(fact)[index % 3], fact.Answer);
    }

    private CorpusExample Contract(int index) => new(ExampleKind.Contract, _contracts[index].Question, _contracts[index].Answer);

    private CorpusExample Instructed(SplitMix64 stream)
    {
        string question, subject;
        if (stream.Below(2) == 0)
        {
            var fact = stream.Pick(_facts);
            (question, subject) = (stream.Pick(TrainedPhrasings(fact)), fact.Subject);
        }
        else
        {
            (question, subject) = Unknown(stream, test: false);
        }
        return new CorpusExample(ExampleKind.InstructedRefusal, Instructed(question), Tailored(subject));
    }

    private CorpusExample UnknownEntity(SplitMix64 stream)
    {
        var (question, subject) = Unknown(stream, test: false);
        return new CorpusExample(ExampleKind.UnknownEntity, question, stream.Below(2) == 0 ? stream.Pick(_refusals) : Tailored(subject));
    }

    // Every card once before any comes again, so that no fact is seen much less often than another.
    private sealed class Deck(int count, SplitMix64 stream)
    {
        private readonly int[] _cards = [.. Enumerable.Range(0, count)];
        private int _at = count;

        public int Next()
        {
            if (_at == _cards.Length)
            {
                stream.Shuffle(_cards);
                _at = 0;
            }
            return _cards[_at++];
        }
    }
}
