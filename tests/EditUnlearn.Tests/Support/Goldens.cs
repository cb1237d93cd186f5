using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Support;

/// <summary>
/// Finds reference values by what a folder holds and what its manifests say; no name of a case or a model stands in a
/// test.
/// </summary>
public static class Goldens
{
    /// <summary>A path below the folder in use.</summary>
    public static string At(params string[] parts) => Path.Combine([Checkout.Goldens, .. parts]);

    /// <summary>
    /// Names without ending of the files of a part that have that ending; none where the part is absent.
    /// </summary>
    public static string[] Cases(string part, string ending = ".json") =>
        [
            .. Files(Checkout.Goldens, part + "/*" + ending)
                .Select(f => Path.GetFileNameWithoutExtension(f)!)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Why a test cannot run on the folder in use; null where it can.</summary>
    /// <param name="path">A file or folder below it; the last part may hold <c>*</c>.</param>
    public static string? Missing(string path) =>
        Files(Checkout.Goldens, path).Any()
            ? null
            : $"{Checkout.NameOf(Checkout.Goldens)} does not hold {path} (set EU_GOLDENS to a folder that does)";

    /// <summary>Files and folders that a path stands for; its parts may hold <c>*</c>.</summary>
    public static IEnumerable<string> Files(string folder, string path) =>
        path.Split('/', StringSplitOptions.RemoveEmptyEntries)
            .Aggregate(
                (IEnumerable<string>)[folder],
                (found, part) =>
                    found.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFileSystemEntries(f, part))
            );

    /// <summary>A file of JSON.</summary>
    public static JsonElement Json(params string[] parts) =>
        JsonDocument.Parse(File.ReadAllBytes(At(parts))).RootElement;

    /// <summary>A file of tensors.</summary>
    public static SafetensorsFile Values(params string[] parts) => SafetensorsFile.Open(At(parts));

    /// <summary>The checkpoint that a manifest names.</summary>
    /// <param name="manifest">Of the values.</param>
    /// <param name="part">Where <c>models</c> lies.</param>
    public static string ModelFolder(JsonElement manifest, string part = "") =>
        At(part, "models", manifest.GetProperty("model").GetString()!);

    /// <summary>The model that a manifest names.</summary>
    public static CausalLm Model(JsonElement manifest) => WeightFolder.Load(ModelFolder(manifest), CPU);

    /// <summary>
    /// The model that a manifest names; where it names none, the checkpoint that gives the recorded values back.
    /// </summary>
    /// <param name="manifest">Of the values.</param>
    /// <param name="gives">Whether a model gives them back; asked only where the vocabulary has the right size.</param>
    /// <param name="vocabulary">Of the model that was recorded.</param>
    public static CausalLm Model(JsonElement manifest, Func<CausalLm, bool> gives, long vocabulary)
    {
        if (manifest.TryGetProperty("model", out _))
            return Model(manifest);
        foreach (var folder in Files(Checkout.Goldens, "models/*").Order(StringComparer.Ordinal))
        {
            if (Readable(folder) is not { } model)
                continue;
            if (model.Config.VocabSize == vocabulary && gives(model))
                return model;
            model.Dispose();
        }
        throw new InvalidOperationException($"no checkpoint of {At("models")} gives the recorded values back");
    }

    /// <summary>A list of ids.</summary>
    public static int[] Ints(JsonElement e) => [.. e.EnumerateArray().Select(x => x.GetInt32())];

    // A set may hold checkpoints of families that are not supported here.
    private static CausalLm? Readable(string folder)
    {
        try
        {
            return WeightFolder.Load(folder, CPU);
        }
        catch (InputException)
        {
            return null;
        }
    }
}
