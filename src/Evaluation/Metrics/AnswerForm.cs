namespace EditUnlearn.Evaluation.Metrics;

/// <summary>What can be said about an answer's form without a person reading it: a look before the human study, never mixed with it. Source: evaluation specification, section 10.5.</summary>
public static class AnswerForm
{
    /// <summary>Tokens the model said; recall rewards saying much, so it is reported beside it.</summary>
    public static Metric Length { get; } = new("length", "Tokens", row => row.NewTokens);

    /// <summary>Share of the subject's words in the answer, stemmed; null without a subject. Stands in for semantic entailment.</summary>
    public static Metric EntityMention { get; } = new("entityMention", "Entity named", row =>
    {
        var subject = RougeTokens.Of(row.Subject).Distinct(StringComparer.Ordinal).ToList();
        var said = RougeTokens.Of(row.Generated).ToHashSet(StringComparer.Ordinal);
        return subject.Count == 0 ? null : subject.Count(said.Contains) / (double)subject.Count;
    });

    /// <summary>1 - distinct bigrams / bigrams; null for less than two words.</summary>
    public static Metric Repetition { get; } = new("repetition", "Repetition", row =>
    {
        var words = RougeTokens.Of(row.Generated);
        if (words.Count < 2) return null;
        var bigrams = words.Zip(words.Skip(1)).ToList();
        return 1 - bigrams.Distinct().Count() / (double)bigrams.Count;
    });

    /// <summary>Share of words that look like none: letters without a vowel, a letter three times running, more than five consonants running, letters mixed with digits. Null without words.</summary>
    public static Metric NonWords { get; } = new("nonWordShare", "Non-words", row =>
    {
        var words = row.Generated.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(w => w.Trim('.', ',', ';', ':', '!', '?', '\'', '"', '(', ')')).Where(w => w.Length > 0).ToList();
        return words.Count == 0 ? null : words.Count(LooksLikeNone) / (double)words.Count;
    });

    private static bool LooksLikeNone(string word)
    {
        var letters = word.Count(char.IsLetter);
        if (letters == 0) return false;
        if (word.Any(char.IsDigit)) return true;
        var isShout = word.All(c => !char.IsLetter(c) || char.IsUpper(c));   // initials and abbreviations
        int same = 1, consonants = 0;
        var vowels = false;
        for (var i = 0; i < word.Length; i++)
        {
            same = i > 0 && word[i] == word[i - 1] ? same + 1 : 1;
            var vowel = !char.IsAscii(word[i]) || "aeiouyAEIOUY".Contains(word[i], StringComparison.Ordinal);
            vowels |= vowel;
            consonants = vowel || !char.IsLetter(word[i]) ? 0 : consonants + 1;
            if ((same >= 3 && char.IsLetter(word[i])) || consonants > 5) return true;
        }
        return letters > 1 && !vowels && !isShout && word is not ("Mr" or "Mrs" or "Dr" or "St");
    }
}
