using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>Says what a folder is that somebody took for a model's.</summary>
internal static class FolderKind
{
    /// <summary>The refusal of a folder without a config.</summary>
    /// <param name="config">Where its config would be.</param>
    public static InputException NotAModel(string config)
    {
        var folder = Path.GetDirectoryName(config)!;
        bool Holds(string name) => File.Exists(Path.Combine(folder, name));
        if (Holds("patch.json"))
            return new InputException(
                folder,
                "is a patch of this program, not a model",
                $"--model MODEL --patch {folder}"
            );
        if (Holds("adapter_config.json"))
            return new InputException(
                folder,
                "is an adapter (LoRA), not a model",
                $"--model BASE --adapter {folder}; or merge it: model convert --model BASE --adapter {folder} --out DIR"
            );
        if (Directory.Exists(folder) && Directory.EnumerateDirectories(folder).FirstOrDefault(IsModel) is { } inner)
            return new InputException(
                config,
                "there is no such file",
                $"a model folder lies inside it: {inner}"
            );
        return new InputException(
            config,
            "there is no such file",
            "a model folder holds config.json beside its safetensors"
        );
    }

    private static bool IsModel(string folder) => File.Exists(Path.Combine(folder, ConfigFile.Name));
}
