using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Models;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Golden.Methods;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Golden.Real;

/// <summary>
/// The losses of the goldens of unlearning on a real model, over one copy of its weights that cases share.
/// </summary>
/// <remarks>
/// Losses come from the methods' own files. One is written here: our padded divergence leaves the last token of a row
/// out of the attention mask, as trainers do whose padding is EOS; these goldens keep it in.
/// </remarks>
internal sealed class RealUnlearnGolden : IDisposable
{
    private const string Part = "real/unlearn";
    private const string Other = "_other_reference";

    private static readonly Lazy<CausalLm> Parted = new(PartOutputMap);

    private (string Name, CausalLm Start, TrainedModel Model, ReferenceModel Reference)? _trained;
    private UnlearnBatch? _batch;

    /// <summary>What all cases are told.</summary>
    public static JsonElement Manifest => Goldens.Json(Part, "manifest.json");

    /// <summary>Names of cases with the model that each is compared with, those of one model together.</summary>
    public static IEnumerable<string> Cases =>
        Goldens.Missing(Part + "/manifest.json") is null
            ? Manifest
                .GetProperty("cases")
                .EnumerateObject()
                .OrderBy(c => c.Value.GetProperty("reference").GetString(), StringComparer.Ordinal)
                .Select(c => c.Name)
            : [];

    /// <summary>The rows of the cases.</summary>
    public static SafetensorsFile Rows => Goldens.Values(Part, "inputs.safetensors");

    /// <summary>The untouched model.</summary>
    public static CausalLm Start => RealModels.Load().Model;

    /// <summary>
    /// The same with a copy of a tied embedding as output map, so that its gradient comes in its two parts.
    /// </summary>
    public static CausalLm Untied => Parted.Value;

    /// <summary>The token that rows are filled with; null where all are of one length.</summary>
    public static long? PadId
    {
        get
        {
            using var scope = NewDisposeScope();
            var fillers = Rows.Read("forget.input_ids")[Rows.Read("forget.attention_mask").eq(0)];
            return fillers.numel() > 0 ? fillers[0].ToInt64() : null;
        }
    }

    /// <summary>Rows that meet.</summary>
    public UnlearnBatch Batch => _batch ??= ReadBatch();

    /// <summary>What all runs share: every weight moves, and every weight decays.</summary>
    public static GradientAscent.Options Moving => new() { Trainable = Trainable.Full, DecayNormGains = true };

    /// <summary>The trained model at its start, to be compared with a reference of that name.</summary>
    public TrainedModel Against(string reference) => Of(Start, reference);

    /// <summary>The same of <see cref="Untied"/>.</summary>
    public TrainedModel UntiedAgainst(string reference) => Of(Untied, reference);

    private TrainedModel Of(CausalLm start, string reference)
    {
        if (_trained is { } there && there.Name == reference && there.Start == start)
        {
            there.Model.Reset();
            return there.Model;
        }
        Close();
        var kept = new ReferenceModel(ReferenceNamed(reference), owns: false, 1 << 30);
        var model = TrainedModel.Of(start, Moving, new Seed(0), kept);
        _trained = (reference, start, model, kept);
        return model;
    }

    /// <summary>The loss of a case.</summary>
    public Tensor Loss(string name, TrainedModel model)
    {
        var entry = Manifest.GetProperty("cases").GetProperty(name);
        var (beta, against) = (Manifest.GetProperty("beta").GetDouble(), entry.GetProperty("reference").GetString()!);
        var kind = name.EndsWith(Other, StringComparison.Ordinal) ? name[..^Other.Length] : name;
        Tensor Of(GradientMethod method) => MethodLoss(method, model);
        GradientMethod Kl(KlPositions p) => new KlMinimisation(new() { Kl = new() { Positions = p } });
        return kind switch
        {
            "finetune" => model.MeanNll(Batch.Forget),
            "finetune_retain" => model.MeanNll(Batch.Retain!),
            "ga" => Of(new GradientAscent(new())),
            "gd" => Of(new GradientDifference(new())),
            "kl" => Of(Kl(KlPositions.AllRealTokens)),
            "kl_answer" => Of(Kl(KlPositions.AnswerOnly)),
            "kl_term_alone" => model.RetainKl(Batch, new KlRule(KlPositions.AllRealTokens, null, 0)),
            "kl_padded" => Padded(model, against).mean() - model.MeanNll(Batch.Forget),
            "kl_padded_term_alone" => Padded(model, against).mean(),
            "dpo" or "dpo_exact" => Of(new PreferenceOptimisation(new() { Beta = beta })),
            "idk" => Of(new RefusalTraining(new())),
            "idk_union" => Of(new RefusalTraining(new() { Union = true })),
            "npo" => Of(new NegativePreference(new() { Beta = beta, RetainWeight = 0 })),
            "simnpo" => Of(
                new SimpleNegativePreference(new() { Beta = Told(entry, "beta"), RetainWeight = 0 })
            ),
            _ => throw new InvalidOperationException($"no loss is known for {name}"),
        };
    }

