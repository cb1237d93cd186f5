using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Cli.Terminal;
using Spectre.Console;

namespace EditUnlearn.Cli.Doctor;

/// <summary>A diagnosis for people, within 80 columns, and for programs.</summary>
internal static class DiagnosisView
{
    public static void Write(IAnsiConsole console, Diagnosis d)
    {
        Head(console, "Machine");
        console.Write(Machine(d.Machine));
        Head(console, $"Profile {d.Profile}: device {d.Device}, dtype {d.DType}");
        Models(console, d);
        Files(console, d);
        Stages(console, d);
        Head(
            console,
            d.ExitCode == ExitCodes.Done
                ? $"Profile {d.Profile} can run here."
                : $"Profile {d.Profile} cannot run here yet."
        );
        if (d.Work is { } work)
            console.WriteLine("  " + Words(work, d.Machine.Cores));
        foreach (var group in d.Advice.GroupBy(a => a.Command))
        {
            foreach (var advice in group)
                console.WriteLine($"  {advice.Problem}");
            // A command is to be copied, so it is not wrapped.
            console.WriteLine($"    {group.Key}");
        }
    }

    // One thread a stage: so many run side by side.
    private static string Words(WorkLine work, int cores)
    {
        if (work.Open == 0)
            return $"All of its {work.Stages} stages have a result; plan says whether one is stale.";
        var left = $"{work.Open} of its {work.Stages} stages are to be run";
        var unknown = work.Unknown > 0 ? $"; of {work.Unknown} nothing tells how long" : "";
        return work.Unknown == work.Open
            ? $"{left}; how long that takes is known once some have run here."
            : $"{left}: about {Format.Duration(TimeSpan.FromSeconds(work.Seconds / cores))} on {cores} cores{unknown}.";
    }

    private static Grid Machine(MachineFacts m)
    {
        var machine = new Grid().AddColumn(new GridColumn().Padding(2, 0, 2, 0)).AddColumn();
        void Row(string name, string value) => machine.AddRow(new Text(name), new Text(value));
        Row("system", $"{m.Platform}, {m.Cores} cores");
        Row(".NET", m.Dotnet);
        Row(
            "libtorch",
            m.LibtorchProblem is null ? $"{m.Libtorch}, one thread a process" : $"{m.Libtorch}: cannot be loaded"
        );
        Row("devices", m.Cuda ? "cpu, cuda" : "cpu");
        foreach (var gpu in m.Gpus)
            Row("", $"{gpu.Name}, {Format.Bytes(gpu.TotalBytes)}, {Format.Bytes(gpu.FreeBytes)} free");
        Row("memory", $"{Format.Bytes(m.TotalBytes)}, {Format.Bytes(m.FreeBytes)} free");
        Row(
            "disk",
            $"{Format.Bytes(m.DiskFreeBytes)} free for results, {Format.Bytes(m.CacheFreeBytes)} for the hub's cache"
        );
        Row("pdflatex", m.Latex ?? "not there");
        Row("git", m.Git ?? "not there");
        return machine;
    }

    private static void Models(IAnsiConsole console, Diagnosis d) =>
        Write(
            console,
            ["model", "folder", "stored", "loaded", ""],
            d.Models.Select(l =>
                (string[])
                    [
                        l.Name,
                        l.Place,
                        l.StoredBytes is { } s ? $"{Format.Bytes(s)} {l.StoredType}" : "",
                        l.LoadedBytes is { } b ? Format.Bytes(b) : "",
                        l.Detail ?? Word(l.Verdict),
                    ]
            )
        );

    private static void Files(IAnsiConsole console, Diagnosis d) =>
        Write(
            console,
            ["file", "bytes", ""],
            d.Files.Select(l =>
                (string[])
                    [
                        l.Path,
                        l.Bytes is { } b ? Format.Bytes(b) : "",
                        l is { Verdict: Verdict.Ok, Pinned: true } ? "as published"
                        : l.Verdict == Verdict.Damaged ? "not the published file"
                        : Word(l.Verdict),
                    ]
            )
        );

    private static void Stages(IAnsiConsole console, Diagnosis d) =>
        Write(
            console,
            ["stage", "model", "needs", "of which", "seen", ""],
            d.Stages.Select(l =>
                (string[])
                    [
                        l.Stage,
                        l.Model,
                        l.NeededBytes is { } n ? Format.Bytes(n) : "",
                        l.Mostly,
                        l.SeenBytes is { } s ? Format.Bytes(s) : "",
                        Word(l.Verdict),
                    ]
            )
        );

    public static JsonObject Json(Diagnosis d) =>
        new()
        {
            ["profile"] = d.Profile,
            ["device"] = d.Device,
            ["dtype"] = d.DType,
            ["exitCode"] = d.ExitCode,
            ["machine"] = JsonSerializer.SerializeToNode(d.Machine, Options),
            ["models"] = JsonSerializer.SerializeToNode(d.Models, Options),
            ["files"] = JsonSerializer.SerializeToNode(d.Files, Options),
            ["stages"] = JsonSerializer.SerializeToNode(d.Stages, Options),
            ["work"] = JsonSerializer.SerializeToNode(d.Work, Options),
            ["advice"] = JsonSerializer.SerializeToNode(d.Advice, Options),
        };

    private static JsonSerializerOptions Options { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
            Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        };

    private static void Head(IAnsiConsole console, string text)
    {
        console.Write(new Text(text, new Style(decoration: Decoration.Bold)));
        console.WriteLine();
    }

    private static void Write(IAnsiConsole console, string[] columns, IEnumerable<string[]> rows)
    {
        var table = new Table().Border(TableBorder.Minimal);
        foreach (var column in columns)
            table.AddColumn(
                new TableColumn(new Text(column))
                {
                    Alignment = column is "needs" or "loaded" or "bytes" or "seen" ? Justify.Right : Justify.Left,
                }
            );
        foreach (var row in rows)
            table.AddRow(row.Select(v => new Text(v)));
        if (table.Rows.Count > 0)
            console.Write(table);
    }

    private static string Word(Verdict verdict) =>
        verdict switch
        {
            Verdict.Ok => "ok",
            Verdict.Tight => "tight",
            Verdict.TooMuch => "too much",
            Verdict.Missing => "not there",
            Verdict.Damaged => "damaged",
            _ => "unknown",
        };
}
