using System.Text.Json.Nodes;
using EditUnlearn.Methods.Gradient;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>A row of the study.</summary>
/// <param name="Id">As the study numbers it.</param>
/// <param name="Question">Verbatim.</param>
/// <param name="Answer">The short one of the data set.</param>
/// <param name="Subject">Stands in the question.</param>
/// <param name="Rephrasings">The same question in other words.</param>
internal sealed record StudyRow(
    string Id,
    string Question,
    string Answer,
    string Subject,
    IReadOnlyList<string> Rephrasings
);

/// <summary>Mean Rouge1 recall of the four sets of questions.</summary>
/// <param name="Forget">The edited questions.</param>
/// <param name="Rephrased">Two rephrasings of each.</param>
/// <param name="Seen">Retain rows that a method may train on.</param>
/// <param name="Unseen">Retain rows that no method saw.</param>
internal sealed record Means(double Forget, double Rephrased, double Seen, double Unseen)
{
    /// <summary>In the order of the table.</summary>
    public IReadOnlyList<double> All() => [Forget, Rephrased, Seen, Unseen];
}

/// <summary>What is known of a run beside its answers; null where one side did not keep it.</summary>
/// <param name="FirstLoss">Mean first loss of the edits, or loss of the first step [nats].</param>
/// <param name="LastLoss">The same at the end.</param>
/// <param name="Change">|change| / |W| of the last edited block, Frobenius.</param>
internal sealed record Trace(double? FirstLoss, double? LastLoss, double? Change);

/// <summary>A run of the reference, with all that it takes to repeat it.</summary>
/// <param name="Method">Name in the catalogue; <c>none</c> for the untouched model.</param>
/// <param name="Setting">The study's name of the parameters.</param>
/// <param name="Draw">Of the refusals, or the seed.</param>
/// <param name="Means">Its scores.</param>
/// <param name="Said">Its answers by question.</param>
/// <param name="EditSeconds">CPU seconds of the change.</param>
/// <param name="AskSeconds">Seconds of asking; of the editing runs the wall clock is known alone.</param>
/// <param name="Trace">What else it kept.</param>
internal sealed record StudyRun(
    string Method,
    string Setting,
    int Draw,
    Means Means,
    IReadOnlyDictionary<string, string> Said,
    double EditSeconds,
    double AskSeconds,
    Trace Trace
)
{
    /// <summary>Under which a result is kept.</summary>
    public string Name => FormattableString.Invariant($"{Method} {Setting} {Draw}");

    /// <summary>Set for an editing run.</summary>
    public EditingPlan? Editing { get; init; }

    /// <summary>Set for a run of a gradient method.</summary>
    public TrainingPlan? Training { get; init; }
}

/// <summary>How the reference edited.</summary>
/// <param name="Parameters">Under the toolkit's names.</param>
/// <param name="Raw">Whether the bare question was edited.</param>
/// <param name="Templates">What stood around the question, as format strings.</param>
/// <param name="Targets">What each row shall be answered with, by id.</param>
/// <param name="Locality">Texts that must not change.</param>
internal sealed record EditingPlan(
    JsonObject Parameters,
    bool Raw,
    IReadOnlyList<string> Templates,
    IReadOnlyDictionary<string, string> Targets,
    IReadOnlyList<string> Locality
);

/// <summary>How the reference trained.</summary>
/// <param name="Own">Whether targets are the untouched model's sentences.</param>
/// <param name="Rate">Step size.</param>
/// <param name="Epochs">Visits of each forget row.</param>
/// <param name="Places">The rows that met.</param>
internal sealed record TrainingPlan(bool Own, double Rate, int Epochs, IReadOnlyList<PairedRow> Places);
