using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>The pinned originals of the study.</summary>
public sealed class SourceCatalogTests
{
    private static SourceCatalog Catalog { get; } =
        SourceCatalog.Read(Path.Combine(Checkout.Root, SourceCatalog.FileName));

    [Fact]
    public void Every_pinned_file_is_served_at_a_commit()
    {
        var files = Catalog.Sources.SelectMany(s => s.Files ?? []).ToList();
        Assert.Equal(5, files.Count);
        Assert.All(
            files,
            f =>
                Assert.Matches("^https://raw\\.githubusercontent\\.com/[\\w-]+/[\\w-]+/[0-9a-f]{40}/", f.Url.ToString())
        );
        Assert.All(
            Catalog.Sources.Where(s => s.Repository is not null),
            s => _ = RepositoryId.Parse(RepositoryType.Model, s.Repository!)
        );
    }

    [Theory]
    [InlineData("tofu/real_authors_perturbed.json")]
    [InlineData("tofu/world_facts_perturbed.json")]
    [InlineData("tofu/idontknow.jsonl")]
    [InlineData("pistol/pistol_sample1.json")]
    [InlineData("pistol/pistol_sample2.json")]
    public void Every_pinned_file_is_the_subject_of_a_test(string path) =>
        Assert.Contains(Catalog.Sources, s => s.Files?.Any(f => f.Path == path) == true);

    [SharedFact("data/tofu-factual")]
    public void The_copies_of_the_originals_hash_to_what_is_pinned()
    {
        var copies = Directory
            .EnumerateFiles(Path.Combine(Checkout.Shared, "data"), "*.json*", SearchOption.AllDirectories)
            .ToLookup(f => Path.GetFileName(f), StringComparer.Ordinal);
        foreach (var file in Catalog.Sources.SelectMany(s => s.Files ?? []))
        {
            var copy = Assert.Single(copies[Path.GetFileName(file.Path)]);
            var content = File.ReadAllBytes(copy);
            Assert.Equal((file.Bytes, file.Sha256), (content.LongLength, HubServer.Sha256(content)));
        }
    }

    [Theory]
    [InlineData("\"sha256\": \"a", "\"sha256\": \"", "has no SHA-256")]
    [InlineData("\"path\": \"tofu/", "\"path\": \"../tofu/", "leaves its folder")]
    [InlineData("https://raw", "file://raw", "has no address")]
    [InlineData("\"licence\"", "\"license\"", "not a valid list of sources")]
    [InlineData("\"folder\": \"checkpoints/llama2\"", "\"folder\": \"/llama2\"", "needs a folder inside inputs")]
    public void A_mistake_in_the_catalogue_is_named(string right, string wrong, string expected)
    {
        using var folder = new TemporaryFolder();
        var text = File.ReadAllText(Path.Combine(Checkout.Root, SourceCatalog.FileName));
        Assert.Contains(right, text, StringComparison.Ordinal);
        File.WriteAllText(folder["sources.json"], text.Replace(right, wrong, StringComparison.Ordinal));
        Assert.Contains(
            expected,
            Assert.Throws<InputException>(() => SourceCatalog.Read(folder["sources.json"])).Message,
            StringComparison.Ordinal
        );
    }
}
