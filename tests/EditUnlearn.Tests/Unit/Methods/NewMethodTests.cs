using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Tests.Properties.Methods;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>
/// What a new method costs: one file and one line. The file is the class <see cref="Shrinking"/> below, the line is
/// the last of <see cref="Catalogue"/>.
/// </summary>
public sealed class NewMethodTests
{
    private static readonly IReadOnlyList<MethodEntry> Catalogue = [.. MethodCatalog.All, Shrinking.Declaration.Entry];

    /// <summary>Shrinks one memory: a method that nobody but this test has.</summary>
    internal sealed class Shrinking(Shrinking.Options options) : IMethod
    {
        internal sealed record Options
        {
            /// <summary>The block, 0-based. Origin: this test.</summary>
            public int Layer { get; init; } = 2;

            /// <summary>What its weights are multiplied with. Origin: this test.</summary>
            public double Factor { get; init; } = 0.5;
        }

        [CodeBoundary]
        internal static class Declaration
        {
            public static MethodEntry Entry { get; } =
                MethodEntry.Of<Shrinking, Options>(
                    "shrink",
                    "Shrink",
                    MethodKind.Unlearning,
                    o => new Shrinking(o)
                ) with
                {
                    InPaper = false,
                    Presets = [new("hard", "this test", new JsonObject { ["factor"] = 0.1 })],
                };
        }

        public Needs Needs => Needs.RetainSet;

        public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed)
        {
            if (inputs.Retain.Count == 0)
                throw new ArgumentException("Shrink needs retain rows.", nameof(inputs));
            using var quiet = no_grad();
            var name = CausalLm.DownProjName(options.Layer);
            return new WeightPatch([new(name, new FullChange(model.Weight(name) * options.Factor))]);
        }
    }

    [Fact]
    public void It_binds_with_its_presets_and_its_mistakes_are_named()
    {
        (MethodEntry Entry, object Options)? Bind(
            string name,
            string preset,
            string? options,
            out IReadOnlyList<OptionProblem> problems
        ) =>
            MethodCatalog.Bind(
                Catalogue,
                name,
                preset,
                options is null ? null : JsonNode.Parse(options)!.AsObject(),
                out problems
            );
        var bound = Bind("shrink", "hard", """{"layer":1}""", out _)!.Value;
        Assert.Equal(new Shrinking.Options { Layer = 1, Factor = 0.1 }, bound.Options);
        Assert.Equal(Needs.RetainSet, bound.Entry.Needs(bound.Options));
        Assert.NotNull(Bind("shrink", "corrected", null, out _));
        Assert.Null(Bind("shrinc", "hard", null, out var problems));
        Assert.Equal("did you mean 'shrink'?", problems[0].Hint);
        Assert.Null(Bind("shrink", "hardd", """{"facter":1}""", out problems));
        Assert.Equal(["preset", "options.facter"], problems.Select(p => p.Path));
    }

    [Fact]
    public void It_obeys_the_contract_of_all_methods_as_it_stands()
    {
        var method = MethodContract.Make(Shrinking.Declaration.Entry);
        MethodContract.RestoresAndRepeats(method);
        MethodContract.SavesAndLoads(method);
        MethodContract.LeavesNoTensor(method);
        MethodContract.NeedsWhatItSays(method);
    }

    // Reports name methods too, where they speak of what the paper claims about them.
    [Fact]
    public void A_method_is_named_in_its_own_file_and_in_one_line_of_the_catalogue_alone()
    {
        var sources = Directory
            .EnumerateFiles(Path.Combine(Checkout.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(f =>
                !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            )
            .ToDictionary(f => Path.GetRelativePath(Checkout.Root, f).Replace('\\', '/'), File.ReadAllLines);
        foreach (var entry in MethodCatalog.All)
        {
            var name = entry.Method.Name;
            Assert.Contains($"src/Methods/{name}.cs", sources.Keys);
            var named = new Regex($@"\b{name}\.(Options|Declaration)\b|\bnew {name}\(");
            var places = sources
                .Where(s =>
                    !s.Key.StartsWith("src/Methods/", StringComparison.Ordinal)
                    || s.Key.EndsWith("Catalog.cs", StringComparison.Ordinal)
                )
                .SelectMany(s => s.Value.Where(l => named.IsMatch(l)).Select(_ => s.Key));
            Assert.Equal(["src/Methods/MethodCatalog.cs"], places);
        }
    }
}
