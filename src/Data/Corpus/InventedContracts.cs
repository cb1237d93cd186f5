using EditUnlearn.Artifacts;
using EditUnlearn.Data.Contracts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data.Corpus;

/// <summary>
/// Contracts that are no part of the study: a few a miniature knows, and endless others it has never seen and must say
/// so.
/// </summary>
/// <remarks>
/// The study's contracts come from the same generator under the study's own seed, so a clause of theirs is asked in
/// words the model has met, about parties it has not.
/// Names are random letters; the chance that two graphs share one is about one in a million.
/// </remarks>
public sealed class InventedContracts
{
    private const int KnownEdges = 5;
    private readonly Seed _seed;

    /// <summary>Derives everything from one seed.</summary>
    public InventedContracts(Seed seed)
    {
        _seed = seed.For("invented-contracts");
        // Two contracts of sale, three of employment; the two hubs of the graph among them.
        Known = ContractGenerator.Generate(
            _seed.For("known"),
            [.. ContractGraph.Sample.Where((_, i) => i is 0 or 4 or 10 or 14 or 17).Take(KnownEdges)]
        );
    }

    /// <summary>The clauses the model is taught.</summary>
    public IReadOnlyList<QaRow> Known { get; }

    /// <summary>
    /// The wordings of a clause in the corpus: the question and three rephrasings; the hard one is shown for none.
    /// </summary>
    public static IReadOnlyList<string> Phrasings(QaRow clause)
    {
        ArgumentNullException.ThrowIfNull(clause);
        return [clause.Question, .. clause.Rephrasings.Take(3)];
    }

    /// <summary>An endless series of clauses nobody knows.</summary>
    /// <param name="purpose">Names the series; two of different purposes share no party.</param>
    public Series Unseen(string purpose) => new(_seed.For(purpose));

    /// <summary>Clauses of one graph after another, each graph in random order.</summary>
    public sealed class Series(Seed seed)
    {
        private readonly SplitMix64 _order = seed.Stream("order");
        private QaRow[] _graph = [];
        private int _graphs,
            _at;

        /// <summary>The next clause under one of its phrasings.</summary>
        public (string Question, string Subject) Next()
        {
            if (_at == _graph.Length)
            {
                _graph = [.. ContractGenerator.Generate(seed.For($"graph/{_graphs++}"), ContractGraph.Sample)];
                _order.Shuffle(_graph);
                _at = 0;
            }
            var clause = _graph[_at++];
            return (_order.Pick(Phrasings(clause)), clause.Subject);
        }
    }
}
