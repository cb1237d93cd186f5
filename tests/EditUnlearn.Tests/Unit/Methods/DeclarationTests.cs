using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>What a method's file declares is said once, and no key follows the declaration itself.</summary>
public sealed class DeclarationTests
{
    public static TheoryData<string> Methods => [.. MethodCatalog.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_preset_holds_only_what_differs_from_what_lies_below(string method)
    {
        var entry = MethodCatalog.Find(method)!;
        foreach (var family in (string?[])[null, .. entry.Families.Select(f => f.Family)])
            foreach (var preset in entry.PresetNames)
                foreach (var option in OptionStack.Of(entry, preset, family).Values)
                    if (option.Overridden.Count > 0)
                        Assert.False(
                            JsonNode.DeepEquals(option.InForce.Value, option.Overridden[0].Value),
                            $"{option.InForce.Layer} of {method} repeats {option.Path}"
                        );
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_preset_and_family_binds_and_says_where_it_comes_from(string method)
    {
        var entry = MethodCatalog.Find(method)!;
        Assert.Equal(entry.PresetNames, entry.PresetNames.Distinct());
        Assert.All(entry.Presets, p => Assert.NotEmpty(p.Origin));
        Assert.All(entry.Families, f => Assert.NotEmpty(f.Origin));
        foreach (var family in (string?[])[null, .. entry.Families.Select(f => f.Family)])
            foreach (var preset in entry.PresetNames)
            {
                Assert.NotNull(OptionStack.Of(entry, preset, family).Bind(out var problems));
                Assert.Empty(problems);
            }
    }

    [Fact]
    public void The_paper_has_nine_methods_and_names_and_labels_are_unique()
    {
        Assert.Equal(
            ["GA", "GD", "KL", "DPO", "ROME", "MEMIT", "GRACE", "WISE", "AlphaEdit"],
            MethodCatalog.All.Where(m => m.InPaper).Select(m => m.Label)
        );
        Assert.Equal(MethodCatalog.All.Count, MethodCatalog.All.Select(m => m.Name).Distinct().Count());
        Assert.Equal(MethodCatalog.All.Count, MethodCatalog.All.Select(m => m.Label).Distinct().Count());
    }

    [Fact]
    public void No_code_identity_of_a_method_follows_its_declaration()
    {
        using var folder = new TemporaryFolder();
        var code = new CodeIdentity(AppContext.BaseDirectory, folder["code.json"]);
        foreach (var entry in MethodCatalog.All)
        {
            var parts = code.PartsOf(code.Of([entry.Method, entry.Options]))!;
            Assert.Contains(entry.Method.FullName!, parts.Keys);
            Assert.DoesNotContain(typeof(MethodEntry).FullName!, parts.Keys);
            Assert.DoesNotContain(typeof(MethodPreset).FullName!, parts.Keys);
        }
    }
}
