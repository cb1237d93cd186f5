using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;

namespace EditUnlearn.Models;

/// <summary>Turns questions and answers into token rows, as one family asks and answers.</summary>
/// <remarks>Safe to use from several threads.</remarks>
public sealed class RowEncoder
{
    private readonly ITokenizer _tokenizer;
    private readonly PromptLayout _layout,
        _raw;
    private long _crossed;

    /// <summary>Lays a template out for a vocabulary.</summary>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="template">Of the family; a template that names another for this vocabulary gives way to it.</param>
    /// <param name="config">Gives BOS and EOS where template and tokenizer do not.</param>
    /// <exception cref="InputException">The vocabulary holds the template's marks in part only.</exception>
    public RowEncoder(ITokenizer tokenizer, ChatTemplate template, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(config);
        _tokenizer = tokenizer;
        Template = TemplateCatalog.For(template, tokenizer);
        _layout = new PromptLayout(tokenizer, Template);
        _raw = new PromptLayout(tokenizer, new ChatTemplate(ChatTemplate.Slot));
        BosId = Template.Bos is not { } bos
            ? null
            : (bos == ChatTemplate.BosOfConfig ? tokenizer.Specials.BosId : tokenizer.Specials.Find(bos))
                ?? config.BosId;
        var stops = Template.Stop.Select(tokenizer.Specials.Find).OfType<int>().ToList();
        EndId =
            stops.Count > 0 ? stops[0]
            : tokenizer.Specials.EosId is { } own && config.EosIds.Contains(own) ? own
            : config.EosIds[0];
        StopIds = [.. stops.Append(EndId).Concat(config.StopIds).Distinct()];
    }

    /// <summary>The template as it is used with this vocabulary.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Begins every prompt; null where the family has none.</summary>
    public int? BosId { get; }

    /// <summary>Ends an answer: the token that ends a turn, such as <c>&lt;|eot_id|&gt;</c>.</summary>
    public int EndId { get; }

    /// <summary>Each ends a generation: the template's stop tokens and the model's own.</summary>
    public IReadOnlyList<int> StopIds { get; }

    /// <summary>
    /// How many rows so far had a merge across the border of prompt and answer, and were encoded in two parts instead.
    /// </summary>
    public long CrossedBoundaries => Interlocked.Read(ref _crossed);

    /// <summary>The prompt of a question, BOS first.</summary>
    public IReadOnlyList<int> Prompt(string question) => Ids(_layout.Encode(question));

    /// <summary>The same, each token with its place in the template's text; BOS is empty at 0.</summary>
    /// <param name="question">Verbatim.</param>
    /// <param name="raw">Whether the question stands alone, without template.</param>
    public IReadOnlyList<TokenSpan> PromptWithOffsets(string question, bool raw = false)
    {
        var spans = (raw ? _raw : _layout).Encode(question);
        return BosId is { } bos ? [new TokenSpan(bos, 0, 0), .. spans] : spans;
    }

    /// <summary>Prompt, answer, end of turn. The answer follows the template at once.</summary>
    /// <remarks>
    /// As the public trainers do it (docs/methods.md, "Requests"): the whole text is encoded together. Where a merge
    /// would cross the border, the answer is encoded by itself.
    /// </remarks>
    /// <param name="question">Verbatim.</param>
    /// <param name="answer">Verbatim.</param>
    /// <param name="end">Whether the end of the turn follows and is a label.</param>
    public TokenRow Row(string question, string answer, bool end = true) => Row(question, answer, end, raw: false);

    /// <summary>The same, with or without template.</summary>
    /// <param name="question">Verbatim.</param>
    /// <param name="answer">Verbatim.</param>
    /// <param name="end">Whether the end of the turn follows and is a label.</param>
    /// <param name="raw">Whether the question stands alone, without template.</param>
    public TokenRow Row(string question, string answer, bool end, bool raw)
    {
        ArgumentNullException.ThrowIfNull(answer);
        var layout = raw ? _raw : _layout;
        var prompt = Ids(layout.Encode(question));
        var whole = Ids(layout.Encode(question, answer));
        if (!whole.Take(prompt.Count).SequenceEqual(prompt))
        {
            Interlocked.Increment(ref _crossed);
            whole =
            [
                .. prompt,
                .. layout.EndsWithMark ? _tokenizer.Encode(answer) : _tokenizer.EncodeContinuation(answer),
            ];
        }
        return new TokenRow(end ? [.. whole, EndId] : whole, prompt.Count);
    }

    private List<int> Ids(List<TokenSpan> spans)
    {
        var ids = new List<int>(spans.Count + 1);
        if (BosId is { } bos)
            ids.Add(bos);
        foreach (var span in spans)
            ids.Add(span.Id);
        return ids;
    }
}
