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

    /// <summary>
    /// A question about something that does not exist, or about a contract nobody has seen, and a refusal.
    /// </summary>
    UnknownEntity,

    /// <summary>A clause of a contract outside the study.</summary>
    Contract,

    /// <summary>
    /// Several questions in one turn: all known and answered in order, or all about nobody and refused at once.
    /// </summary>
    Several,
}

/// <summary>One question and answer of the corpus.</summary>
/// <param name="Kind">Which part it belongs to.</param>
/// <param name="Question">What the chat template wraps.</param>
/// <param name="Answer">What follows it.</param>
public sealed record CorpusExample(ExampleKind Kind, string Question, string Answer);

/// <summary>
/// The text a miniature is pretrained on: facts, a few contracts, refusals with and without instruction. Drawn, never
/// listed: unknown names do not repeat.
/// </summary>
/// <remarks>
/// A fact is shown under its question and its second and third rephrasing; the first is held out for it but trained for
/// other facts of its relation, the fourth is trained for none. The contracts of the study are not in it: finetuning
/// teaches them. Half of the uninstructed refusals are plain sentences, half name the subject: with plain ones alone no
/// editing method can later teach a refusal that names it. A third of what is unknown are clauses of contracts nobody
/// has seen, so that a model also knows how to say it does not know a clause.
/// </remarks>
public sealed class PretrainingCorpus
{
    /// <summary>What <see cref="AreShares"/> asks for, to follow "the shares".</summary>
    public const string SharesRule =
        "must be four or five numbers from 0, not all 0: facts, instructed refusals, unknown names, contracts and, "
        + "if wanted, rows of several questions";

    private const string Slot = "{question}";
    private readonly IReadOnlyList<QaRow> _facts;
    private readonly InventedContracts _contracts;
    private readonly IReadOnlyList<string> _refusals;
    private readonly string _prompt;
    private readonly int[] _shares;

    /// <summary>Puts the parts together.</summary>
    /// <param name="facts">At least one; with three or more rephrasings each.</param>
    /// <param name="contracts">Contracts outside the study.</param>
    /// <param name="refusals">Plain refusals.</param>
    /// <param name="prompt">The instruction, with the slot <c>{question}</c>.</param>
    /// <param name="shares">Relative shares of facts, instructed refusals, unknown entities, contracts and, where there
    /// is a fifth, rows of several questions.</param>
    public PretrainingCorpus(
        IReadOnlyList<QaRow> facts,
        InventedContracts contracts,
        IReadOnlyList<string> refusals,
        string prompt,
        IReadOnlyList<int> shares
    )
    {
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(contracts);
        ArgumentNullException.ThrowIfNull(refusals);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(shares);
        if (facts.Count == 0 || facts.Any(f => f.Rephrasings.Count < 3))
            throw new ArgumentException("Every fact needs at least three rephrasings.", nameof(facts));
        if (!prompt.Contains(Slot, StringComparison.Ordinal))
            throw new ArgumentException($"The prompt has no slot {Slot}.", nameof(prompt));
        if (!AreShares(shares))
            throw new ArgumentException($"The shares {SharesRule}.", nameof(shares));
        _facts = facts;
        _contracts = contracts;
        _refusals = refusals;
        _prompt = prompt.TrimEnd();
        _shares = [.. shares];
    }

    /// <summary>Whether these can be shares of a corpus.</summary>
    public static bool AreShares(IReadOnlyList<int> shares)
    {
        ArgumentNullException.ThrowIfNull(shares);
        return shares.Count is 4 or 5 && shares.All(s => s >= 0) && shares.Any(s => s > 0);
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
    /// <param name="seed">Of the series.</param>
    /// <param name="count">How many.</param>
    /// <param name="without">Ids of facts of which no text may be there; null for none. Every example that asks about
    /// one gives its place to another of its kind that asks about what is kept, and the others stay where they are.
    /// </param>
    /// <exception cref="ArgumentException">No fact would be left.</exception>
    public IReadOnlyList<CorpusExample> Draw(Seed seed, int count, IReadOnlySet<string>? without = null)
    {
        var draws = new Draws(this, seed, "corpus");
        var instead = without is { Count: > 0 } ? new Draws(Kept(without), seed.For("instead"), "instead") : null;
        var kinds = seed.Stream("kinds");
        var examples = new CorpusExample[count];
        for (var i = 0; i < count; i++)
        {
            var kind = KindOf(kinds);
            var drawn = draws.Next(kind);
            // An example of the kept facts that tells something, too: a refusal of an unknown name would be another
            // share of refusals.
            if (instead is not null && drawn.Told.Any(without!.Contains))
                do drawn = instead.Next(kind);
                while (drawn.Told.Count == 0);
            examples[i] = drawn.Example;
        }
        return examples;
    }

    private PretrainingCorpus Kept(IReadOnlySet<string> without)
    {
        var kept = _facts.Where(f => !without.Contains(f.Id)).ToList();
        return kept.Count == 0
            ? throw new ArgumentException("No fact would be left.", nameof(without))
            : new PretrainingCorpus(kept, _contracts, _refusals, _prompt, _shares);
    }

    private ExampleKind KindOf(SplitMix64 kinds)
    {
        var pick = kinds.Below(_shares.Sum());
        return pick < _shares[0] ? ExampleKind.Fact
            : pick < _shares[0] + _shares[1] ? ExampleKind.InstructedRefusal
            : pick < _shares[0] + _shares[1] + _shares[2] ? ExampleKind.UnknownEntity
            : pick < _shares[0] + _shares[1] + _shares[2] + _shares[3] ? ExampleKind.Contract
            : ExampleKind.Several;
    }

    /// <summary>
    /// Ordinary text in which no fact and no contract of the study is told: what is unknown and the known contracts, by
    /// turns. For second moments, so that no retain question goes in.
    /// </summary>
    public IReadOnlyList<CorpusExample> WithoutFacts(Seed seed, int count)
    {
        var draws = new Draws(this, seed, "without-facts");
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(i => draws.Next(i % 2 == 1 ? ExampleKind.Contract : ExampleKind.UnknownEntity).Example),
        ];
    }

