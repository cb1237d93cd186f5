using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Models;

/// <summary>A chat template laid out for one vocabulary: marks by id, and the stretches of text between them.</summary>
internal sealed class PromptLayout
{
    private readonly ITokenizer _tokenizer;
    private readonly ChatTemplate _template;
    private readonly List<(int? Mark, string Text)> _parts = [];

    /// <param name="tokenizer">Whose ids the marks get.</param>
    /// <param name="template">To be laid out.</param>
    /// <exception cref="InputException">The vocabulary holds some of the marks but not all: a prompt would be half
    /// marks, half text.</exception>
    public PromptLayout(ITokenizer tokenizer, ChatTemplate template)
    {
        _tokenizer = tokenizer;
        _template = template;
        var held = template.Marks.Where(m => tokenizer.Specials.Find(m) is not null).ToList();
        if (held.Count > 0 && held.Count < template.Marks.Count)
            throw new InputException(
                $"template {template.Name}",
                "the model's vocabulary lacks the special token "
                    + $"{string.Join(", ", template.Marks.Except(held).Select(m => $"'{m}'"))}, but holds "
                    + $"{string.Join(", ", held.Select(m => $"'{m}'"))}",
                "choose the template the model was trained with"
            );
        foreach (
            var (start, length, id) in new NameMatcher(
                held.Select(m => KeyValuePair.Create(m, tokenizer.Specials.Find(m)!.Value))
            ).Split(template.Pattern)
        )
            _parts.Add((id, template.Pattern.Substring(start, length)));
        // What follows goes on in the last part, so that is always text.
        EndsWithMark = _parts.Count == 0 || _parts[^1].Mark is not null;
        if (EndsWithMark)
            _parts.Add((null, ""));
    }

    /// <summary>Whether what follows the prompt is a text of its own: it comes right after a mark.</summary>
    public bool EndsWithMark { get; }

    /// <summary>
    /// The tokens of a prompt and what follows it, each with its place in the whole text. The text after the last mark
    /// goes on in what follows.
    /// </summary>
    public List<TokenSpan> Encode(string question, string following = "")
    {
        var spans = new List<TokenSpan>();
        var asked = _template.Asked(question);
        var before = _template.Trims ? question.IndexOf(asked, StringComparison.Ordinal) : 0;
        var at = 0;
        foreach (var (index, (mark, pattern)) in _parts.Index())
        {
            var slot = mark is null ? pattern.IndexOf(ChatTemplate.Slot, StringComparison.Ordinal) : -1;
            var text = slot < 0 ? pattern : pattern.Replace(ChatTemplate.Slot, asked, StringComparison.Ordinal);
            if (index == _parts.Count - 1)
                text += following;
            if (mark is { } id)
                spans.Add(new TokenSpan(id, at, at + text.Length));
            else
                spans.AddRange(
                    _tokenizer
                        .EncodeWithOffsets(text)
                        .Select(s => new TokenSpan(s.Id, at + Place(s.Start, slot), at + Place(s.End, slot)))
                );
            at += text.Length + (slot < 0 ? 0 : question.Length - asked.Length);
        }
        return spans;

        // Places are those of the question as it was given, so that a subject is found where it stands there.
        int Place(int place, int slot) =>
            slot < 0 || place <= slot ? place
            : place <= slot + asked.Length ? place + before
            : place + question.Length - asked.Length;
    }
}
