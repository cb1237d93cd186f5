using System.Collections.Concurrent;
using System.Diagnostics;
using EditUnlearn.Models;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Finds the real model that goldens speak of, unpacks it where it lies packed among the original data, and loads it
/// once for all tests. Nobody may write on its weights.
/// </summary>
public static class RealModels
{
    private const string Folders = "EU_MODELS";

    private static readonly ConcurrentDictionary<string, Lazy<Checkpoint>> Loaded = new(StringComparer.Ordinal);
    private static readonly Lazy<string?> Named = new(FindName);

    /// <summary>Name of its folder; null where no manifest says it.</summary>
    public static string? Name => Named.Value;

    /// <summary>Names of the folders below <c>real</c> that hold values of forward passes.</summary>
    public static string[] Sets =>
        [
            .. Goldens
                .Files(Checkout.Goldens, "real/*/forward.json")
                .Select(f => Path.GetFileName(Path.GetDirectoryName(f))!)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Why the model cannot be had; null where it can.</summary>
    public static string? Missing() =>
        Name is not { } name ? "no manifest of the goldens names the real model"
        : Ready(name) is not null || (File.Exists(Script) && Programs.Find("xz") is not null) ? null
        : $"absent: the model {name} (set {Folders} to a folder that holds {name}/model.safetensors, "
            + "or EU_SHARED to one with data/models/unpack, which needs xz)";

    /// <summary>The model with its tokenizer and template, in float32 on the processor.</summary>
    public static Checkpoint Load() =>
        Loaded
            .GetOrAdd(
                Name ?? throw new InvalidOperationException("no manifest names the real model"),
                n => new(() => Checkpoint.Load(Folder()))
            )
            .Value;

    /// <summary>Its folder, unpacked.</summary>
    public static string Folder() =>
        (Name ?? throw new InvalidOperationException("no manifest names the real model")) is var name
        && Ready(name) is { } ready
            ? ready
            : Unpacked(name);

    private static string Script => Path.Combine(Checkout.Shared, "data", "models", "unpack");

    // The manifests that give the name of a folder; others describe the model in words.
    private static string? FindName() =>
        Goldens
            .Files(Checkout.Goldens, "real/*/untouched-answers.json")
            .Concat(Goldens.Files(Checkout.Goldens, "lora/real/*.json"))
            .Order(StringComparer.Ordinal)
            .Select(f => Goldens.Json(f))
            .Select(j => j.TryGetProperty("model", out var model) ? model.GetString() : null)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal)
            .SingleOrDefault();

    private static string? Ready(string name) =>
        Environment.GetEnvironmentVariable(Folders) is { Length: > 0 } folders
        && Path.Combine(Path.GetFullPath(folders, Checkout.Root), name) is var folder
        && File.Exists(Path.Combine(folder, "config.json"))
        && File.Exists(Path.Combine(folder, "model.safetensors"))
            ? folder
            : null;

    // A second call returns at once. The lock is for test processes that start together.
    private static string Unpacked(string name)
    {
        var to = Path.Combine(Path.GetTempPath(), $"eu-models-{Environment.UserName}");
        Directory.CreateDirectory(to);
        using var alone = Alone(Path.Combine(to, ".lock"));
        using var unpack = Process.Start(
            new ProcessStartInfo(Script, [to]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var told = unpack.StandardError.ReadToEndAsync();
        _ = unpack.StandardOutput.ReadToEnd();
        unpack.WaitForExit();
        var folder = Path.Combine(to, name);
        return unpack.ExitCode == 0 && Directory.Exists(folder)
            ? folder
            : throw new InvalidOperationException($"{Script} gave no {name}: {told.Result}");
    }

    private static FileStream Alone(string path)
    {
        for (var patience = Stopwatch.StartNew(); ; Thread.Sleep(200))
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (patience.Elapsed < TimeSpan.FromMinutes(5))
            {
                // Somebody else unpacks.
            }
    }
}
