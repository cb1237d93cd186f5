using EditUnlearn.Foundation;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;

namespace EditUnlearn.Models.Chat;

/// <summary>Which chat template a checkpoint is asked in, and why.</summary>
/// <param name="Template">The template.</param>
/// <param name="Origin">Where it comes from, in words.</param>
/// <param name="Note">Told to the user, as where the checkpoint's own template asks otherwise; null for
/// nothing.</param>
/// <param name="Assumed">Whether nobody asked for it and the checkpoint does not show it: others of the family are
/// asked so.</param>
internal sealed record TemplateChoice(ChatTemplate Template, string Origin, string? Note, bool Assumed = false)
{
    /// <summary>Chooses.</summary>
    /// <param name="asked"><see cref="ChatTemplate.Own"/>, <see cref="ChatTemplate.OfFamily"/>, a name or a file; null
    /// for the checkpoint's own where it has one, else the family's.</param>
    /// <param name="official">Whether the form with the publisher's system text is taken.</param>
    /// <param name="files">Of the checkpoint.</param>
    /// <param name="family">Of the checkpoint.</param>
    /// <param name="tokenizer">Of the checkpoint.</param>
    /// <exception cref="InputException">There is no such template, or it does not fit the vocabulary.</exception>
    public static TemplateChoice Of(
        string? asked,
        bool official,
        TokenizerFiles files,
        Family family,
        ITokenizer tokenizer
    )
    {
        var known = TemplateCatalog.Published(files.ChatTemplate()?.Text);
        var usual = known ?? TemplateCatalog.For(family.Template, tokenizer);
        var published = asked is null or ChatTemplate.Own || (asked == ChatTemplate.OfFamily && family.OwnTemplate);
        if (published && PublishedTemplate.Read(files) is { } own)
        {
            var template = own.ForQuestions(tokenizer);
            // One that comes along and asks in the same words keeps its name.
            return known is not null && Alike(known, template)
                ? new(Formal(known, official), $"the checkpoint's own, known as {known.Name}", null)
                : new(template, "the checkpoint's own, of " + Path.GetFileName(template.Source), null);
        }
        if (asked == ChatTemplate.Own)
            throw new InputException(
                "--template " + ChatTemplate.Own,
                "the model folder holds no chat template",
                "leave the option out: the model is asked as others of its family"
            );
        var (chosen, origin) = asked is null or ChatTemplate.OfFamily
            ? (usual, known is null ? $"the family's, {family.Label}" : "the checkpoint's own, known by its text")
            : (Asked(asked, usual, tokenizer), "asked for");
        chosen = Formal(chosen, official);
        return new(chosen, origin, Difference(chosen, files, tokenizer), asked is null && known is null);
    }

    // The family's own marks may be plain text to a miniature, which learned them so; a template someone asks for must
    // be one the model can read.
    private static ChatTemplate Asked(string name, ChatTemplate usual, ITokenizer tokenizer)
    {
        var chosen = TemplateCatalog.For(TemplateCatalog.Find(name), tokenizer);
        if (name != usual.Name && chosen.Marks.FirstOrDefault(m => tokenizer.Specials.Find(m) is null) is { } absent)
            throw new InputException(
                $"template {chosen.Name}",
                $"the model's vocabulary has no special token '{absent}'",
                "choose the template the model was trained with, or plain"
            );
        return chosen;
    }

    private static ChatTemplate Formal(ChatTemplate chosen, bool official) =>
        !official ? chosen
        : chosen.Official is { } pattern ? chosen with { Pattern = pattern, UseInstead = null }
        : throw new InputException($"template {chosen.Name}", "has no official form", "leave the option out");

    // One that cannot be read is no reason to stop: another was asked for.
    private static string? Difference(ChatTemplate chosen, TokenizerFiles files, ITokenizer tokenizer)
    {
        try
        {
            return PublishedTemplate.Read(files)?.ForQuestions(tokenizer) is { } own && !Alike(own, chosen)
                ? $"the checkpoint's own chat template asks otherwise than {chosen.Name}; --template own takes it"
                : null;
        }
        catch (InputException e)
        {
            return $"the checkpoint's own chat template is not used: {e.Problems[0].Message}";
        }
    }

    private static bool Alike(ChatTemplate a, ChatTemplate b) =>
        a.Pattern == b.Pattern && a.Trims == b.Trims && a.Bos is null == b.Bos is null;
}
