namespace EditUnlearn.Models.Tokenizers;

/// <summary>Text to token ids and back. Special tokens are never read out of user text: they are added by id.</summary>
public interface ITokenizer
{
    /// <summary>V.</summary>
    int VocabSize { get; }

    /// <summary>The tokens of a text, without specials.</summary>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The same, each with its place in the text.</summary>
    IReadOnlyList<TokenSpan> EncodeWithOffsets(string text);

    /// <summary>The text of ids; special tokens are left out.</summary>
    string Decode(IEnumerable<int> ids);

    /// <summary>Writes the tokenizer's files into a model folder.</summary>
    void Save(string folder);
}

/// <summary>A token and where it comes from.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">UTF-16 index of its first character.</param>
/// <param name="End">One past its last.</param>
public readonly record struct TokenSpan(int Id, int Start, int End);
