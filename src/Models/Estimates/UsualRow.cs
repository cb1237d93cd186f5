namespace EditUnlearn.Models.Estimates;

/// <summary>How long a row is taken to be before any question has been read.</summary>
public static class UsualRow
{
    /// <summary>Tokens of a row: prompt and answer.</summary>
    public const int Tokens = 64;

    /// <summary>Tokens of an answer.</summary>
    public const int AnswerTokens = 16;
}
