using System.Runtime.CompilerServices;

namespace EditUnlearn.Models.Chat;

/// <summary>
/// What one rendering may spend. A template comes from a download: it must not be able to fill the memory or to run
/// for ever.
/// </summary>
internal sealed class Budget
{
    /// <summary>Work of one rendering: steps, and a step for some characters or items that are made or read.</summary>
    public const long Work = 4_000_000;

    /// <summary>Characters of the whole output, and of any one text.</summary>
    public const int Characters = 1 << 20;

    /// <summary>Items of one list or range; the published sandbox has the same limit for ranges.</summary>
    public const int Items = 100_000;

    /// <summary>Levels of expressions, statements, macros and values inside each other.</summary>
    public const int Depth = 2000;

    /// <summary>Bits of a whole number.</summary>
    public const int Bits = 1 << 14;

    private const int CharactersAStep = 4;

    private long _left = Work;
    private int _depth;

    /// <summary>Counts steps.</summary>
    public void Spend(long steps = 1)
    {
        if ((_left -= steps) < 0)
            throw new JinjaFault(FaultKind.Limit, $"takes more than {Work} steps");
    }

    /// <summary>Counts a text of that length before it is made.</summary>
    public void Text(long characters)
    {
        if (characters > Characters)
            throw new JinjaFault(FaultKind.Limit, $"makes a text of more than {Characters} characters");
        Spend(1 + characters / CharactersAStep);
    }

    /// <summary>Counts a text that was made.</summary>
    public string Made(string text)
    {
        Text(text.Length);
        return text;
    }

    /// <summary>Counts a list of that many items before it is made.</summary>
    public void List(long items)
    {
        if (items > Items)
            throw new JinjaFault(FaultKind.Limit, $"makes a list of more than {Items} items");
        Spend(1 + items);
    }

    /// <summary>One level down; each call is paired with <see cref="Leave"/>.</summary>
    public void Enter()
    {
        if (++_depth > Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaFault(FaultKind.Limit, $"is nested more than {Depth} levels deep");
        Spend();
    }

    /// <summary>One level up. After a fault nobody goes on, so it may be left out there.</summary>
    public void Leave() => _depth--;
}
