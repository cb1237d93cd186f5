namespace EditUnlearn.Evaluation;

/// <summary>
/// Porter's stemmer with the extensions of the common Python toolkit's default mode. Source: Porter (1980), "An
/// algorithm for suffix stripping"; NLTK 3.8, <c>PorterStemmer</c>; docs/metrics.md, "The stemmer".
/// </summary>
internal static class PorterStemmer
{
    private static readonly Dictionary<string, string> Whole = new(StringComparer.Ordinal)
    {
        ["skies"] = "sky",
        ["sky"] = "sky",
        ["dying"] = "die",
        ["lying"] = "lie",
        ["tying"] = "tie",
        ["news"] = "news",
        ["innings"] = "inning",
        ["inning"] = "inning",
        ["outings"] = "outing",
        ["outing"] = "outing",
        ["cannings"] = "canning",
        ["canning"] = "canning",
        ["howe"] = "howe",
        ["proceed"] = "proceed",
        ["exceed"] = "exceed",
        ["succeed"] = "succeed",
    };

    private static readonly (string Suffix, string Replacement)[] Second =
    [
        ("ational", "ate"),
        ("tional", "tion"),
        ("enci", "ence"),
        ("anci", "ance"),
        ("izer", "ize"),
        ("bli", "ble"),
        ("alli", "al"),
        ("entli", "ent"),
        ("eli", "e"),
        ("ousli", "ous"),
        ("ization", "ize"),
        ("ation", "ate"),
        ("ator", "ate"),
        ("alism", "al"),
        ("iveness", "ive"),
        ("fulness", "ful"),
        ("ousness", "ous"),
        ("aliti", "al"),
        ("iviti", "ive"),
        ("biliti", "ble"),
        ("fulli", "ful"),
        ("logi", "log"),
    ];

    private static readonly (string Suffix, string Replacement)[] Third =
    [
        ("icate", "ic"),
        ("ative", ""),
        ("alize", "al"),
        ("iciti", "ic"),
        ("ical", "ic"),
        ("ful", ""),
        ("ness", ""),
    ];

    private static readonly string[] Fourth =
    [
        "al",
        "ance",
        "ence",
        "er",
        "ic",
        "able",
        "ible",
        "ant",
        "ement",
        "ment",
        "ent",
        "ion",
        "ou",
        "ism",
        "ate",
        "iti",
        "ous",
        "ive",
        "ize",
    ];

    /// <summary>The stem of a lower-case word.</summary>
    public static string Stem(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        if (Whole.TryGetValue(word, out var whole))
            return whole;
        return Step5(Step4(Step3(Step2(Step1C(Step1B(Step1A(word)))))));
    }

    private static string Step1A(string w)
    {
        if (w.EndsWith("ies", StringComparison.Ordinal) && w.Length == 4)
            return w[..^1];
        if (w.EndsWith("sses", StringComparison.Ordinal))
            return w[..^2];
        if (w.EndsWith("ies", StringComparison.Ordinal))
            return w[..^2];
        if (w.EndsWith("ss", StringComparison.Ordinal))
            return w;
        return w.EndsWith('s') ? w[..^1] : w;
    }

    private static string Step1B(string w)
    {
        if (w.EndsWith("ied", StringComparison.Ordinal))
            return w.Length == 4 ? w[..^1] : w[..^2];
        if (w.EndsWith("eed", StringComparison.Ordinal))
            return Measure(w[..^3]) > 0 ? w[..^1] : w;
        string stem;
        if (w.EndsWith("ed", StringComparison.Ordinal) && HasVowel(w[..^2]))
            stem = w[..^2];
        else if (w.EndsWith("ing", StringComparison.Ordinal) && HasVowel(w[..^3]))
            stem = w[..^3];
        else
            return w;
        if (
            stem.EndsWith("at", StringComparison.Ordinal)
            || stem.EndsWith("bl", StringComparison.Ordinal)
            || stem.EndsWith("iz", StringComparison.Ordinal)
        )
            return stem + "e";
        if (stem.Length >= 2 && stem[^1] == stem[^2] && IsConsonant(stem, stem.Length - 1))
            return stem[^1] is 'l' or 's' or 'z' ? stem : stem[..^1];
        return Measure(stem) == 1 && EndsCvc(stem) ? stem + "e" : stem;
    }

    private static string Step1C(string w) =>
        w.EndsWith('y') && w.Length > 2 && IsConsonant(w, w.Length - 2) ? w[..^1] + "i" : w;

    private static string Step2(string w)
    {
        if (w.EndsWith("alli", StringComparison.Ordinal))
            return Measure(w[..^4]) > 0 ? Step2(w[..^2]) : w;
        foreach (var (suffix, replacement) in Second)
            if (w.EndsWith(suffix, StringComparison.Ordinal))
                return Measure(suffix == "logi" ? w[..^3] : w[..^suffix.Length]) > 0
                    ? w[..^suffix.Length] + replacement
                    : w;
        return w;
    }

    private static string Step3(string w)
    {
        foreach (var (suffix, replacement) in Third)
            if (w.EndsWith(suffix, StringComparison.Ordinal))
                return Measure(w[..^suffix.Length]) > 0 ? w[..^suffix.Length] + replacement : w;
        return w;
    }

    private static string Step4(string w)
    {
        foreach (var suffix in Fourth)
            if (w.EndsWith(suffix, StringComparison.Ordinal))
            {
                var stem = w[..^suffix.Length];
                return Measure(stem) > 1 && (suffix != "ion" || stem[^1] is 's' or 't') ? stem : w;
            }
        return w;
    }

    private static string Step5(string w)
    {
        if (w.EndsWith('e'))
        {
            var stem = w[..^1];
            if (Measure(stem) > 1 || (Measure(stem) == 1 && !EndsCvc(stem)))
                w = stem;
        }
        return w.EndsWith("ll", StringComparison.Ordinal) && Measure(w[..^1]) > 1 ? w[..^1] : w;
    }

    // y is a consonant at the start and after a vowel.
    private static bool IsConsonant(string w, int i) =>
        w[i] switch
        {
            'a' or 'e' or 'i' or 'o' or 'u' => false,
            'y' => i == 0 || !IsConsonant(w, i - 1),
            _ => true,
        };

    private static bool HasVowel(string w) => Enumerable.Range(0, w.Length).Any(i => !IsConsonant(w, i));

    // m: how often a run of vowels is followed by a run of consonants.
    private static int Measure(string w)
    {
        var m = 0;
        for (var i = 1; i < w.Length; i++)
            if (IsConsonant(w, i) && !IsConsonant(w, i - 1))
                m++;
        return m;
    }

    private static bool EndsCvc(string w) =>
        (
            w.Length >= 3
            && IsConsonant(w, w.Length - 3)
            && !IsConsonant(w, w.Length - 2)
            && IsConsonant(w, w.Length - 1)
            && w[^1] is not ('w' or 'x' or 'y')
        ) || (w.Length == 2 && !IsConsonant(w, 0) && IsConsonant(w, 1));
}
