using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>How a study is laid out (docs/human-study.md).</summary>
public sealed record StudyOptions
{
    /// <summary>Names of the raters, as they appear in file names.</summary>
    public IReadOnlyList<string> Raters { get; init; } = Numbered(20);

    /// <summary>Questions to show; null for all.</summary>
    public int? Items { get; init; }

    /// <summary>Raters of every item; null when everyone rates all (<c>full</c>).</summary>
    public int? RatersPerItem { get; init; }

    /// <summary>Attention items of a sheet: true answers and ideal refusals by turns.</summary>
    public int Attention { get; init; } = 2;

    /// <summary>Of every draw.</summary>
    public Seed Seed { get; init; } = new(17);

    /// <summary>What item codes are salted with; null to draw it.</summary>
    public string? Salt { get; init; }

    /// <summary>Of the answers; for the key.</summary>
    public string Split { get; init; } = SplitNames.Forget;

    /// <summary><c>full</c> or <c>balanced(3)</c>.</summary>
    public string Assignment =>
        RatersPerItem is { } r ? string.Create(CultureInfo.InvariantCulture, $"balanced({r})") : "full";

    /// <summary><c>r01</c>, <c>r02</c> and so on.</summary>
    public static IReadOnlyList<string> Numbered(int count) =>
        [
            .. Enumerable
                .Range(1, Math.Max(count, 0))
                .Select(i => string.Create(CultureInfo.InvariantCulture, $"r{i:00}")),
        ];

    /// <summary>What is wrong with these options, with names as on the command line.</summary>
    public IEnumerable<InputProblem> Problems()
    {
        InputProblem Wrong(string option, string message, string? hint = null) => new(option, 0, 0, message, hint);
        if (Raters.Count is < 1 or > 500)
            yield return Wrong("--raters", $"names {Raters.Count} raters, not between 1 and 500");
        foreach (var twice in Raters.GroupBy(r => r, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
            yield return Wrong("--raters", $"names '{twice.Key}' twice");
        foreach (var bad in Raters.Where(r => !IsRater(r)))
            yield return Wrong(
                "--raters",
                $"'{bad}' is not a name for a rater",
                "letters, digits, '-' and '_', at most 40; better r01 than a person's name"
            );
        if (Items < 1)
            yield return Wrong("--items", $"must be at least 1, not {Items}");
        if (RatersPerItem is { } r && (r < 1 || r > Raters.Count))
            yield return Wrong("--assignment", $"balanced({r}) needs between 1 and {Raters.Count} raters for an item");
        if (Attention < 0)
            yield return Wrong("--attention", $"must be at least 0, not {Attention}");
        if (Salt is { Length: 0 })
            yield return Wrong("--salt", "is empty", "leave it out to have one drawn");
    }

    internal static bool IsRater(string name) =>
        name.Length is > 0 and <= 40 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
