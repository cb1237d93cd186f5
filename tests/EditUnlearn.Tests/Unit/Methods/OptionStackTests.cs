using System.Text.Json.Nodes;
using EditUnlearn.Methods;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>Options as a stack of layers: one value in force, and everything it overrode with its place.</summary>
public sealed class OptionStackTests
{
    public static TheoryData<string> Methods => [.. MethodCatalog.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_option_has_one_value_in_force_which_is_the_one_that_binds(string method)
    {
        var entry = MethodCatalog.Find(method)!;
        foreach (var family in (string?[])[null, .. entry.Families.Select(f => f.Family)])
            foreach (var preset in entry.PresetNames)
            {
                var stack = OptionStack.Of(entry, preset, family);
                Assert.Equal(stack.Values.Select(v => v.Path), stack.Values.Select(v => v.Path).Distinct());
                var bound = MethodCatalog.ToJson(stack.Bind(out _)!);
                var defaults = MethodCatalog.ToJson(entry.Defaults());
                Assert.True(JsonNode.DeepEquals(bound, stack.InForce));
                Assert.Equal(Leaves(bound).Order(), stack.Values.Select(v => v.Path).Order());
                foreach (var value in stack.Values)
                {
                    Assert.True(JsonNode.DeepEquals(At(bound, value.Path), value.InForce.Value), value.Path);
                    var lowest = value.Overridden.Append(value.InForce).First(s => s.Layer == OptionStack.Default);
                    Assert.True(JsonNode.DeepEquals(At(defaults, value.Path), lowest.Value));
                }
            }
    }

    [Fact]
    public void The_highest_layer_wins_and_the_others_follow_from_high_to_low_with_origin_and_place()
    {
        var memit = MethodCatalog.Find("memit")!;
        var stack = OptionStack.Of(
            memit,
            MethodPreset.Corrected,
            "llama31",
            new OptionLayer("profile", Json("""{"value":{"learningRate":0.2,"steps":9}}"""))
            {
                PlaceOf = path => path == "value.learningRate" ? "profiles/mini.yaml:41" : null,
            },
            new OptionLayer("set", null),
            new OptionLayer("--set", Json("""{"value":{"learningRate":0.3}}"""))
        );
        Assert.Equal(
            ["default", "family llama31", "preset corrected", "profile", "set", "--set"],
            stack.Layers.Select(l => l.Name)
        );
        var rate = stack.Find("value.learningRate")!;
        Assert.Equal(("--set", 0.3), (rate.InForce.Layer, (double)rate.InForce.Value!));
        Assert.Equal(["profile", "family llama31", "default"], rate.Overridden.Select(o => o.Layer));
        Assert.Equal([0.2, 0.1, 0.5], rate.Overridden.Select(o => (double)o.Value!));
        Assert.Equal("profiles/mini.yaml:41", rate.Overridden[0].Place);
        Assert.Equal("ours: as Llama-3-8B; the reference has no file", rate.Overridden[1].Origin);
        Assert.Equal((null, null), (rate.InForce.Place, rate.Overridden[2].Origin));

        // Nested records merge name by name.
        var steps = stack.Find("value.steps")!;
        Assert.Equal(("profile", 9, 1), (steps.InForce.Layer, (int)steps.InForce.Value!, steps.Overridden.Count));
        Assert.Equal("family llama31", stack.Find("value.clampNormFactor")!.InForce.Layer);
        Assert.Equal("preset corrected", stack.Find("appendEos")!.InForce.Layer);
        Assert.Equal(
            (OptionStack.Default, 0),
            (stack.Find("lambda")!.InForce.Layer, stack.Find("lambda")!.Overridden.Count)
        );
        Assert.Null(stack.Find("value.nothing"));
        var bound = (Memit.Options)stack.Bind(out _)!;
        Assert.Equal(
            (0.3, 9, 0.75, true),
            (bound.Value.LearningRate, bound.Value.Steps, bound.Value.ClampNormFactor, bound.AppendEos)
        );
    }

    [Fact]
    public void A_list_replaces_a_list_and_null_is_a_value()
    {
        var stack = OptionStack.Of(
            MethodCatalog.Find("wise")!,
            MethodPreset.Corrected,
            null,
            new OptionLayer("profile", Json("""{"layer":3}"""))
        );
        var beyond = stack.Find("maxBeyond")!;
        Assert.Null(beyond.InForce.Value);
        Assert.Equal(("preset corrected", 100), (beyond.InForce.Layer, (int)beyond.Overridden[0].Value!));

        var rome = OptionStack.Of(
            MethodCatalog.Find("rome")!,
            MethodPreset.Reference,
            null,
            new OptionLayer("profile", Json("""{"layers":[1,2]}"""))
        );
        Assert.Equal("[1,2]", rome.Find("layers")!.InForce.Value!.ToJsonString());
        Assert.Equal([1, 2], ((Rome.Options)rome.Bind(out _)!).Layers);
    }

    [Fact]
    public void Mistakes_keep_their_spelling_and_their_layer_is_known()
    {
        var entry = MethodCatalog.Find("rome")!;
        var stack = OptionStack.Of(
            entry,
            MethodPreset.Reference,
            null,
            new OptionLayer("profile", Json("""{"value":{"stepps":3}}""")) { PlaceOf = p => p + " at 7" }
        );
        Assert.Null(stack.Bind(out var problems));
        Assert.Equal(("options.value.stepps", "did you mean 'steps'?"), (problems[0].Path, problems[0].Hint));
        Assert.Equal("value.stepps at 7", stack.Find("value.stepps")!.InForce.Place);

        var wrong = OptionStack.Of(
            entry,
            MethodPreset.Reference,
            null,
            new OptionLayer("p", Json("""{"value":{"steps":"x"}}"""))
        );
        Assert.Null(wrong.Bind(out problems));
        Assert.Equal("options.value.steps", Assert.Single(problems).Path);
        Assert.Throws<ArgumentException>(() => OptionStack.Of(entry, "corected"));
        Assert.Throws<ArgumentException>(() => OptionStack.Of(entry, MethodPreset.Reference, "gpt"));
    }

    private static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();

    private static JsonNode? At(JsonNode? node, string path) => path.Split('.').Aggregate(node, (n, name) => n![name]);

    private static IEnumerable<string> Leaves(JsonObject values) =>
        values.SelectMany(v => v.Value is JsonObject inner ? Leaves(inner).Select(l => $"{v.Key}.{l}") : [v.Key]);
}
