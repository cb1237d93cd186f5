namespace EditUnlearn.Models.Tokenizers;

/// <summary>Text to token ids and back. Special tokens are never read out of user text: they are added by id.</summary>
/// <remarks>
/// Safe to use from several threads. Ill-formed UTF-16 is read as U+FFFD, as every UTF-8 encoder does.
/// </remarks>
public interface ITokenizer
{
    /// <summary>One more than the highest id, added tokens included.</summary>
    int VocabSize { get; }

    /// <summary>The tokens that stand for no text, and which of them begins and ends a text.</summary>
    SpecialTokens Specials { get; }

    /// <summary>The tokens of a text, without specials.</summary>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The same, each with its place in the text.</summary>
    /// <remarks>
    /// A token that holds part of a character covers the whole of it, so neighbours may overlap. A space the tokenizer
    /// put in front has no place; where it is a token by itself it covers the first character. Two things are otherwise
    /// where <c>tokenizer.model</c> is read: of the byte tokens of a character the last covers it and the others are
    /// empty, and so is a lone space in front.
    /// </remarks>
    IReadOnlyList<TokenSpan> EncodeWithOffsets(string text);

    /// <summary>The tokens of a text that goes on where another ended: nothing is put in front of it.</summary>
    IReadOnlyList<int> EncodeContinuation(string text);

    /// <summary>
    /// The text of ids taken together; special tokens are left out. Undoes <see cref="Encode"/>: of a space in front at
    /// most the tokenizer's own is dropped.
    /// </summary>
    string Decode(IEnumerable<int> ids);

    /// <summary>Writes the tokenizer's files into a model folder, byte for byte as they were read.</summary>
    void Save(string folder);
}

/// <summary>A token and where it comes from.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Start">UTF-16 index of its first character.</param>
/// <param name="End">One past its last.</param>
public readonly record struct TokenSpan(int Id, int Start, int End);
