using System.Text.Json.Nodes;
using EditUnlearn.Methods;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>
/// The key of an edit holds the values of its preset, not only its name: tables of presets are data that no code
/// identity follows.
/// </summary>
public sealed class ApplyKeyTests
{
    private static string KeyOf(Cell cell) => CellKey.Of(cell, "code", [], "cpu", "float32");

    [Fact]
    public void A_changed_value_of_a_preset_changes_the_key()
    {
        var plan = PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest("mini")
        );
        var cells = plan.Cells.Where(c => c.Parameters is ApplyStage.Params).ToList();
        var planned = cells.Select(c => c.Id.Axis("method")!).ToHashSet(StringComparer.Ordinal);
        Assert.Subset(MethodCatalog.All.Select(m => m.Name).ToHashSet(StringComparer.Ordinal), planned);
        Assert.Subset(planned, MethodCatalog.All.Where(m => m.InPaper).Select(m => m.Name).ToHashSet());
        foreach (var cell in cells.DistinctBy(c => c.Id.Axis("method")))
        {
            var parameters = (ApplyStage.Params)cell.Parameters;
            var entry = MethodCatalog.Find(parameters.Method)!;
            var bound = MethodCatalog.ToJson(
                MethodCatalog
                    .Bind(entry.Name, parameters.Preset, parameters.Options, out _, parameters.Family)!
                    .Value.Options
            );
            Assert.True(
                JsonNode.DeepEquals(bound, cell.ParametersJson["options"]),
                $"{cell.Id}: bound again, options in force are others"
            );
        }

        // What the next release's table would give, and what that does to the key.
        var rome = MethodCatalog.Find("rome")!;
        var edited = rome with
        {
            Families =
            [
                .. rome.Families.Select(f =>
                    f with
                    {
                        Options = new JsonObject { ["layers"] = new JsonArray(5), ["contexts"] = 19 },
                    }
                ),
            ],
        };
        JsonObject Options(MethodEntry entry) =>
            MethodCatalog.ToJson(OptionStack.Of(entry, MethodPreset.Reference, "llama2").Bind(out _)!);
        var some = cells.First(c => c.Id.Axis("method") == "rome");
        Cell With(JsonObject options)
        {
            var json = (JsonObject)some.ParametersJson.DeepClone();
            json["options"] = options;
            return some with { ParametersJson = json };
        }
        Assert.Equal(KeyOf(With(Options(rome))), KeyOf(With(Options(rome))));
        Assert.NotEqual(KeyOf(With(Options(rome))), KeyOf(With(Options(edited))));
    }

    [Fact]
    public void The_name_of_a_preset_counts_for_no_more_than_its_values()
    {
        IStage stage = new ApplyStage();
        ApplyStage.Params Complete(string preset, JsonObject? options, string? family = null) =>
            (ApplyStage.Params)stage.Complete(new ApplyStage.Params(1, "rome", preset, family, options));
        var corrected = Complete("corrected", null).Options;
        Assert.True(
            JsonNode.DeepEquals(
                corrected,
                Complete(
                    "reference",
                    new JsonObject
                    {
                        ["key"] = "averaged",
                        ["targetIds"] = "offsets",
                        ["appendEos"] = true,
                    }
                ).Options
            )
        );
        Assert.False(JsonNode.DeepEquals(corrected, Complete("reference", null).Options));
        Assert.Equal(5, (int)Complete("reference", null, "mistral").Options!["layers"]![0]!);
    }

    [Fact]
    public void What_a_forget_set_adjusts_counts_as_if_it_were_written_for_the_method()
    {
        IStage stage = new ApplyStage();
        var apart = new ApplyStage.Params(
            1,
            "kl",
            "reference",
            null,
            new JsonObject
            {
                ["learningRate"] = 6e-4,
                ["kl"] = new JsonObject { ["weight"] = 5 },
            },
            new JsonObject { ["learningRate"] = 5e-5 }
        );
        var together = apart with
        {
            Options = new JsonObject
            {
                ["learningRate"] = 5e-5,
                ["kl"] = new JsonObject { ["weight"] = 5 },
            },
            SetOptions = null,
        };
        Assert.True(
            JsonNode.DeepEquals(
                ParameterBinder.ToJson(stage.Complete(together), typeof(ApplyStage.Params)),
                ParameterBinder.ToJson(stage.Complete(apart), typeof(ApplyStage.Params))
            )
        );

        // A mistake is reported where it stands.
        string[] Wrong(JsonObject options, JsonObject? set) =>
            [.. stage.Check(apart with { Options = options, SetOptions = set }).Select(p => p.Path)];
        Assert.Equal(["setOptions.lerningRate"], Wrong([], new JsonObject { ["lerningRate"] = 1 }));
        Assert.Equal(
            ["options.lerningRate", "setOptions.kl.wait"],
            Wrong(new JsonObject { ["lerningRate"] = 1 }, new JsonObject { ["kl"] = new JsonObject { ["wait"] = 1 } })
        );
        Assert.Equal(
            ["setOptions.kl.weight"],
            Wrong(
                new JsonObject { ["kl"] = new JsonObject { ["weight"] = 5 } },
                new JsonObject { ["kl"] = new JsonObject { ["weight"] = "much" } }
            )
        );
    }

    [Fact]
    public void What_is_tuned_for_a_kind_of_sets_lies_over_what_the_data_adjust()
    {
        IStage stage = new ApplyStage();
        JsonObject Rate(double rate) => new() { ["learningRate"] = rate };
        var tuned = new ApplyStage.Params(1, "kl", "reference", null, Rate(1), Rate(2), Rate(3));
        var complete = (ApplyStage.Params)stage.Complete(tuned);
        Assert.Equal(3, (double)complete.Options!["learningRate"]!);
        Assert.Equal((null, null), (complete.SetOptions, complete.TunedOptions));
        Assert.Equal(
            ["tunedOptions.kl.wait"],
            stage
                .Check(tuned with { TunedOptions = new JsonObject { ["kl"] = new JsonObject { ["wait"] = 1 } } })
                .Select(p => p.Path)
        );
    }
}
