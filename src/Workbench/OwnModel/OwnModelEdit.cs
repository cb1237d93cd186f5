using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Estimates;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>
/// Makes a user's own model forget: reads what is asked, checks all of it before a weight is read, then asks, edits,
/// asks again and writes.
/// </summary>
/// <remarks>
/// The same code gathers inputs and measures statistics as in the study (<see cref="MethodMaterial"/>,
/// <see cref="ModelStatistics"/>). The model's folder is only read.
/// </remarks>
public sealed class OwnModelEdit
{
    private readonly ApplyRequest _request;
    private readonly MethodEntry _entry;
    private readonly object _options;
    private readonly string _family;
    private readonly ModelConfig _config;
    private readonly MethodRows _rows;
    private readonly IReadOnlyList<QaRow> _heldOut;
    private readonly TokenRequests? _tokens;
    private readonly OwnStatistics _statistics;
    private readonly IReadOnlyList<string> _needed;

    private OwnModelEdit(ApplyRequest request, CheckedRequest read)
    {
        _request = request;
        (_entry, _options, _family, _config, _rows, _heldOut, _tokens) = read;
        _statistics = new OwnStatistics(request, _entry, _options);
        _needed = ApplyCheck.Needed(_entry, _options, _tokens);
    }

    /// <summary>Whether the requests are token ids, so that no tokenizer is read.</summary>
    public bool IsExact => _tokens is not null;

