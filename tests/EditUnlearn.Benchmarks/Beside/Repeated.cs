using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Gradient;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using static TorchSharp.torch;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>What our method did in the same run.</summary>
/// <param name="Means">Its scores.</param>
/// <param name="Said">Its answers by question.</param>
/// <param name="EditSeconds">CPU seconds of the change, without statistics of the model.</param>
/// <param name="AskSeconds">CPU seconds of asking.</param>
/// <param name="Trace">What else it tells.</param>
internal sealed record OurRun(
    Means Means,
    IReadOnlyDictionary<string, string> Said,
    double EditSeconds,
    double AskSeconds,
    Trace Trace
);

/// <summary>Repeats runs of the study with the methods of this project, under their reference preset.</summary>
/// <remarks>
/// Taken from the study: parameters, texts before the question, target of each fact, texts of second moments and
/// locality, and the rows that meet in every batch. Drawn here: WISE's mask and the cold starts of GRACE, from the
/// number of the draw. Where the toolkit puts a space before a target, ours does too.
/// </remarks>
internal sealed class Repeated(Study study, Checkpoint checkpoint, string texts) : IDisposable
{
    private const string Preset = "reference";
    private const int NewTokens = 24;
    private readonly Dictionary<int, Tensor> _moments = [];

    /// <summary>Changes a copy of nothing: the model is asked and comes back as it was.</summary>
    public OurRun Of(StudyRun run)
    {
        using var scope = NewDisposeScope();
        var seed = new Seed((ulong)run.Draw);
        var losses = new List<double>();
        Func<ModelPatch?> make =
            run.Training is { } training ? Training(run.Method, training, seed, losses)
            : run.Method == "none" ? () => null
            : Editing(run.Method, run.Editing!, seed);
        var before = Seconds();
        using var patch = make();
        var edited = Seconds();
        var said = Asked(patch);
        var asked = Seconds();
        return new OurRun(
            Scored(said),
            said,
            edited - before,
            asked - edited,
            run.Training is null
                ? Traced(patch?.Health, atTheEnd: run.Method is "grace" or "wise")
                : new Trace(losses[0], losses[^1], null)
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var moment in _moments.Values)
            moment.Dispose();
    }

    private static double Seconds() => Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;

    private Dictionary<string, string> Asked(ModelPatch? patch)
    {
        List<(string Split, string Question)> questions =
        [
            .. study.Forget.Select(r => ("forget", r.Question)),
            .. study.Forget.SelectMany(r => r.Rephrasings.Take(2)).Select(q => ("rephrased", q)),
            .. study.Seen.Select(r => ("seen", r.Question)),
            .. study.Unseen.Select(r => ("unseen", r.Question)),
        ];
        using var applied = patch?.ApplyTo(checkpoint.Model);
        var said = GreedyDecoder.Decode(
            checkpoint.Model,
            [.. questions.Select(q => checkpoint.Prompt(q.Question))],
            new GreedyDecoder.Options
            {
                MaxNewTokens = NewTokens,
                StopIds = checkpoint.StopIds,
                Tap = patch?.Tap,
                Groups = [.. questions.Select(q => q.Split)],
            }
        );
        return questions
            .Zip(said, (q, s) => KeyValuePair.Create(q.Question, checkpoint.Decode(s.Ids)))
            .ToDictionary(StringComparer.Ordinal);
    }

    private Means Scored(Dictionary<string, string> said)
    {
        double Mean(IEnumerable<(string Question, string Answer)> rows) =>
            rows.Average(r => Rouge1.Recall(r.Answer, said[r.Question]));
        return new Means(
            Mean(study.Forget.Select(r => (r.Question, r.Answer))),
            Mean(study.Forget.SelectMany(r => r.Rephrasings.Take(2).Select(q => (q, r.Answer)))),
            Mean(study.Seen.Select(r => (r.Question, r.Answer))),
            Mean(study.Unseen.Select(r => (r.Question, r.Answer)))
        );
    }

    // Value optimisations of ours leave the reference's last evaluation out, so their last losses do not compare.
    private static Trace Traced(JsonArray? health, bool atTheEnd)
    {
        if (health is null)
            return new Trace(null, null, null);
        var losses = health.Select(h => (JsonArray)(h!["targetLoss"] ?? h["loss"])!).ToList();
        return new Trace(
            losses.Average(l => (double)l[0]!),
            atTheEnd ? losses.Average(l => (double)l[^1]!) : null,
            (double?)(health[^1]!["layers"] as JsonArray)?[^1]!["drift"]
        );
    }

