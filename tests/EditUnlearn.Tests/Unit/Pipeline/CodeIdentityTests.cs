using System.Runtime.Loader;
using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>What an edit of the code makes stale, on a project compiled anew for every edit.</summary>
public sealed class CodeIdentityTests : IDisposable
{
    private const string Source = """
        using System;
        using System.Linq;
        using System.Threading.Tasks;
        namespace EditUnlearn.Planted
        {
            public static class Train
            {
                public static double Run(double[] values)
                {
                    var rate = Settings.Rate; // a step
                    return values.Select(v => Kernel.Scale(v, rate)).Sum() + Table.Weights[0];
                }
            }
            public static class Settings { public const double Rate = 0.5; public const string Unit = "nats"; }
            public static class Kernel { public static double Scale(double v, double by = 2) => v * by; }
            public static class Table { public static readonly int[] Weights = new[] { 1, 2, 3, 4 }; }
            public static class Unused { public static int One() => 1; }
            public static class Ask
            {
                public static async Task<string> Run()
                {
                    await Task.Yield();
                    return Catalogue.Get("a") + Settings.Unit;
                }
            }
            [EditUnlearn.Foundation.CodeBoundary]
            public static class Catalogue { public static string Get(string name) => Picked.Name; }
            public static class Picked { public static string Name => "first"; }
            public static class Report { public static string Run() => Templates.Open("table.tex"); }
            public static class Templates
            {
                public static string Open(string name)
                {
                    var path = "EditUnlearn.Planted.Files." + name;
                    using var stream = typeof(Templates).Assembly.GetManifestResourceStream(path)!;
                    return new System.IO.StreamReader(stream).ReadToEnd();
                }
            }
        }
        """;

    private static readonly string[] Stages = ["Train", "Ask", "Report"];
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p).StartsWith("System.", StringComparison.Ordinal))
            .Append(typeof(CodeBoundaryAttribute).Assembly.Location)
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a comment", "// a step", "// one step of many", "")]
    [InlineData("white space", "var rate = Settings.Rate;", "\n\n  var   rate =\n Settings.Rate ;", "")]
    [InlineData("a local's name", "stream", "file", "")]
    [InlineData(
        "the name of a type nothing reaches",
        "public static class Unused { public static int One() => 1; }",
        "public static class Later { public static int One() => 1; }",
        ""
    )]
    [InlineData("a type nothing reaches", "=> 1;", "=> 2;", "")]
    [InlineData("behind a catalogue", "\"first\"", "\"other\"", "")]
    [InlineData("a constant", "Rate = 0.5", "Rate = 0.25", "Train")]
    [InlineData("a literal of the same length", "\"nats\"", "\"bits\"", "Ask")]
    [InlineData("a helper's body", "v * by", "v / by", "Train")]
    [InlineData("a parameter's default", "by = 2", "by = 3", "Train")]
    [InlineData("values of an array", "1, 2, 3, 4", "1, 2, 3, 5", "Train")]
    [InlineData("a lambda", "Kernel.Scale(v, rate))", "Kernel.Scale(rate, v))", "Train")]
    [InlineData("an asynchronous body", "Get(\"a\")", "Get(\"b\")", "Ask")]
    [InlineData("how files are opened", "ReadToEnd()", "ReadLine()", "Report")]
    public void An_edit_makes_stale_exactly_the_stages_that_use_it(string what, string old, string edited, string stale)
    {
        Assert.Contains(old, Source, StringComparison.Ordinal);
        Assert.Equal(
            (what, stale),
            (
                what,
                Changed(
                    Compile("before", Source),
                    Compile("after", Source.Replace(old, edited, StringComparison.Ordinal))
                )
            )
        );
    }

    [Fact]
    public void An_embedded_file_counts_for_what_opens_it_and_for_nothing_else()
    {
        var before = Compile("before", Source);
        Assert.Equal("", Changed(before, Compile("again", Source)));
        Assert.Equal("Report", Changed(before, Compile("template", Source, template: "\\hline")));
        Assert.Equal("Report", Changed(before, Compile("font", Source, font: "wider")));
    }

    [Fact]
    public void Models_do_not_hang_on_templates_of_reports()
    {
        // Of this build: what trains reaches no type that opens the files of Reports.
        var cache = _folder["code.json"];
        var code = new CodeIdentity(AppContext.BaseDirectory, cache);
        foreach (
            var stage in new[]
            {
                typeof(EditUnlearn.Stages.PretrainStage),
                typeof(EditUnlearn.Stages.FinetuneStage),
                typeof(EditUnlearn.Stages.ApplyStage),
                typeof(EditUnlearn.Stages.AnswerStage),
            }
        )
            Assert.DoesNotContain(
                code.PartsOf(code.Of([stage]))!.Keys,
                t => t is "EditUnlearn.Reports.Templating" or "EditUnlearn.Reports.Figures.FigureFont"
            );
        Assert.Contains(
            "EditUnlearn.Reports.Templating",
            code.PartsOf(code.Of([typeof(EditUnlearn.Stages.TablesStage)]))!.Keys
        );
    }

    private static string Changed(
        IReadOnlyDictionary<string, string> before,
        IReadOnlyDictionary<string, string> after
    ) => string.Join(',', Stages.Where(s => before[s] != after[s]));

    // The identity of each stage of the project, built in a folder of its own.
    private Dictionary<string, string> Compile(
        string name,
        string source,
        string template = "\\toprule",
        string font = "narrow"
    )
    {
        var folder = Directory.CreateDirectory(_folder[name]).FullName;
        var path = Path.Combine(folder, "EditUnlearn.Planted.dll");
        var tree = CSharpSyntaxTree.ParseText(
            source,
            path: Path.Combine(folder, "Planted.cs"),
            encoding: Encoding.UTF8
        );
        var built = CSharpCompilation
            .Create(
                "EditUnlearn.Planted",
                [tree],
                References,
                new CSharpCompilationOptions(
                    OutputKind.DynamicallyLinkedLibrary,
                    optimizationLevel: OptimizationLevel.Release
                )
            )
            .Emit(path, manifestResources: [Embedded("table.tex", template), Embedded("font.ttf", font)]);
        Assert.True(built.Success, string.Join('\n', built.Diagnostics));
        var context = new AssemblyLoadContext(name, isCollectible: true);
        try
        {
            var assembly = context.LoadFromAssemblyPath(path);
            var code = new CodeIdentity(folder);
            return Stages.ToDictionary(
                s => s,
                s => code.Of([assembly.GetType("EditUnlearn.Planted." + s, throwOnError: true)!])
            );
        }
        finally
        {
            context.Unload();
        }
    }

    private static ResourceDescription Embedded(string name, string text) =>
        new("EditUnlearn.Planted.Files." + name, () => new MemoryStream(Encoding.UTF8.GetBytes(text)), isPublic: true);
}
