using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Models;

/// <summary>Configs as two versions of the published library write them say the same.</summary>
[Trait("Category", "Golden")]
public sealed class FamilyConfigGoldenTests
{
    private const string Folders = "families/models/*";
    private const string Newer = "config.transformers5.json";

    public static TheoryData<string> Models() =>
        [
            .. Goldens
                .Files(Checkout.Goldens, Folders)
                .Where(f => File.Exists(Path.Combine(f, Newer)))
                .Select(f => Path.GetFileName(f)!)
                .Order(StringComparer.Ordinal),
        ];

    [GoldenTheory(Folders)]
    [MemberData(nameof(Models))]
    public void Old_and_new_configs_are_one(string name)
    {
        var folder = Goldens.At("families", "models", name);
        var (config, stored) = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name));
        using var copy = new TemporaryFolder();
        foreach (var file in new[] { GenerationFile.Name }.Where(f => File.Exists(Path.Combine(folder, f))))
            File.Copy(Path.Combine(folder, file), copy[file]);
        File.Copy(Path.Combine(folder, Newer), copy[ConfigFile.Name]);
        var newer = ConfigFile.Read(copy[ConfigFile.Name]);
        Assert.Equal(stored, newer.StoredType);
        Same(config, newer.Config);
        Assert.Null(ConfigFile.Note(copy[ConfigFile.Name]));
        // And so does the one that this program writes.
        ConfigFile.Write(copy[ConfigFile.Name], config, stored);
        Same(config, ConfigFile.Read(copy[ConfigFile.Name]).Config);
    }

    private static void Same(ModelConfig expected, ModelConfig actual)
    {
        Assert.Equal(expected.EosIds, actual.EosIds);
        Assert.Equal(expected.StopIds, actual.StopIds);
        Assert.Equal(
            expected,
            actual with
            {
                EosIds = expected.EosIds,
                GenerationEosIds = expected.GenerationEosIds,
            }
        );
    }
}