    private Func<ModelPatch?> Editing(string name, EditingPlan plan, Seed seed)
    {
        var (entry, options) = Bound(name, ToolkitNames.Options(name, plan, study.Forget.Count));
        var editing = (IEditingOptions)options;
        List<ContextPrefix> prefixes =
        [
            .. plan
                .Templates.Select(t => t.EndsWith("{}", StringComparison.Ordinal) ? t[..^2].TrimEnd(' ') : t)
                .Select(t => t.Length == 0 ? ContextPrefix.None : new ContextPrefix(t, checkpoint.Tokenizer.Encode(t))),
        ];
        var requests = new EditRequests.Options
        {
            Format = editing.Format,
            Join = editing.Join,
            Prefixes = prefixes,
            Subject = editing.Subject,
            TargetIds = editing.TargetIds,
            AppendEos = editing.AppendEos,
        };
        var needs = entry.Needs(options);
        var inputs = new MethodInputs
        {
            Edits = [.. study.Forget.Select(r => Request(r, plan, requests, aroundChat: name != "wise"))],
            Locality = [.. plan.Locality.Select(t => checkpoint.Tokenizer.Encode(t))],
            SecondMoments = needs.HasFlag(Needs.SecondMoments) ? Moments(editing.Layers) : new(),
            NullSpaces = needs.HasFlag(Needs.NullSpaces)
                ? Moments(editing.Layers)
                    .ToDictionary(
                        m => m.Key,
                        m =>
                            NullSpace.Of(
                                m.Value,
                                ((INullSpaceOptions)options).NullSpaceThreshold,
                                ((INullSpaceOptions)options).NullSpaceUnit
                            )
                    )
                : new(),
        };
        if (prefixes.Count > 0)
            inputs = inputs with { Contexts = [.. prefixes.Select(p => p.Ids)] };
        return () =>
        {
            var patch = entry.Create(options).Edit(checkpoint.Model, inputs, seed);
            foreach (var space in inputs.NullSpaces.Values)
                space.Dispose();
            return patch;
        };
    }

    private EditRequest Request(StudyRow r, EditingPlan plan, EditRequests.Options options, bool aroundChat)
    {
        var request = EditRequests.FromText(
            checkpoint,
            r.Id,
            r.Question,
            r.Subject,
            r.Question.IndexOf(r.Subject, StringComparison.Ordinal),
            plan.Targets[r.Id],
            options
        );
        return plan.Raw || plan.Templates.Count == 0 || !aroundChat
            ? request
            : request with
            {
                Prefixed = [.. plan.Templates.Select(t => Before(t, request))],
            };
    }

    // The toolkit edits a text that happens to be a chat: its templates go around all of it, and so stand before the
    // system's turn, while ours belong to the question and stand in the user's. Its WISE makes the chat itself, of the
    // question with its template.
    private PrefixedPrompt Before(string template, EditRequest request)
    {
        var before = checkpoint.Tokenizer.Encode(template[..^2]);
        return new PrefixedPrompt([.. before, .. request.PromptIds], before.Count + request.SubjectLast);
    }

    // Of the study's texts, measured once.
    private Dictionary<int, Tensor> Moments(IReadOnlyList<int> layers)
    {
        var missing = layers.Where(l => !_moments.ContainsKey(l)).ToList();
        if (missing.Count > 0)
        {
            var rows = ((JsonArray)JsonNode.Parse(File.ReadAllText(texts))!["second_moment"]!["texts"]!).Select(
                t => new TokenRow([.. ((JsonArray)t!["ids"]!).Select(i => (int)i!)], 0)
            );
            foreach (var (layer, moment) in SecondMoments.Collect(checkpoint.Model, [.. rows], missing).Moments)
                _moments[layer] = moment.DetachFromDisposeScope();
        }
        return layers.ToDictionary(l => l, l => _moments[l]);
    }

    private Func<ModelPatch?> Training(string name, TrainingPlan plan, Seed seed, List<double> losses)
    {
        var (entry, options) = Bound(
            name,
            new JsonObject
            {
                ["learningRate"] = plan.Rate,
                ["epochs"] = plan.Epochs,
                ["trainable"] = "full",
            }
        );
        var needs = entry.Needs(options);
        TokenRow Row(StudyRow r, string answer) => checkpoint.Row(r.Question, answer);
        var inputs = new MethodInputs
        {
            Forget = [.. study.Forget.Select(r => Row(r, study.Target(r, plan.Own)))],
            Retain = [.. study.Seen.Select(r => Row(r, study.Target(r, plan.Own)))],
            Refusals =
            [
                .. study.Forget.Select(r => (IReadOnlyList<TokenRow>)[.. study.Refusals.Select(t => Row(r, t))]),
            ],
        };
        IReadOnlyList<PairedRow> places =
        [
            .. plan.Places.Select(p => new PairedRow(
                p.Forget,
                needs.HasFlag(Needs.RetainSet) ? p.Retain : -1,
                needs.HasFlag(Needs.Refusals) ? p.Refusal : -1
            )),
        ];
        void Seen(CurvePoint point) => losses.Add(point.Loss);
        GradientMethod method = options switch
        {
            GradientAscent.Options o => new GradientAscent(o) { Places = places, Observer = Seen },
            GradientDifference.Options o => new GradientDifference(o) { Places = places, Observer = Seen },
            KlMinimisation.Options o => new KlMinimisation(o) { Places = places, Observer = Seen },
            PreferenceOptimisation.Options o => new PreferenceOptimisation(o) { Places = places, Observer = Seen },
            RefusalTraining.Options o => new RefusalTraining(o) { Places = places, Observer = Seen },
            _ => throw new ArgumentException($"'{name}' is no gradient method of the study."),
        };
        return () => method.Edit(checkpoint.Model, inputs, seed);
    }

    private static (MethodEntry Entry, object Options) Bound(string name, JsonObject options) =>
        MethodCatalog.Bind(name, Preset, options, out var problems)
        ?? throw new ArgumentException(
            string.Join(
                "; ",
                problems.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Path} {p.Message}"))
            )
        );
}
