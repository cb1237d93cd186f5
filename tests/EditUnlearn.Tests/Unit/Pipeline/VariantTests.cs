using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Entries that a profile adds to a map which the program lists.</summary>
public sealed class VariantTests
{
    private const string Stages = """
        stages:
          source:
            for: { set: sets, method: { of: methods, only: $wanted, where: { kind: $set.kinds?, runs: true } } }
            with: { number: $method.size, label: "$method runs $method.method as $method.label" }
        --- default
        wanted: null
        sets: { all: { kinds: null }, some: { kinds: fast } }
        """;

    private static readonly StageCatalog Catalog = new(
        new FakeStages().Catalog.All,
        new KnownEntries("methods", [("x", Values("x", "fast")), ("y", Values("y", "slow"))]) { VariantOf = "method" }
    );

    private static IReadOnlyList<(string Key, string Value)> Values(string name, string kind) =>
        [("method", name), ("label", name.ToUpperInvariant()), ("kind", kind), ("runs", "true")];

    private static Plan Build(string methods, params string[] sets) =>
        PlanBuilder.Build(
            StudyText.Parse($"{Stages}\nmethods: {methods}\n", Checkout.Root),
            Catalog,
            new PlanRequest(Sets: sets)
        );

    private static string[] Said(Plan plan) =>
        [.. plan.Cells.Select(c => $"{c.Id.Text[6..]} {((FakeStages.Source.Params)c.Parameters).Label}")];

    private const string Known = "x: { size: 4 }, y: { size: 5 }",
        Z = "z: { method: y, label: Z, size: 1 }";

    [Fact]
    public void A_variant_runs_its_method_under_its_own_name_where_it_says()
    {
        var plan = Build(
            $$"""
            { {{Known}}, x-big: { based-on: x, label: big, size: 40, runs: $set.beside }, {{Z}} }
            """,
            "sets.all.beside=true",
            "sets.some.beside=false"
        );
        Assert.Equal(
            [
                "[all,x] x runs x as X",
                "[all,y] y runs y as Y",
                "[all,x-big] x-big runs x as big",
                "[all,z] z runs y as Z",
                "[some,x] x runs x as X",
            ],
            Said(plan)
        );
        // What it is based on gives it the profile's values, `method` alone the program's.
        Assert.Equal([4, 5, 40, 1, 4], plan.Cells.Select(c => ((FakeStages.Source.Params)c.Parameters).Number));
        Assert.Equal(
            ["[all,z] z runs y as Z"],
            Said(Build($$"""{ {{Known}}, {{Z}} }""", "wanted=[z]", "sets.some.abstract=true"))
        );
    }

    [Theory]
    [InlineData(
        "zebra: { size: 1 }",
        "there is no setting 'methods.zebra' to change\n  hint: known: x, y; an entry of your own says"
    )]
    [InlineData(
        "z: { method: wombat, label: Z }",
        "'method' of 'z' must name one that the program lists, not 'wombat'\n  hint: known: x, y"
    )]
    [InlineData("z: { method: [x], label: Z }", "'method' of 'z' must name one that the program lists")]
    [InlineData(
        "v: { abstract: true }, z: { based-on: v, label: Z }",
        "'z' does not say with 'method' what it is a variant of"
    )]
    [InlineData("z: { based-on: x }", "'z' has the label 'X', which 'x' has already")]
    [InlineData("z: { based-on: x, label: y }", "'z' has the label 'y', which 'y' has already")]
    [InlineData(
        "z: { based-on: x, label: A }, w: { based-on: y, label: A }",
        "'w' has the label 'A', which 'z' has already"
    )]
    [InlineData("z: { based-on: q, label: Z }", "there is no 'q' beside 'z' to be based on")]
    public void What_is_wrong_with_a_variant_is_said_at_its_line(string entry, string problem)
    {
        var message = Assert.Throws<InputException>(() => Build($"{{ {Known}, {entry} }}")).Message;
        Assert.Contains(problem, message, StringComparison.Ordinal);
        Assert.Contains("profiles/default.yaml(3,", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_that_replaces_a_method_leaves_it_what_the_program_says()
    {
        var plan = Build("{ x: !replace { size: 9 }, y: { size: 5 }, x-big: { based-on: x, label: big, size: 40 } }");
        Assert.Equal(
            ["x runs x as X", "y runs y as Y", "x-big runs x as big"],
            Said(plan).Take(3).Select(t => t[(t.IndexOf(' ', StringComparison.Ordinal) + 1)..])
        );
    }

    [Fact]
    public void A_method_of_the_program_is_no_variant()
    {
        var message = Assert
            .Throws<InputException>(() => Build("{ x: { size: 4, method: y }, y: { size: 5 } }"))
            .Message;
        Assert.Contains("'x' is no variant, so its 'method' cannot be set", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_stars_give_what_all_entries_say_by_their_names()
    {
        var study = StudyText.Parse(
            """
            stages:
              source:
                with: { number: 1, label: one }
              train:
                in: { data: source }
                with: { seed: 1, rates: { peak: 1, steps: 2 }, options: $things.**.deep.value }
            --- default
            other: 7
            things:
              none: { abstract: true, deep: { value: 1 } }
              one: { deep: { value: a } }
              two: { deep: { value: $other } }
              three: { size: 3 }
            """,
            Checkout.Root
        );
        // A key that no entry is asked for is a mistake as ever.
        Assert.Contains(
            "no stage reads 'things.three.size'",
            Assert.Throws<InputException>(() => PlanBuilder.Build(study, Catalog, new PlanRequest())).Message,
            StringComparison.Ordinal
        );
        var plan = PlanBuilder.Build(study, Catalog, new PlanRequest(Sets: ["things.three=!replace {}"]));
        Assert.Equal(
            """{"one":"a","two":7}""",
            ((FakeStages.Train.Params)plan.Cells[1].Parameters).Options?.ToJsonString()
        );
    }
}
