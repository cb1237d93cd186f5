using EditUnlearn.Tests.Support;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace EditUnlearn.Tests.Unit.Architecture;

/// <summary>A method fits a screen; what may be longer is listed here and has its reason in decision 0011.</summary>
public sealed class MethodLengthTests
{
    private const int MostLines = 60;
    private const string Reasons = "docs/decisions/0011-long-methods.md";

    /// <summary>Declarations that may be longer. The decision names each of them.</summary>
    private static readonly string[] Declarations = ["Jobs.All", "Jobs.Miniature", "Shapes.All", "Tiles.Wide"];

    [Fact]
    public void A_method_has_60_lines_at_most()
    {
        var tooLong = Sources()
            .SelectMany(f => Long(File.ReadAllText(Path.Combine(Checkout.Root, f)), f))
            .Where(m => !Declarations.Contains(m.Name));
        Assert.Empty(tooLong.Select(m => $"{m.File}({m.Line}): {m.Name} has {m.Lines} lines"));
    }

    [Fact]
    public void Every_exception_is_needed_and_has_its_reason()
    {
        var found = Sources()
            .SelectMany(f => Long(File.ReadAllText(Path.Combine(Checkout.Root, f)), f))
            .Select(m => m.Name)
            .ToHashSet();
        var reasons = File.ReadAllText(Path.Combine(Checkout.Root, Reasons));
        Assert.All(Declarations, d => Assert.Contains(d, found));
        Assert.All(Declarations, d => Assert.Contains($"`{d}`", reasons, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("void M() {{ {0} }}", "A.M")]
    [InlineData("int M() => F(() => {{ {0} }});", "A.M")]
    [InlineData("void M() {{ void Inner() {{ {0} }} }}", "A.M")]
    [InlineData("int P {{ get {{ {0} }} }}", "A.P.get")]
    [InlineData("A() {{ {0} }}", "A.A")]
    [InlineData("static readonly int[] F = [ {0} ];", "A.F")]
    [InlineData("static int[] P {{ get; }} = [ {0} ];", "A.P")]
    public void Whatever_holds_the_lines_is_measured(string member, string name)
    {
        var fits = new string('\n', MostLines - 1);
        Assert.Empty(Long("class A { " + string.Format(null, member, fits) + " }", "a.cs"));
        var found = Assert.Single(Long("class A { " + string.Format(null, member, fits + "\n") + " }", "a.cs"));
        Assert.Equal((name, MostLines + 1), (found.Name, found.Lines));
    }

    private static IEnumerable<string> Sources() =>
        from room in (string[])["src", "tests", "tools", "build"]
        from file in Directory.EnumerateFiles(Path.Combine(Checkout.Root, room), "*.cs", SearchOption.AllDirectories)
        let path = Path.GetRelativePath(Checkout.Root, file).Replace('\\', '/')
        where !path.Split('/').Any(p => p is "bin" or "obj")
        orderby path
        select path;

    // The body counts, from its first to its last line: parameters stand one a line where there are many, and fit the
    // screen with the name they belong to. Lambdas and local functions are part of the method that holds them.
    private static IEnumerable<(string Name, int Lines, string File, int Line)> Long(string source, string file)
    {
        var tree = CSharpSyntaxTree.ParseText(source);
        foreach (var member in tree.GetRoot().DescendantNodes(n => !IsBody(n)))
            if (Body(member) is { } body)
            {
                var first = body is BlockSyntax { Statements: [var statement, ..] } ? statement : body;
                var from = tree.GetLineSpan(first.Span).StartLinePosition.Line;
                var lines = tree.GetLineSpan(body.Span).EndLinePosition.Line - from + 1;
                if (lines > MostLines)
                    yield return (NameOf(member), lines, file, from + 1);
            }
    }

    private static bool IsBody(SyntaxNode node) => node is BlockSyntax or ArrowExpressionClauseSyntax;

    private static SyntaxNode? Body(SyntaxNode member) =>
        member switch
        {
            BaseMethodDeclarationSyntax m => (SyntaxNode?)m.Body ?? m.ExpressionBody,
            AccessorDeclarationSyntax a => (SyntaxNode?)a.Body ?? a.ExpressionBody,
            PropertyDeclarationSyntax p => (SyntaxNode?)p.ExpressionBody ?? p.Initializer,
            IndexerDeclarationSyntax i => i.ExpressionBody,
            VariableDeclaratorSyntax { Parent.Parent: FieldDeclarationSyntax } f => f.Initializer,
            _ => null,
        };

    private static string NameOf(SyntaxNode member)
    {
        var own = member switch
        {
            MethodDeclarationSyntax m => m.Identifier.Text,
            ConstructorDeclarationSyntax c => c.Identifier.Text,
            PropertyDeclarationSyntax p => p.Identifier.Text,
            VariableDeclaratorSyntax f => f.Identifier.Text,
            AccessorDeclarationSyntax { Parent.Parent: PropertyDeclarationSyntax p } a =>
                $"{p.Identifier.Text}.{a.Keyword.Text}",
            _ => member.Kind().ToString(),
        };
        return $"{member.FirstAncestorOrSelf<BaseTypeDeclarationSyntax>()!.Identifier.Text}.{own}";
    }
}
