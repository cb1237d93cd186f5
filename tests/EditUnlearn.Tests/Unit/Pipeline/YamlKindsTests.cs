using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>
/// What people write into YAML who know another of its versions: YAML 1.2 is read, and what it does not know is shown
/// in the message. The same in a profile and in a file of options.
/// </summary>
public sealed class YamlKindsTests
{
    private static readonly string[] True = ["true", "True", "TRUE"];
    private static readonly string[] False = ["false", "False", "FALSE"];

    // Every word of YAML 1.1, in every case, and what else people take for one.
    public static TheoryData<string, bool?> Words()
    {
        TheoryData<string, bool?> words = [];
        string[] known = ["true", "false", "yes", "no", "on", "off", "y", "n", "1", "0", "t", "f"];
        var spelled = known.SelectMany(w => (string[])[w, w.ToUpperInvariant(), char.ToUpperInvariant(w[0]) + w[1..]]);
        foreach (var word in spelled.Distinct())
            words.Add(
                word,
                True.Contains(word) ? true
                    : False.Contains(word) ? false
                    : null
            );
        words.Add("'true'", null);
        words.Add("\"false\"", null);
        words.Add("tRUE", null);
        return words;
    }

    [Theory]
    [MemberData(nameof(Words))]
    public void A_word_for_true_or_false_means_the_same_in_both_files(string word, bool? expected)
    {
        Assert.Equal(expected, InProfile(word, out var said));
        var shown = word.Trim('\'', '"');
        if (expected is null)
            Assert.Contains(
                $"must be true or false{(shown == word ? "" : " without quotes")}, not '{shown}'",
                said,
                StringComparison.Ordinal
            );

        Assert.Equal(expected, InOptions($"second-moments: {word}\n", out said));
        if (expected is null)
            Assert.Contains(
                $"must be true or false, not {(int.TryParse(shown, out _) && shown == word ? shown : $"'{shown}'")}",
                said,
                StringComparison.Ordinal
            );
    }

    [Theory]
    [InlineData("base: &b { steps: 5 }\nvalue: *b\n")]
    [InlineData("value: &b { steps: 5 }\n")]
    [InlineData("value: { <<: *b }\n")]
    [InlineData("layers: [&l 4, *l]\n")]
    public void Anchors_are_refused_at_their_place_and_no_other_mistake_is_named(string text)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["o.yaml"], text);
        var problem = Assert.Single(Assert.Throws<InputException>(() => OptionsFile.Read(folder["o.yaml"])).Problems);
        Assert.Equal("anchors and aliases are not supported", problem.Message);
        Assert.True(problem.Line > 0 && problem.Column > 0);
        Assert.Contains("write the value out", problem.Hint, StringComparison.Ordinal);
    }

    private static bool? InProfile(string word, out string said)
    {
        try
        {
            said = "";
            var plan = PlanBuilder.Build(
                StudyText.Parse(
                    $$"""
                    stages:
                      source:
                        with: { number: 1, parity: $parity }
                    --- mini
                    parity: {{word}}
                    """,
                    Checkout.Root
                ),
                new FakeStages().Catalog,
                new PlanRequest()
            );
            return Assert.IsType<FakeStages.Source.Params>(plan.Cells[0].Parameters).Parity;
        }
        catch (InputException e)
        {
            said = e.Message;
            return null;
        }
    }

    private static bool? InOptions(string text, out string said)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["o.yaml"], text);
        var rome = MethodCatalog.Find("rome")!;
        var stack = OptionStack.Of(
            rome,
            MethodPreset.Corrected,
            "llama2",
            new OptionLayer("file", OptionsFile.Read(folder["o.yaml"]).Values)
        );
        var bound = stack.Bind(out var problems);
        said = string.Join('\n', problems.Select(p => p.Message));
        return bound is null ? null
            : MethodCatalog.ToJson(bound)["secondMoments"] is JsonValue v
            && v.GetValueKind() is JsonValueKind.True or JsonValueKind.False
                ? (bool?)v
            : null;
    }
}
