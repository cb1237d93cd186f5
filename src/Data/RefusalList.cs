using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>Refusals taken from a list.</summary>
public static class RefusalList
{
    /// <summary>The source of a target that was drawn from a list.</summary>
    public const string Source = "list";

    /// <summary>The list as rows, in its order.</summary>
    public static List<ChoiceRow> Rows(IReadOnlyList<string> refusals) =>
        [.. refusals.Select(r => new ChoiceRow { Text = r })];

    /// <summary>
    /// The whole list for every question whose target was drawn from it; what the others have is their own.
    /// </summary>
    /// <param name="targets">Of the questions.</param>
    /// <param name="refusals">The list.</param>
    public static Dictionary<string, IReadOnlyList<string>> Choices(
        IEnumerable<TargetRow> targets,
        IReadOnlyList<string> refusals
    ) => targets.Where(t => t.Source == Source).ToDictionary(t => t.Id, _ => refusals, StringComparer.Ordinal);

    /// <summary>A refusal of a list for every question, each equally likely.</summary>
    /// <param name="ids">Of the questions, in order.</param>
    /// <param name="refusals">The list.</param>
    /// <param name="seed">Of the draws.</param>
    public static List<TargetRow> Draw(IReadOnlyList<string> ids, IReadOnlyList<string> refusals, Seed seed)
    {
        var draw = seed.Stream("refusal");
        return
        [
            .. ids.Select(id => new TargetRow
            {
                Id = id,
                Target = draw.Pick(refusals),
                Source = Source,
            }),
        ];
    }
}
