using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// kill -9 in the middle of pretraining, finetuning and unlearning: the next run goes on where it was and ends with the
/// same bytes.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class TrainingKillTests
{
    private static readonly string[] Trained =
    [
        "pretrain/llama2/model/model.safetensors",
        "pretrain/llama2/curve/steps.parquet",
        "finetune/llama2,contracts/model/model.safetensors",
        "apply/llama2,facts-4,ga/patch/patch.safetensors",
    ];

    [Fact]
    public void Killed_at_two_steps_training_ends_with_the_same_bytes() => Kill(2, steps: 30);

    [SlowFact("twenty processes are started, killed and started again")]
    [Trait("Category", "Slow")]
    public void Killed_at_twenty_random_steps_training_ends_with_the_same_bytes() => Kill(20, steps: 200);

    private static void Kill(int times, int steps)
    {
        using var whole = new Tool();
        using (var process = Start(whole, steps))
            Finish(process);
        using var killed = new Tool();
        var draw = new Seed((ulong)times).Stream("kill");
        var resumed = 0;
        for (var i = 0; i < times; i++)
        {
            // From the first stored state of whichever stage runs, some steps on; every attempt gets a little further.
            var wanted = 1 + draw.Below(Math.Max(1, steps / 2));
            using var process = Start(killed, steps);
            while (!process.HasExited && !Stored(killed["artifacts/.store/scratch"]).Any(s => s >= wanted))
                Thread.Sleep(2);
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            resumed += Logs(killed).Count(l => l.Contains("going on after step", StringComparison.Ordinal));
        }
        using (var process = Start(killed, steps))
            Finish(process);
        resumed += Logs(killed).Count(l => l.Contains("going on after step", StringComparison.Ordinal));
        Assert.True(resumed > 0, "no attempt found the state of the one before");
        foreach (var file in Trained)
            Assert.True(
                File.ReadAllBytes(whole["artifacts/" + file])
                    .SequenceEqual(File.ReadAllBytes(killed["artifacts/" + file])),
                file
            );
        Assert.Empty(Directory.EnumerateFileSystemEntries(killed["artifacts/.store/scratch"]));
    }

    private static Process Start(Tool tool, int steps)
    {
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll"),
            "repro",
            "finetune",
            "apply[llama2,facts-4,ga]",
            "--profile",
            "smoke",
            "--set",
            string.Create(CultureInfo.InvariantCulture, $"pretrain.steps={steps}"),
            "--set",
            "pretrain.batch=8",
        ];
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = Path.GetDirectoryName(tool["pipeline.yaml"])!,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["EU_CHECKPOINT_STEPS"] = "1";
        var process = Process.Start(start)!;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return process;
    }

    private static void Finish(Process process)
    {
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    // Steps of the states that running stages have stored.
    private static IEnumerable<int> Stored(string scratch)
    {
        if (!Directory.Exists(scratch))
            yield break;
        foreach (
            var file in Directory.EnumerateDirectories(scratch).Select(d => Path.Combine(d, "training", "latest.json"))
        )
        {
            int step;
            try
            {
                if (!File.Exists(file))
                    continue;
                using var json = JsonDocument.Parse(File.ReadAllBytes(file));
                step = json.RootElement.GetProperty("Step").GetInt32();
            }
            catch (Exception e) when (e is IOException or JsonException)
            {
                continue; // being replaced at this instant
            }
            yield return step;
        }
    }

    private static IEnumerable<string> Logs(Tool tool)
    {
        var folder = tool["artifacts/.store/logs"];
        return Directory.Exists(folder) ? Directory.EnumerateFiles(folder).SelectMany(File.ReadLines) : [];
    }
}
