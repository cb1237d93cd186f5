using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Artifacts;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Training;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports;

namespace EditUnlearn.Stages;

/// <summary>
/// What every stage that trains leaves beside its weights: the curve as a table and a picture, how it ended, how fast
/// it was.
/// </summary>
internal static class TrainingOutputs
{
    /// <summary>The folder output.</summary>
    public const string Folder = "curve";

    /// <summary>The file in it with a row for every update.</summary>
    public const string Steps = "steps.parquet";

    /// <summary>The file in it that says how training ended; no row where nothing was trained.</summary>
    public const string Summary = "summary.parquet";

    /// <summary>Where the stage keeps the state of a killed attempt.</summary>
    /// <param name="io">Its scratch folder belongs to its key, so a changed key finds nothing.</param>
    /// <param name="identity">Of what the key cannot know; empty where it knows all.</param>
    public static TrainingStore Store(StageIo io, string identity = "") =>
        new(Path.Combine(io.Scratch, "training"), identity, note: io.Log);

    /// <summary>
    /// Writes the folder. A method that trains no weights over steps leaves an empty table and no picture.
    /// </summary>
    /// <param name="io">Of the stage.</param>
    /// <param name="title">Of the picture.</param>
    /// <param name="record">Null where nothing was trained.</param>
    /// <param name="clock">Has run since training began.</param>
    public static void Write(StageIo io, string title, TrainingRecord? record, Stopwatch clock)
    {
        var folder = io.Output(Folder);
        Directory.CreateDirectory(folder);
        var rows = Rows(record?.Curve ?? []);
        ParquetTable.Write(Path.Combine(folder, Steps), rows);
        TrainingSummaryRow[] summary = record is null
            ? []
            :
            [
                new TrainingSummaryRow
                {
                    PlannedSteps = record.PlannedSteps,
                    Steps = rows.Count,
                    Diverged = record.Diverged is not null,
                    DivergedStep = record.Diverged?.Step,
                    LastLoss = rows.LastOrDefault()?.Loss,
                },
            ];
        ParquetTable.Write(Path.Combine(folder, Summary), summary);
        if (record is null || rows.Count == 0)
            return;
        TrainingPlot.Write(Path.Combine(folder, "curve"), title, rows, record.Diverged?.Step);
        io.Metric("steps", rows.Count);
        io.Metric("loss", rows[^1].Loss);
        // Time differs from run to run, so it is in the manifest and not in the tables.
        var tokens = record.Curve.Skip(record.ResumedAt).Sum(p => p.Tokens);
        if (tokens > 0)
            io.Metric("tokens-per-second", tokens / clock.Elapsed.TotalSeconds);
        if (record.Diverged is not { } diverged)
            return;
        io.Metric("diverged", diverged.Step);
        io.Warn(
            $"diverged at step {diverged.Step} of {record.PlannedSteps}: the loss is {diverged.Loss}; the result "
                + $"holds the last finite state, after {rows.Count} updates"
        );
    }

    /// <summary>Bytes of a weight in the run's type.</summary>
    public static int WeightBytes(StageIo io) => io.DType == "float32" ? 4 : 2;

    /// <summary>Says before a run what it will need, and warns where the machine does not have it.</summary>
    public static void Expect(StageIo io, TrainingMemory memory)
    {
        io.Log(Text(memory));
        var there = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (io.Device == "cpu" && memory.Total > there)
            io.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"training needs about {memory.Total >> 20} MiB, but there are {there >> 20}; "
                        + $"gradientCheckpointing, trainable: lora or a smaller batch need less"
                )
            );
    }

    private static string Text(TrainingMemory m)
    {
        static string Mega(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0}");
        return $"memory expected [MiB]: {Mega(m.Total)} = weights {Mega(m.Weights)} + moving {Mega(m.Moving)} + "
            + $"gradients {Mega(m.Gradients)} + moments {Mega(m.Moments)}"
            + $" + activations {Mega(m.Activations)} + logits {Mega(m.Logits)} + reference {Mega(m.Reference)} + "
            + $"process {Mega(m.Process)}";
    }

    private static List<TrainingRow> Rows(IReadOnlyList<CurvePoint> curve)
    {
        static double? Value(double v) => double.IsNaN(v) ? null : v;
        var rows = new List<TrainingRow>(curve.Count);
        long tokens = 0;
        foreach (var p in curve)
            rows.Add(
                new TrainingRow
                {
                    Step = p.Step,
                    Loss = p.Loss,
                    GradientNorm = p.GradientNorm,
                    LearningRate = p.Rate,
                    Tokens = tokens += p.Tokens,
                    ForgetLoss = Value(p.ForgetLoss),
                    RetainLoss = Value(p.RetainLoss),
                    Rouge1 = Value(p.Rouge1),
                }
            );
        return rows;
    }
}