    /// <summary>Reads and checks everything but weights.</summary>
    /// <exception cref="InputException">All that is wrong, at once.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static OwnModelEdit Prepare(ApplyRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new OwnModelEdit(request, new ApplyCheck(request).Run());
    }

    /// <summary>
    /// What the run would do, hold in memory and take in time; nothing is loaded but libtorch, to measure the machine.
    /// </summary>
    /// <param name="rate">Operations a second; see <see cref="TimeModel.Measure"/>.</param>
    public ApplyPlan Plan(double rate)
    {
        var asked = Asked().Count;
        var typeBytes = _request.Compute.DType == ScalarType.Float32 ? 4 : 2;
        var made = _statistics.ToMake(_needed);
        var weights = ModelFolder.Look(_request.Model, "").WeightBytes;
        var edits = _tokens?.Edits.Count ?? _rows.Requests.Count;
        var estimate = new ApplyEstimate(
            _config,
            _entry,
            _options,
            new WorkSize(
                edits,
                asked,
                _request.MaxNewTokens,
                _statistics.TextTokens(_needed),
                made,
                weights,
                !_request.PatchOnly
            )
        );
        return new ApplyPlan(
            _entry.Label,
            _family,
            _config.Family,
            _config.Layers,
            _request.Preset,
            MethodCatalog.ToJson(_options),
            edits,
            asked,
            made,
            estimate.Memory(typeBytes),
            [.. estimate.Parts().Select(w => (w.Name, TimeModel.Seconds(w, rate)))],
            rate,
            weights
        );
    }

    /// <summary>Does it, on questions.</summary>
    /// <param name="checkpoint">The model of the request, untouched; it comes back so.</param>
    /// <param name="listener">Whom to tell.</param>
    /// <exception cref="InputException">A question cannot be used with this model.</exception>
    /// <exception cref="MethodFailedException">The arithmetic broke down.</exception>
    public ApplyReport Run(Checkpoint checkpoint, ApplyListener listener)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return Finish(InWork(checkpoint.Model, checkpoint, listener, work => RunOn(checkpoint, listener, work)));
    }

    private ApplyReport RunOn(Checkpoint checkpoint, ApplyListener listener, Work work)
    {
        // Whatever can be refused is refused before the first answer.
        var inputs = work.Complete(MethodMaterial.Rows(_entry, _options, checkpoint, _rows, work.Ready));
        var questions = Asked();
        WarnOfReadings(work, checkpoint);
        var before = work.Timed(
            "answers before",
            () =>
                work.Before(() =>
                    OwnQuestions.Ask(
                        checkpoint,
                        questions,
                        MethodNames.Untouched,
                        _request.MaxNewTokens,
                        null,
                        work.Asking("before"),
                        listener.Cancelled
                    )
                )
        );
        using var patch = work.Edit(inputs);
        IReadOnlyList<AnswerRow> after;
        var prompts = questions.Select(q => checkpoint.Prompt(q.Question)).ToList();
        var tap = patch.Tap?.Settle(checkpoint.Model, prompts);
        using (patch.ApplyTo(checkpoint.Model))
            after = work.Timed(
                "answers after",
                () =>
                    OwnQuestions.Ask(
                        checkpoint,
                        questions,
                        _entry.Name,
                        _request.MaxNewTokens,
                        tap,
                        work.Asking("after"),
                        listener.Cancelled
                    )
            );
        var routes = patch.Routes(checkpoint.Model, prompts, [.. questions.Select(q => q.Split)], tap);
        return work.Report(patch) with
        {
            Before = before,
            After = after,
            MeansBefore = OwnQuestions.Means(before, new Seed(_request.Seed)),
            MeansAfter = OwnQuestions.Means(after, new Seed(_request.Seed)),
            Routed = routes
                .Zip(questions)
                .GroupBy(r => r.Second.Split)
                .ToDictionary(g => g.Key, g => g.Average(r => r.First.Routed ? 1.0 : 0)),
            Targets = _rows.Targets,
        };
    }

    /// <summary>Does it, on token ids.</summary>
    /// <inheritdoc cref="Run(Checkpoint, ApplyListener)"/>
    public ApplyReport Run(CausalLm model, ApplyListener listener)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Finish(InWork(model, null, listener, work => RunOnTokens(model, listener, work)));
    }

    // What the same run can only meet again is not worth keeping a state for.
    private ApplyReport InWork(
        CausalLm model,
        Checkpoint? checkpoint,
        ApplyListener listener,
        Func<Work, ApplyReport> run
    )
    {
        using var scope = NewDisposeScope();
        using var work = new Work(this, model, checkpoint, listener);
        try
        {
            var report = run(work);
            work.Done();
            return report;
        }
        catch (Exception e) when (e is InputException or MethodFailedException)
        {
            work.Done();
            throw;
        }
    }

    private ApplyReport RunOnTokens(CausalLm model, ApplyListener listener, Work work)
    {
        var edits = _tokens!.Edits;
        var inputs = new MethodInputs
        {
            Edits = edits,
            Contexts =
                _tokens.Contexts
                ??
                [
                    [],
                ],
            Locality = _tokens.Locality,
            Draws = _tokens.Draws(),
        };
        if (
            MethodMaterial.Needed(_entry, _options).Any(n => n is MethodMaterial.Moments or MethodMaterial.Projector)
            && _tokens.SecondMoments(((IEditingOptions)_options).Layers, _config.IntermediateSize) is { } moments
        )
            inputs = _options is INullSpaceOptions bound
                ? inputs with
                {
                    NullSpaces = moments.ToDictionary(
                        m => m.Key,
                        m => NullSpace.Of(m.Value, bound.NullSpaceThreshold, bound.NullSpaceUnit)
                    ),
                }
                : inputs with
                {
                    SecondMoments = moments,
                };
        EditRows(edits);
        inputs = work.Complete(inputs);
        var before = work.Timed("answers before", () => Look(model, edits, null, listener.Cancelled));
        using var patch = work.Edit(inputs);
        IReadOnlyList<(double Probability, IReadOnlyList<int> Ids)> after;
        using (patch.ApplyTo(model))
            after = work.Timed("answers after", () => Look(model, edits, patch.Tap, listener.Cancelled));
        return work.Report(patch) with
        {
            Requests =
            [
                .. edits.Select(
                    (e, i) =>
                        new TokenOutcome(
                            e.Id,
                            before[i].Probability,
                            after[i].Probability,
                            before[i].Ids,
                            after[i].Ids
                        )
                ),
            ],
        };
    }

    // What the answers do not say.
    private void WarnOfReadings(Work work, Checkpoint checkpoint)
    {
        if (TrainsOnRetain && _heldOut.Count == 0)
            work.Warn(
                $"{_entry.Label} trains on every kept question that is asked, so they do not say what is kept beyond "
                    + "them; --holdout FILE names questions that it does not see"
            );
        foreach (var doubt in OwnQuestions.Doubts(checkpoint, Asked(), _request.MaxNewTokens))
            work.Warn(doubt);
        if (AskedOtherwise(checkpoint))
            work.Warn(
                "the questions were edited by themselves (format: raw) and are asked in the chat template: an adapter "
                    + "that goes by the prompt may never answer them (docs/methods.md, \"Requests\")"
            );
    }

    // Whether an edit saw another prompt than the model is asked with.
    private bool AskedOtherwise(Checkpoint checkpoint) =>
        _options is IEditingOptions { Format: PromptFormat.Raw }
        && _rows.Requests.Any(q =>
            !checkpoint
                .Prompt(q.Question)
                .SequenceEqual(checkpoint.PromptWithOffsets(q.Question, raw: true).Select(p => p.Id))
        );

    private ApplyReport Finish(ApplyReport report)
    {
        if (_request.Report is not { } path)
            return report;
        try
        {
            report.Write(path);
        }
        catch (Exception e) when (UserFile.IsTrouble(e))
        {
            // Hours of work must not look lost.
            throw new ResourceUnavailableException(
                $"{path}: the report cannot be written: {e.Message}\n  hint: {report.Written.Folder} is whole; "
                    + "eval it, or run again with --report elsewhere",
                e
            );
        }
        return report;
    }

    // Ids the model does not have would stop a pass with an error of the library.
    private void EditRows(IReadOnlyList<EditRequest> edits)
    {
        var problems = edits
            .Where(e => e.PromptIds.Concat(e.TargetIds).Concat(e.Answer).Any(i => i < 0 || i >= _config.VocabSize))
            .Select(e =>
                e.Problem(
                    "holds tokens the model does not have",
                    $"its vocabulary goes from 0 to {_config.VocabSize - 1}"
                )
            )
            .Concat(
                edits
                    .Where(e => e.PromptIds.Count + e.Answer.Count > _config.MaxPositions)
                    .Select(e =>
                        e.Problem(
                            $"takes {e.PromptIds.Count + e.Answer.Count} tokens, but the model has "
                                + $"{_config.MaxPositions} positions",
                            "a shorter prompt or target"
                        )
                    )
            )
            .ToList();
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    private static IReadOnlyList<(double Probability, IReadOnlyList<int> Ids)> Look(
        CausalLm model,
        IReadOnlyList<EditRequest> edits,
        ForwardTap? tap,
        CancellationToken cancelled
    )
    {
        var scores = Scorer.Score(
            model,
            [.. edits.Select(e => new TokenRow([.. e.PromptIds, .. e.Answer], e.PromptIds.Count))],
            tap: tap,
            cancelled: cancelled
        );
        var said = GreedyDecoder.Decode(
            model,
            [.. edits.Select(e => e.PromptIds)],
            new GreedyDecoder.Options
            {
                MaxNewTokens = edits.Max(e => e.Answer.Count),
                StopIds = [],
                Tap = tap,
            },
            cancelled: cancelled
        );
        return
        [
            .. edits.Select(
                (e, i) =>
                    (
                        Math.Exp(scores[i].LogProbabilities.Average()),
                        (IReadOnlyList<int>)[.. said[i].Ids.Take(e.Answer.Count)]
                    )
            ),
        ];
    }

    private IReadOnlyList<AnswerCollector.Asked> Asked() =>
        [
            .. OwnQuestions.AsWritten(SplitNames.Forget, _rows.Forget),
            .. OwnQuestions.InOtherWords(_rows.Forget),
            .. OwnQuestions.AsWritten(SplitNames.Retain, TrainsOnRetain ? _heldOut : [.. _rows.Retain, .. _heldOut]),
            .. OwnQuestions.AsWritten(SplitNames.RetainTrained, TrainsOnRetain ? _rows.Retain : []),
        ];

    private bool TrainsOnRetain => _entry.Needs(_options).HasFlag(Needs.RetainSet);

    // One run: who is told, what was noted, how long it took, where a killed one goes on.
    private sealed class Work : IDisposable
    {
        private readonly OwnModelEdit _edit;
        private readonly CausalLm _model;
        private readonly Checkpoint? _checkpoint;
        private readonly ApplyListener _listener;
        private readonly JsonObject _manifest;
        private readonly WorkFolder _folder;
        private readonly List<string> _statistics = [];
        private readonly Dictionary<string, double> _seconds = [];
        private readonly Dictionary<string, double> _metrics = [];
        private readonly List<string> _warnings = [];
        private MethodInputs? _owned;

        public Work(OwnModelEdit edit, CausalLm model, Checkpoint? checkpoint, ApplyListener listener)
        {
            (_edit, _model, _checkpoint, _listener) = (edit, model, checkpoint, listener);
            _manifest = Manifest();
            var prompts = checkpoint is null ? [] : edit.Asked().Select(q => checkpoint.Prompt(q.Question));
            _folder = WorkFolder.Open(
                edit._request.Out,
                WorkFolder.Identity(edit._request, _manifest, prompts),
                listener.Note
            );
            edit._statistics.Scratch = _folder.Path;
        }

        public string Ready(string name)
        {
            var file = _edit._statistics.Ready(name, _model, _checkpoint, _listener with { Warn = Warn });
            if (!_statistics.Contains(file))
                _statistics.Add(file);
            return file;
        }

        // The answers of the untouched model, once for all attempts.
        public IReadOnlyList<AnswerRow> Before(Func<IReadOnlyList<AnswerRow>> ask)
        {
            if (File.Exists(_folder.Before))
                try
                {
                    return ParquetTable.Read<AnswerRow>(_folder.Before);
                }
                catch (DamagedFileException)
                {
                    // Asked again.
                }
            var rows = ask();
            AtomicFile.Write(_folder.Before, path => ParquetTable.Write(path, rows));
            return rows;
        }

        public Action<int, int> Asking(string when) =>
            (done, total) => _listener.Progress?.Invoke("answers " + when, done, total);

        public T Timed<T>(string part, Func<T> what)
        {
            var clock = Stopwatch.StartNew();
            try
            {
                return what();
            }
            finally
            {
                _seconds[part] = clock.Elapsed.TotalSeconds;
            }
        }

        public MethodInputs Complete(MethodInputs tokens)
        {
            var request = _edit._request;
            var measured = Timed("statistics", () => Measured(tokens));
            return _owned = measured with
            {
                Store = new TrainingStore(
                    _folder.EditState,
                    WorkFolder.Identity(measured, _statistics),
                    note: _listener.Note
                ),
                OpenReference = request.Reference is { } folder
                    ? () => WeightFolder.Load(folder, request.Compute.Device, request.Compute.DType)
                    : null,
                Progress = p => _listener.Progress?.Invoke($"{_edit._entry.Label} ({p.What})", p.Done, p.Total),
                Trained = Trained,
                Warn = Warn,
                Metric = (name, value) => _metrics[name] = value,
                Cancelled = _listener.Cancelled,
            };
        }

        private MethodInputs Measured(MethodInputs tokens)
        {
            var (needed, options) = (_edit._needed, _edit._options);
            var samples = _edit._request.Mom2Samples;
            var inputs = MethodMaterial.Statistics(tokens, needed, options, _model, Ready, samples);
            foreach (var (name, value) in MethodMaterial.MeasuredOn(needed, options, Ready))
            {
                _metrics[name] = value;
                // C has no more directions than tokens went into it: what it says nothing of may be changed at will.
                var isTokens = name.EndsWith(MethodMaterial.TokensSuffix, StringComparison.Ordinal);
                if (isTokens && value < _edit._config.IntermediateSize)
                    Warn(
                        $"the second moments come from {value} tokens, fewer than the {_edit._config.IntermediateSize} "
                            + "coordinates of a key: most directions count as free, and nothing is kept along them; "
                            + "more text gives more directions"
                    );
            }
            return inputs;
        }

        public ModelPatch Edit(MethodInputs inputs) =>
            Timed(
                "edit",
                () => _edit._entry.Create(_edit._options).Edit(_model, inputs, new Seed(_edit._request.Seed))
            );

        public ApplyReport Report(ModelPatch patch)
        {
            var request = _edit._request;
            var options = new ExportOptions
            {
                ShardBytes = request.ShardBytes,
                Overwrite = request.Overwrite,
                Cancelled = _listener.Cancelled,
                Progress = p =>
                    _listener.Progress?.Invoke("writing [MB]", (int)(p.BytesDone >> 20), (int)(p.BytesTotal >> 20)),
            };
            var written = Timed(
                "write",
                () =>
                    PatchExport.Write(
                        request.Model,
                        _model,
                        patch,
                        request.Out,
                        options,
                        request.PatchOnly,
                        _manifest
                    )
            );
            return new ApplyReport
            {
                Manifest = _manifest,
                Label = _edit._entry.Label,
                Written = written,
                Edits = patch.Health,
                Metrics = _metrics,
                Warnings = _warnings,
                Seconds = _seconds,
                PeakBytes = Process.GetCurrentProcess().PeakWorkingSet64,
            };
        }

        public void Dispose()
        {
            if (_owned is not null)
                MethodMaterial.Free(_owned);
            if (_folder.HoldsState)
                _listener.Note?.Invoke(
                    $"what was done is kept in {_folder.Path}; the same command goes on from there"
                );
            _folder.Dispose();
        }

        public void Done() => _folder.Done();

        public void Warn(string line)
        {
            _warnings.Add(line);
            _listener.Warn?.Invoke(line);
        }

        private void Trained(TrainingRecord record)
        {
            _metrics["training.steps"] = record.Curve.Count;
            if (record.Curve.Count > 0)
                _metrics["training.last-loss"] = record.Curve[^1].Loss;
            if (record.Diverged is not { } diverged)
                return;
            _metrics["training.diverged-step"] = diverged.Step;
            // What is left is the state of a few updates: neither what was asked for, nor the model as it was.
            throw new MethodFailedException(
                _edit._entry.Label,
                $"update {diverged.Step} of {record.PlannedSteps}",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"training diverged: the loss is {diverged.Loss:g4}, its gradient's norm {diverged.GradientNorm:g4}"
                ),
                "a lower learning rate; nothing was written"
            );
        }

        // Without dates and places: the same patch has the same manifest.
        private JsonObject Manifest()
        {
            var (request, compute) = (_edit._request, _edit._request.Compute);
            return new JsonObject
            {
                ["format"] = "apply/1",
                ["method"] = _edit._entry.Name,
                ["preset"] = request.Preset,
                ["family"] = _edit._family,
                ["options"] = MethodCatalog.ToJson(_edit._options),
                ["seed"] = request.Seed,
                ["compute"] = compute.ToString(),
                ["model"] = WeightFingerprint.Of(_model),
                ["requests"] = new JsonObject
                {
                    ["file"] = Path.GetFileName(request.Asked),
                    ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(request.Asked))),
                    ["rows"] = _edit._tokens?.Edits.Count ?? _edit._rows.Requests.Count,
                },
            };
        }
    }
}
