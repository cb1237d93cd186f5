namespace EditUnlearn.Models.Tokenizers;

/// <summary>A piece of text on its way to becoming a token.</summary>
internal struct MergeSymbol
{
    /// <summary>Its id, or negative where the vocabulary lacks it.</summary>
    public int Id;

    /// <summary>Where it begins.</summary>
    public int Start;

    /// <summary>One past its end; equal to <see cref="Start"/> once it is part of its left neighbour.</summary>
    public int End;

    /// <summary>Index of the symbol before it, or -1.</summary>
    public int Previous;

    /// <summary>Index of the symbol after it, or -1.</summary>
    public int Next;

    /// <summary>Whether it stays as it is.</summary>
    public bool Frozen;
}

/// <summary>Says which neighbours may be joined, and how soon.</summary>
internal interface IMergeRule
{
    /// <summary>
    /// Whether the two may be joined; if so the order of the join, lowest first, and the id of what comes out.
    /// </summary>
    bool TryJoin(in MergeSymbol left, in MergeSymbol right, out uint order, out int id);
}

/// <summary>
/// Byte-pair encoding of one text: joins neighbours, the lowest order first, the leftmost where orders are equal, until
/// nothing can be joined.
/// </summary>
/// <remarks>
/// Source: Sennrich, Haddow and Birch (2016); the queue and its rule for ties are those of the published SentencePiece
/// encoder. A heap of candidates over a linked list, n log n in the length of the text; the libraries' own scans are
/// quadratic or take the rightmost of ties.
/// </remarks>
internal sealed class MergeQueue
{
    private readonly PriorityQueue<(int Left, int Right, int End, int Id), ulong> _candidates = new();
    private MergeSymbol[] _symbols = new MergeSymbol[32];
    private int _count;

    /// <summary>Pairs that were looked at, in all texts so far: the work that was done.</summary>
    public long Considered { get; private set; }

    /// <summary>Begins a text.</summary>
    public void Clear()
    {
        _count = 0;
        _candidates.Clear();
    }

    /// <summary>Adds the next symbol of the text.</summary>
    public void Add(int id, int start, int end, bool frozen = false)
    {
        if (_count == _symbols.Length)
            Array.Resize(ref _symbols, 2 * _count);
        if (_count > 0)
            _symbols[_count - 1].Next = _count;
        _symbols[_count] = new MergeSymbol
        {
            Id = id,
            Start = start,
            End = end,
            Previous = _count - 1,
            Next = -1,
            Frozen = frozen,
        };
        _count++;
    }

    /// <summary>Joins what can be joined, then hands over what is left, from left to right.</summary>
    public void Run<TRule>(TRule rule, Action<MergeSymbol> result)
        where TRule : IMergeRule
    {
        for (var i = 0; i + 1 < _count; i++)
            Consider(rule, i, i + 1);
        while (_candidates.TryDequeue(out var c, out _))
        {
            ref var left = ref _symbols[c.Left];
            ref var right = ref _symbols[c.Right];
            // A candidate is out of date when either side has been joined to something since.
            if (left.Start == left.End || left.Next != c.Right || right.End != c.End)
                continue;
            left.Id = c.Id;
            left.End = right.End;
            left.Next = right.Next;
            right.End = right.Start;
            if (left.Next >= 0)
            {
                _symbols[left.Next].Previous = c.Left;
                Consider(rule, c.Left, left.Next);
            }
            if (left.Previous >= 0)
                Consider(rule, left.Previous, c.Left);
        }
        for (var i = _count > 0 ? 0 : -1; i >= 0; i = _symbols[i].Next)
            result(_symbols[i]);
    }

    private void Consider<TRule>(TRule rule, int left, int right)
        where TRule : IMergeRule
    {
        Considered++;
        if (rule.TryJoin(_symbols[left], _symbols[right], out var order, out var id))
            _candidates.Enqueue((left, right, _symbols[right].End, id), ((ulong)order << 32) | (uint)left);
    }
}