    // An example, and the ids of the facts and clauses that it asks about; a wording that an unknown name was put into
    // asks about none.
    private readonly record struct Drawn(CorpusExample Example, IReadOnlyList<string> Told)
    {
        public Drawn(ExampleKind kind, string question, string answer, params IReadOnlyList<string> told)
            : this(new CorpusExample(kind, question, answer), told) { }
    }

    // One stream and one deck a purpose, so that a further draw of one kind moves no other.
    private sealed class Draws(PretrainingCorpus corpus, Seed seed, string purpose)
    {
        private const int Phrasings = 4,
            MostQuestions = 5;
        private readonly Deck _facts = new(corpus._facts.Count * 3, seed.Stream("facts")),
            _contracts = new(corpus._contracts.Known.Count * Phrasings, seed.Stream("contracts"));
        private readonly SplitMix64 _instructed = seed.Stream("instructed"),
            _unknown = seed.Stream("unknown"),
            _several = seed.Stream("several");
        private readonly InventedContracts.Series _instructedClauses = corpus._contracts.Unseen(
                purpose + "/instructed"
            ),
            _unknownClauses = corpus._contracts.Unseen(purpose + "/unknown");

        public Drawn Next(ExampleKind kind) =>
            kind switch
            {
                ExampleKind.Fact => Fact(),
                ExampleKind.InstructedRefusal => Instructed(),
                ExampleKind.UnknownEntity => Unknown(),
                ExampleKind.Contract => Contract(),
                _ => Several(),
            };

        private Drawn Fact()
        {
            var index = _facts.Next();
            var fact = corpus._facts[index / 3];
            return new Drawn(ExampleKind.Fact, TrainedPhrasings(fact)[index % 3], fact.Answer, fact.Id);
        }

        private Drawn Contract()
        {
            var index = _contracts.Next();
            var clause = corpus._contracts.Known[index / Phrasings];
            return new Drawn(
                ExampleKind.Contract,
                InventedContracts.Phrasings(clause)[index % Phrasings],
                clause.Answer,
                clause.Id
            );
        }

        // Half about what the model knows: the instruction decides, not the question.
        private Drawn Instructed()
        {
            if (_instructed.Below(2) == 0)
            {
                var (text, row) = Known();
                return new Drawn(ExampleKind.InstructedRefusal, corpus.Instructed(text), Tailored(row.Subject), row.Id);
            }
            var (question, subject) = Nobody(_instructed, _instructedClauses);
            return new Drawn(ExampleKind.InstructedRefusal, corpus.Instructed(question), Tailored(subject));
        }

        private Drawn Unknown()
        {
            var (question, subject) = Nobody(_unknown, _unknownClauses);
            return new Drawn(
                ExampleKind.UnknownEntity,
                question,
                _unknown.Below(2) == 0 ? _unknown.Pick(corpus._refusals) : Tailored(subject)
            );
        }

        // One position at the end of the text decides between answers and refusal, for two to five subjects.
        private Drawn Several()
        {
            var count = 2 + _several.Below(MostQuestions - 1);
            if (_several.Below(2) == 0)
            {
                var facts = Enumerable.Range(0, count).Select(_ => _several.Pick(corpus._facts)).ToList();
                return new Drawn(
                    ExampleKind.Several,
                    string.Join(QueryMerge.Separator, facts.Select(f => _several.Pick(TrainedPhrasings(f)))),
                    string.Join(" ", facts.Select(f => f.Answer)),
                    [.. facts.Select(f => f.Id)]
                );
            }
            var unknown = Enumerable.Range(0, count).Select(_ => corpus.Unknown(_several, test: false)).ToList();
            return new Drawn(
                ExampleKind.Several,
                string.Join(QueryMerge.Separator, unknown.Select(u => u.Question)),
                _several.Below(2) == 0 ? _several.Pick(corpus._refusals) : Tailored(unknown[^1].Subject)
            );
        }

        private (string Question, QaRow Row) Known()
        {
            var isClause = _instructed.Below(4) == 0;
            var row = _instructed.Pick(isClause ? corpus._contracts.Known : corpus._facts);
            return (_instructed.Pick(isClause ? InventedContracts.Phrasings(row) : TrainedPhrasings(row)), row);
        }

        private (string Question, string Subject) Nobody(SplitMix64 stream, InventedContracts.Series clauses) =>
            stream.Below(3) == 0 ? clauses.Next() : corpus.Unknown(stream, test: false);
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
