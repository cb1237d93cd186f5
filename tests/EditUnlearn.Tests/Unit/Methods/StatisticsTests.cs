using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Methods;

/// <summary>
/// Second moments, projectors and context prefixes: what they hold, and that those of another model are refused.
/// </summary>
public sealed class StatisticsTests
{
    [Fact]
    public void Moments_equal_a_sum_by_hand_whatever_the_batches_and_padding_counts_for_nothing()
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        using var model = TinyModels.Lively();
        var rows = TinyModels.Rows(7);
        var (all, tokens) = SecondMoments.Collect(model, rows, [0, 2]);
        Assert.Equal(rows.Sum(r => r.Ids.Count), tokens);
        foreach (var batchRows in (int[])[1, 3])
            foreach (var (layer, moment) in SecondMoments.Collect(model, rows, [0, 2], batchRows).Moments)
                Tensors.Near(all[layer], moment, 1e-6, $"{batchRows} rows, layer {layer}");

        var sum = zeros(56, 56, dtype: ScalarType.Float64);
        foreach (var row in rows)
        {
            var tap = new Keys(2);
            model.Forward(Tensors.Ids(row.Ids), new ForwardOptions { Tap = tap });
            var k = tap.Found!.to(ScalarType.Float64);
            sum.add_(matmul(k.t(), k));
        }
        Tensors.Near(sum / tokens, all[2], 1e-6, "by hand");
        Assert.True(linalg.eigvalsh(all[2]).min().ToDouble() > -1e-9);
        Assert.Equal(
            rows.Sum(r => Math.Min(4, r.Ids.Count)),
            SecondMoments.Collect(model, rows, [0], truncation: 4).Tokens
        );
    }

    [GoldenFact("edit/common/second_moment.safetensors")]
    [Trait("Category", "Golden")]
    public void Moments_of_the_reference_text_are_the_reference_moments()
    {
        using var scope = NewDisposeScope();
        var golden = EditGoldens.Moments;
        using var model = EditGoldens.Model(EditGoldens.Read("common", "inputs.json"));
        var ids = golden.Read("sequences_with_bos");
        var rows = Enumerable
            .Range(0, (int)ids.shape[0])
            .Select(i => new TokenRow([.. ids[i].data<long>().ToArray().Where(t => t >= 0).Select(t => (int)t)], 1))
            .ToList();
        var layers = golden
            .Entries.Keys.Where(n => n.EndsWith(".C", StringComparison.Ordinal))
            .Select(n => int.Parse(n[5..^2], System.Globalization.CultureInfo.InvariantCulture))
            .ToList();
        foreach (var (layer, moment) in SecondMoments.Collect(model, rows, layers).Moments)
            Tensors.Near(golden.Read($"layer{layer}.C"), moment, 1e-5, $"C {layer}");
    }

    [Fact]
    public void Moments_and_projectors_of_another_model_are_refused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Lively();
        var rows = TinyModels.Rows(20);
        int[] layers = [0, 2];
        var (moments, tokens) = SecondMoments.Collect(model, rows, layers);
        var headers = SecondMoments.Headers(model, rows, layers, tokens, 4096);
        SecondMoments.Save(folder["m"], moments, headers);
        NullSpace.Save(
            folder["p"],
            layers.Select((l, i) => (NullSpace.Of(moments[l], 0.5, EigenvalueUnit.Mean), headers[i]))
        );

        foreach (var (layer, moment) in SecondMoments.Load(folder["m"], model, layers))
            Tensors.Near(moments[layer], moment, 1e-6, $"C {layer}");
        foreach (var (layer, space) in NullSpace.Load(folder["p"], model, layers))
            Tensors.Near(
                NullSpace.Of(moments[layer], 0.5, EigenvalueUnit.Mean).Project(eye(56)),
                space.Project(eye(56)),
                1e-12,
                $"P {layer}"
            );
        Assert.Contains(
            "no second moments of layer 1",
            Assert.Throws<InputException>(() => SecondMoments.Load(folder["m"], model, [1])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "no projector of layer 1",
            Assert.Throws<InputException>(() => NullSpace.Load(folder["p"], model, [1])).Message,
            StringComparison.Ordinal
        );

        // One number in a block below the second layer: its keys are others, those of the first are not.
        using (no_grad())
            model.Weight("model.layers.1.mlp.up_proj.weight")[0, 0].add_(1e-3f);
        _ = SecondMoments.Load(folder["m"], model, [0]);
        foreach (
            var load in (Action[])
                [() => SecondMoments.Load(folder["m"], model, [2]), () => NullSpace.Load(folder["p"], model, [2])]
        )
            Assert.Contains(
                "layer 2 come from another model",
                Assert.Throws<InputException>(load).Message,
                StringComparison.Ordinal
            );
    }

    [Fact]
    public void Damaged_statistics_are_damage_not_a_crash()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var model = TinyModels.Lively();
        SafetensorsWriter.Write(folder["bare"], [new("layer0.C", zeros(56, 56))]);
        Assert.Contains(
            "layer0.weights",
            Assert.Throws<DamagedFileException>(() => SecondMoments.Load(folder["bare"], model, [0])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(folder["c"], """{"format":"contexts/2","model":"x","rome":[{"text":"a","ids":[1]}]}""");
        Assert.Throws<InputException>(() => ContextFile.Read(folder["c"], "y", ContextRecipe.Rome, 0));
        Assert.Contains(
            "first prefix is not the empty one",
            Assert
                .Throws<DamagedFileException>(() => ContextFile.Read(folder["c"], "x", ContextRecipe.Rome, 0))
                .Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(folder["c"], "{\"format\":\"contexts/1\",\"model\":\"x\",\"rome\":[[]]}");
        Assert.Contains(
            "by an earlier version of the program",
            Assert.Throws<InputException>(() => ContextFile.Read(folder["c"], "x", ContextRecipe.Rome, 0)).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(folder["c"], "[1");
        Assert.Throws<DamagedFileException>(() => ContextFile.Read(folder["c"], "x", ContextRecipe.Rome, 0));
    }

    [Fact]
    public void Prefixes_survive_their_file_and_a_method_gets_as_many_as_it_asks_for()
    {
        using var folder = new TemporaryFolder();
        var prefixes = new Dictionary<ContextRecipe, IReadOnlyList<ContextPrefix>>
        {
            [ContextRecipe.Memit] = [ContextPrefix.None, new("The \"sun\".", [4, 5]), new("I.", [6])],
        };
        ContextFile.Write(folder["c"], "model", prefixes);
        var read = ContextFile.Read(folder["c"], "model", ContextRecipe.Memit, 1);
        Assert.Equal(["", "The \"sun\"."], read.Select(p => p.Text));
        Assert.Equal<IEnumerable<int>>(
            [
                [],
                [4, 5],
            ],
            read.Select(p => p.Ids)
        );
        Assert.Contains(
            "holds 2 prefixes, but 3 are asked for",
            Assert.Throws<InputException>(() => ContextFile.Read(folder["c"], "model", ContextRecipe.Memit, 3)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal([20, 5, 10], Enum.GetValues<ContextRecipe>().Select(ContextPrefixes.Available));
    }

    [Theory]
    [InlineData("rome", "llama2", "value.learningRate", 0.5)]
    [InlineData("memit", "llama31", "value.clampNormFactor", 0.75)]
    [InlineData("alphaedit", "llama3", "ridge", 1)]
    [InlineData("alphaedit", "mistral", "ridge", 10)]
    public void Hyperparameters_of_a_family_stand_under_preset_and_options(
        string method,
        string family,
        string option,
        double expected
    )
    {
        double Of(System.Text.Json.Nodes.JsonObject? options)
        {
            var bound = MethodCatalog.Bind(method, "corrected", options, out var problems, family);
            Assert.Empty(problems);
            object value = bound!.Value.Options;
            foreach (var part in option.Split('.'))
                value = value.GetType().GetProperty(char.ToUpperInvariant(part[0]) + part[1..])!.GetValue(value)!;
            Assert.True(((IEditingOptions)bound.Value.Options).AppendEos);
            return (double)value;
        }
        Assert.Equal(expected, Of(null));
        var inner = option.Split('.') is [var outer, var name]
            ? new System.Text.Json.Nodes.JsonObject { [outer] = new System.Text.Json.Nodes.JsonObject { [name] = 7 } }
            : new System.Text.Json.Nodes.JsonObject { [option] = 7 };
        Assert.Equal(7, Of(inner));
    }

    [Fact]
    public void Options_that_cannot_work_are_named_all_at_once()
    {
        var options = new System.Text.Json.Nodes.JsonObject
        {
            ["layers"] = new System.Text.Json.Nodes.JsonArray(3, 1),
            ["ridge"] = 0,
            ["contexts"] = 9,
            ["value"] = new System.Text.Json.Nodes.JsonObject { ["steps"] = 0 },
        };
        Assert.Null(MethodCatalog.Bind("alphaedit", "reference", options, out var problems));
        Assert.Equal(
            ["options.contexts", "options.layers", "options.ridge", "options.value.steps"],
            problems.Select(p => p.Path).Order(StringComparer.Ordinal)
        );
        MethodCatalog.Bind("memit", "reference", null, out problems, "gpt");
        Assert.Equal("'gpt' has no hyperparameters for memit", Assert.Single(problems).Message);
        foreach (var entry in MethodCatalog.All.Where(m => m.Families.Count > 0))
            Assert.Equal(["llama2", "mistral", "llama3", "llama31"], entry.Families.Select(f => f.Family));
    }

    private sealed class Keys(int layer) : ForwardTap
    {
        public Tensor? Found { get; private set; }

        public override Tensor MlpOut(int at, Tensor key, Tensor value)
        {
            if (at == layer)
                Found = key[0].clone().DetachFromDisposeScope();
            return value;
        }
    }
}
