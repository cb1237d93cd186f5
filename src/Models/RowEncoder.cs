using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Models;

/// <summary>Turns questions and answers into token rows, as one family asks and answers.</summary>
/// <param name="tokenizer">Of the model.</param>
/// <param name="template">Of the family.</param>
/// <param name="config">Gives BOS and EOS.</param>
public sealed class RowEncoder(ITokenizer tokenizer, ChatTemplate template, ModelConfig config)
{
    /// <summary>The prompt of a question, BOS first.</summary>
    public IReadOnlyList<int> Prompt(string question) => [config.BosId, .. tokenizer.Encode(template.Prompt(question))];

    /// <summary>Prompt, answer, EOS. The answer follows the template at once.</summary>
    /// <remarks>Source: unlearning specification, section 1. Where a merge would cross the border, the answer is encoded by itself.</remarks>
    /// <param name="question">Verbatim.</param>
    /// <param name="answer">Verbatim.</param>
    /// <param name="end">Whether EOS follows and is a label.</param>
    public TokenRow Row(string question, string answer, bool end = true)
    {
        var prompt = Prompt(question);
        int[] whole = [config.BosId, .. tokenizer.Encode(template.Prompt(question) + answer)];
        int[] ids = whole.Take(prompt.Count).SequenceEqual(prompt) ? whole : [.. prompt, .. tokenizer.Encode(answer)];
        return new TokenRow(end ? [.. ids, config.EosIds[0]] : ids, prompt.Count);
    }
}
