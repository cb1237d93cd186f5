using System.Text.Json.Nodes;
using EditUnlearn.Models.Estimates;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>What a run would do.</summary>
/// <param name="Label">Of the method.</param>
/// <param name="Family">Whose hyperparameters.</param>
/// <param name="OwnFamily">Of the model.</param>
/// <param name="Blocks">Of the model.</param>
/// <param name="Preset">Its name.</param>
/// <param name="Options">All in force.</param>
/// <param name="Edits">Requests or rows to forget.</param>
/// <param name="Asked">Questions before, and again after.</param>
/// <param name="Makes">Statistics that are not there yet.</param>
/// <param name="Memory">Of the phase that holds most.</param>
/// <param name="Seconds">Of each part.</param>
/// <param name="Rate">Operations a second they are reckoned with.</param>
/// <param name="WeightBytes">Of the checkpoint on disk.</param>
public sealed record ApplyPlan(
    string Label,
    string Family,
    string OwnFamily,
    int Blocks,
    string Preset,
    JsonObject Options,
    int Edits,
    int Asked,
    IReadOnlyList<string> Makes,
    MemoryEstimate Memory,
    IReadOnlyList<(string Part, double Seconds)> Seconds,
    double Rate,
    long WeightBytes
);
