using EditUnlearn.Artifacts;
using EditUnlearn.Foundation;

namespace EditUnlearn.Data;

/// <summary>Refusals taken from a list.</summary>
public static class RefusalList
{
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
                Source = "list",
            }),
        ];
    }
}
