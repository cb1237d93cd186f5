using System.Globalization;

namespace EditUnlearn.Reports;

/// <summary>What a forget set is: the columns that describe it, and the words for it in print.</summary>
/// <param name="Name">Of the study: <c>facts-40</c>.</param>
/// <param name="Data">Where its questions were taken from: <c>facts</c>, <c>contracts</c>, or data of one's own; empty
/// where nobody said.</param>
/// <param name="Size">Questions to be forgotten; null where that is known only after they were read.</param>
/// <param name="Target">Refusals: <c>plain</c> or <c>self-improved</c>.</param>
/// <param name="Merge">Questions merged into one before the edit; 1 for none.</param>
/// <param name="Unseen">Share of the kept questions that no method has seen; 0 where methods may train on all.</param>
public sealed record StudySet(
    string Name,
    string Data,
    int? Size,
    string Target = StudySet.Plain,
    int Merge = 1,
    double Unseen = 0
)
{
    /// <summary>Refusals from a list.</summary>
    public const string Plain = "plain";

    /// <summary>Refusals in the model's own words.</summary>
    public const string SelfImproved = "self-improved";

    /// <summary>The name of a set of the paper, whose numbers come without one.</summary>
    public static string NameOf(string data, int size, string target, int merge) =>
        string.Create(CultureInfo.InvariantCulture, $"{data}-{size}")
        + (
            merge > 1 ? string.Create(CultureInfo.InvariantCulture, $"-by-{merge}")
            : target == SelfImproved ? "-model"
            : ""
        );

    /// <summary><c>40 facts</c>, <c>10 questions of capitals</c>; the name where data or size are not known.</summary>
    public string InWords =>
        Size is not { } n
            ? Name
            : Data switch
            {
                "" => Name,
                "facts" => string.Create(CultureInfo.InvariantCulture, $"{n} facts"),
                "contracts" => string.Create(CultureInfo.InvariantCulture, $"{n} contract questions"),
                _ => string.Create(CultureInfo.InvariantCulture, $"{n} questions of {Data}"),
            };

    /// <summary>
    /// Above its rows: where the knowledge comes from, as far as the paper has words for it; else the data.
    /// </summary>
    public string Heading =>
        Data switch
        {
            "" => Name,
            "facts" => "Facts (knowledge from pretraining)",
            "contracts" => "Contracts (knowledge from finetuning)",
            _ => char.ToUpperInvariant(Data[0]) + Data[1..],
        };
}
