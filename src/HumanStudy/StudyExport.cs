using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.HumanStudy;

/// <summary>Writes what raters get, and the key they must not get.</summary>
/// <remarks>docs/human-study.md lists the files. The same design gives the same bytes.</remarks>
public static partial class StudyExport
{
    /// <summary>Shown where a system said nothing.</summary>
    public const string EmptyAnswer = "(the answer is empty)";

    /// <summary>Columns of a sheet.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    ["item_code", "question", "ground_truth", "answer", "forget_quality", "entailment", "trustworthiness", "comment"];

    /// <summary>Name of a rater's sheet; the form saves under the same name.</summary>
    public static string SheetName(string rater) => $"sheet-{rater}.csv";

    /// <summary>Name of a rater's form.</summary>
    public static string FormName(string rater) => $"form-{rater}.html";

    /// <summary>Writes sheets, forms, instructions, the key and the list of raters.</summary>
    /// <param name="design">What to write.</param>
    /// <param name="folder">Must be absent or empty: a key that is overwritten makes returned sheets worthless.</param>
    /// <returns>What the organiser should know: texts that name a method or a model by themselves.</returns>
    /// <exception cref="InputException">The folder holds something.</exception>
    public static IReadOnlyList<string> Write(StudyDesign design, string folder)
    {
        ArgumentNullException.ThrowIfNull(design);
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
            throw new InputException(
                folder,
                "is not an empty folder",
                "choose another one: sheets that raters already have can only be read with the key they were made with"
            );
        Directory.CreateDirectory(folder);
        foreach (var (rater, items) in design.Sheets)
        {
            SheetCsv.Write(
                Path.Combine(folder, SheetName(rater)),
                items
                    .Select(i =>
                        (IReadOnlyList<string>)
                            [i.Code, i.Answer.Question, i.Answer.GroundTruth, Shown(i.Answer.Answer), "", "", "", ""]
                    )
                    .Prepend(Columns)
            );
            File.WriteAllText(Path.Combine(folder, FormName(rater)), RatingForm.Html(rater, items));
        }
        File.WriteAllText(Path.Combine(folder, "instructions.md"), RatingForm.Resource("instructions.md"));
        SheetCsv.Write(
            Path.Combine(folder, "raters.csv"),
            design
                .Sheets.Select(s => (IReadOnlyList<string>)[s.Key, "", "", "", ""])
                .Prepend(["rater_id", "age_band", "gender", "education", "consent"])
        );
        StudyKey.Of(design).Write(Path.Combine(folder, StudyKey.FileName));
        return Revealing(design);
    }

    internal static string Shown(string answer) => answer.Length == 0 ? EmptyAnswer : answer;

    // An answer that says "I am Llama" cannot be made blind without changing it; the organiser should at least know.
    private static List<string> Revealing(StudyDesign design)
    {
        var names = design
            .Groups.SelectMany(g => (string[])[g.Value.System.Method, g.Value.System.Model, g.Value.System.Variant])
            .Where(n => n.Length > 1)
            .Distinct(StringComparer.OrdinalIgnoreCase)
            .ToList();
        return
        [
            .. from item in design.Items
            let words = Word()
                .Matches(item.Answer.Answer)
                .Select(m => m.Value)
                .ToHashSet(StringComparer.OrdinalIgnoreCase)
            from name in names
            where
                words.Contains(name)
                && !item.Answer.GroundTruth.Contains(name, StringComparison.OrdinalIgnoreCase)
                && !item.Answer.Question.Contains(name, StringComparison.OrdinalIgnoreCase)
            select $"item {item.Code} ({item.Answer.Id}): the answer itself says '{name}'",
        ];
    }

    [GeneratedRegex(@"[\p{L}\p{N}]+(?:[-_.][\p{L}\p{N}]+)*")]
    private static partial Regex Word();
}