    /// <summary>A number that an entry's words give: <c>own, beta 2.5, gamma 0</c>.</summary>
    public static double Told(JsonElement entry, string what) =>
        double.Parse(
            Regex
                .Match(
                    string.Join(", ", entry.EnumerateObject().Select(p => p.Value.ToString())),
                    what + @" (\d[\d.e-]*)"
                )
                .Groups[1]
                .Value,
            CultureInfo.InvariantCulture
        );

    /// <summary>KL of every position of the padded retain rows [B, T].</summary>
    public static Tensor Padded(TrainedModel model, string against)
    {
        var (ids, mask) = (Rows.Read("retain.input_ids"), Rows.Read("retain.attention_mask"));
        var options = new ForwardOptions { AttentionMask = mask };
        Tensor reference;
        using (no_grad())
            reference = LabelLosses.LogProbabilities(ReferenceNamed(against).Forward(ids, options));
        var start = model.Parameters.Views.Count == Start.Weights.Count ? Start : Untied;
        var over = start.Over(model.Parameters.Views);
        var stream = model.ResidPost(ids, Start.Config.Layers - 1, attentionMask: mask);
        return LabelLosses.KullbackLeibler(reference, over.Logits(over.FinalNorm(stream)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        _batch?.Dispose();
    }

    private void Close()
    {
        _trained?.Model.Dispose();
        _trained?.Reference.Dispose();
        _trained = null;
    }

    private Tensor MethodLoss(GradientMethod method, TrainedModel model) =>
        (Tensor)
            typeof(GradientMethod)
                .GetMethod("Loss", BindingFlags.Instance | BindingFlags.NonPublic)!
                .Invoke(method, [model, Batch])!;

    private static CausalLm PartOutputMap()
    {
        if (!Start.Config.TieWordEmbeddings)
            return Start;
        using var quiet = no_grad();
        var weights = Start.Weights.ToDictionary(StringComparer.Ordinal);
        weights.Add(TensorNames.LmHead, Start.Weight(TensorNames.Embedding).clone());
        return CausalLm.Create(Start.Config with { TieWordEmbeddings = false }, weights);
    }

    private static UnlearnBatch ReadBatch()
    {
        var inputs = new MethodInputs
        {
            Forget = GradientGoldenTests.Rows(Rows, "forget"),
            Retain = GradientGoldenTests.Rows(Rows, "retain"),
            Refusals = [.. GradientGoldenTests.Rows(Rows, "refusal").Select(r => new[] { r })],
        };
        return UnlearnBatch.Of(
            inputs,
            [.. Enumerable.Range(0, inputs.Forget.Count).Select(i => new PairedRow(i, i, 0))],
            CPU,
            null
        );
    }

    // The model itself, or the one with some memories made weaker.
    private static CausalLm ReferenceNamed(string name)
    {
        if (name == "start")
            return Start;
        var told = Manifest.GetProperty(name + "_reference");
        var changed = Goldens
            .Ints(told.GetProperty("layers"))
            .Select(l => $"model.layers.{l}.{told.GetProperty("parameter").GetString()}")
            .ToHashSet(StringComparer.Ordinal);
        using var quiet = no_grad();
        return Start.Over(
            Start.Weights.ToDictionary(
                w => w.Key,
                w =>
                    changed.Contains(w.Key)
                        ? (w.Value * told.GetProperty("factor").GetDouble()).DetachFromDisposeScope()
                        : w.Value,
                StringComparer.Ordinal
            )
        );
    }
}
