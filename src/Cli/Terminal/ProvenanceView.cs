using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Cli.Commands;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using Status = EditUnlearn.Pipeline.Status;

namespace EditUnlearn.Cli.Terminal;

/// <summary>
/// Where a number of a table comes from: every result between it and the model, with all that made it.
/// </summary>
internal static class ProvenanceView
{
    private const string Score = "score";

    /// <summary>Whether a target of <c>show</c> names a number of a table: <c>table1[ROME,llama2,...]</c>.</summary>
    public static bool IsNumber(string target) =>
        target.StartsWith("table", StringComparison.Ordinal)
        && target.Contains('[', StringComparison.Ordinal)
        && char.IsAsciiDigit(target["table".Length]);

    /// <summary>Prints it.</summary>
    /// <param name="study">The study.</param>
    /// <param name="target">The number's name, as tables and <c>check</c> say it.</param>
    /// <param name="json">One JSON object instead of text.</param>
    /// <exception cref="InputException">No table has such a number, or its results are stale.</exception>
    public static void Print(Study study, string target, bool json)
    {
        var (number, table) = Number(study, target);
        var status = Status.Of(study.Plan, study.Store, study.Keys).ToDictionary(s => s.Cell.Id);
        var scores = Targets
            .WithUpstream(study.Plan, [table])
            .Where(c => c.Stage.Info.Name == Score && Belongs(study.Plan, c.Id, number))
            .ToList();
        // From the number down to the model, the nearest first.
        var steps = Targets
            .WithUpstream(study.Plan, scores)
            .Reverse()
            .Prepend(table)
            .Select(c => (Cell: c, Manifest: study.Store.ReadManifest(status[c.Id].Key!)!))
            .ToList();
        if (json)
            InspectCommands.PrintJson(
                new JsonObject
                {
                    ["number"] = number.Name,
                    ["value"] = number.Value,
                    ["standardError"] = number.StandardError,
                    ["questions"] = number.Count,
                    ["metric"] = number.Variant,
                    ["steps"] = new JsonArray([.. steps.Select(s => ToJson(s.Cell, s.Manifest))]),
                }
            );
        else
            Write(number, steps);
    }

    private static (TableCell Number, Cell Table) Number(Study study, string target)
    {
        var cut = target.LastIndexOf('@');
        var (name, profile) = cut > 0 ? (target[..cut], target[(cut + 1)..]) : (target, "strict");
        var known = new List<string>();
        foreach (var table in study.Plan.Cells.Where(c => c.Stage.Info.Name == "tables"))
        {
            var cells = ParquetTable.Read<TableCell>(TableResults.FileOf(study, table, "cells.parquet"));
            if (cells.FirstOrDefault(c => c.Name == name && c.Profile == profile) is { } found)
                return found.Value is null
                    ? throw new InputException(target, "was not computed", "the study does not run this cell")
                    : (found, table);
            known.AddRange(cells.Where(c => c.Value is not null).Select(c => c.Name));
        }
        throw new InputException(
            target,
            "no table has such a number",
            Spelling.Nearest(name, known.Distinct()) is { } near ? $"did you mean '{near}'?" : "see tables/table1.csv"
        );
    }

    // A repeat of a model with another seed stands under the name of the model.
    private static bool Belongs(Plan plan, CellId score, TableCell number) =>
        score.Axis("set") == number.Set
        && score.Axis("method") == number.Method
        && (
            score.Axis("model") == number.Model
            || plan.Settings.Any(s =>
                s.Path == $"models.{score.Axis("model")}.repeats" && s.Value?.ToString() == number.Model
            )
        );

    private static JsonObject ToJson(Cell cell, Manifest m) =>
        new()
        {
            ["cell"] = cell.Id.Text,
            ["key"] = m.Key,
            ["code"] = m.Code,
            ["commit"] = m.Commit,
            ["dirty"] = m.Dirty,
            ["seed"] = m.Seed,
            ["device"] = m.Device ?? DeviceNames.Cpu,
            ["dtype"] = m.DType,
            ["numerics"] = m.Numerics,
            ["threads"] = m.Threads,
            ["started"] = m.Started,
            ["ended"] = Ended(m),
            ["seconds"] = m.Seconds,
            ["cpuSeconds"] = m.CpuSeconds,
            ["peakBytes"] = m.PeakBytes,
            ["machine"] = new JsonObject(m.Versions.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value))),
            ["surroundings"] = new JsonObject(
                m.Surroundings.Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value))
            ),
            ["parameters"] = OriginView.ToJson(OriginView.Of(cell)),
            ["inputs"] = new JsonArray([
                .. m.Inputs.Select(i => new JsonObject
                {
                    ["name"] = i.Name,
                    ["source"] = i.Source,
                    ["hash"] = i.Hash,
                }),
            ]),
        };

    private static void Write(TableCell number, IReadOnlyList<(Cell Cell, Manifest Manifest)> steps)
    {
        Console.Out.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{number.Name} = {number.Value:0.0000} (+- {number.StandardError:0.0000}, {number.Count} questions, "
                    + $"{number.Variant})"
            )
        );
        foreach (var (cell, m) in steps)
        {
            var compute = m.Device is null ? "processor" : $"{m.Device} {m.DType} {m.Numerics}";
            Console.Out.WriteLine($"\n{cell.Id}");
            Line("key", m.Key);
            Line("code", m.Code);
            Line("commit", m.Commit is null ? "no git" : $"{m.Commit}{(m.Dirty == true ? ", with changes" : "")}");
            Line("seed", m.Seed is { } seed ? seed.ToString(CultureInfo.InvariantCulture) : "none");
            Line("computed", $"{compute}, {m.Threads} threads");
            Line("machine", string.Join(", ", m.Versions.Select(v => $"{v.Key} {v.Value}")));
            foreach (var (name, value) in m.Surroundings)
                Line(name, value);
            Line(
                "time",
                $"{m.Started} to {Ended(m)}, {Format.Duration(TimeSpan.FromSeconds(m.Seconds))}, at most "
                    + Format.Bytes(m.PeakBytes)
            );
            foreach (var input in m.Inputs)
                Line("input", $"{input.Name}: {input.Source} {input.Hash}");
            foreach (var p in OriginView.Of(cell))
                Line("value", $"{p.Option} = {p.Value} ({p.Origin})");
        }
    }

    private static void Line(string name, string text) => Console.Out.WriteLine($"  {name,-9} {text}");

    private static string Ended(Manifest m) =>
        DateTimeOffset.TryParse(
            m.Started,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var started
        )
            ? started.AddSeconds(m.Seconds).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)
            : "unknown";
}
