using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>
/// The statistics one method needs of one user's model: files that are there are used, others are made, and kept where
/// a place was named for them.
/// </summary>
/// <param name="request">Names the files.</param>
/// <param name="entry">The method.</param>
/// <param name="options">Its options record.</param>
internal sealed class OwnStatistics(ApplyRequest request, MethodEntry entry, object options)
{
    /// <summary>For files that nobody wants to keep; null while there is no run.</summary>
    public string? Scratch { get; set; }

    /// <summary>
    /// As in the reference's runs but for Llama-3.1, whose whole window does not fit any memory (defect S14).
    /// </summary>
    private const int Truncation = 4096;

    /// <summary>What will have to be made, in order.</summary>
    /// <param name="needed">What the method needs and the requests do not bring.</param>
    public IReadOnlyList<string> ToMake(IReadOnlyList<string> needed)
    {
        var make = needed.Where(n => n != MethodMaterial.Locality && !File.Exists(PathOf(n))).ToList();
        if (
            make.Contains(MethodMaterial.Projector)
            && !needed.Contains(MethodMaterial.Moments)
            && !File.Exists(PathOf(MethodMaterial.Moments))
        )
            make.Insert(make.IndexOf(MethodMaterial.Projector), MethodMaterial.Moments);
        return make;
    }

    /// <summary>What keeps a run from getting what it needs.</summary>
    /// <param name="needed">What the method needs and the requests do not bring.</param>
    /// <param name="tokens">Whether there is no tokenizer.</param>
    public IEnumerable<InputProblem> Problems(IReadOnlyList<string> needed, bool tokens)
    {
        var make = ToMake(needed);
        if (make.Contains(MethodMaterial.Contexts) && tokens)
            yield return new InputProblem(
                request.Asked,
                1,
                0,
                $"brings no context prefixes, and {entry.Label} asks for {(options as IEditingOptions)?.Contexts}",
                "context_prefixes in the header, --contexts, or contexts: 0 in --method-options; without a "
                    + "tokenizer none can be written"
            );
        if (make.Contains(MethodMaterial.Moments) && request.MomentsText is null)
            yield return new InputProblem(
                "--moments",
                0,
                0,
                $"{entry.Label} needs second moments of this model's memories, and there are "
                    + $"none{(request.Moments is { } m ? $" at {m}" : "")}",
                tokens
                    ? "second_moments in the header of the token requests, or --moments with what another run has kept"
                    : "--moments-text FILE measures them: ordinary text, one document a line (.txt), or a question "
                        + "file; 1000 documents are enough"
            );
        else if (make.Contains(MethodMaterial.Moments) && tokens)
            yield return new InputProblem(
                "--moments-text",
                0,
                0,
                "cannot be read without a tokenizer",
                "second_moments in the header of the token requests, or --moments with what another run has kept"
            );
        if (make.Contains(MethodMaterial.Moments) && request.MomentsText is { } text && !File.Exists(text))
            yield return new InputProblem(text, 0, 0, "there is no such file");
        if (make.Contains(MethodMaterial.Projector) && options is not INullSpaceOptions)
            yield return new InputProblem(
                "--projector",
                0,
                0,
                $"{entry.Label} needs projectors, and there are none",
                "give the file"
            );
        if (needed.Contains(MethodMaterial.Locality) && request.Locality is null)
            yield return new InputProblem(
                "--locality",
                0,
                0,
                $"{entry.Label} needs texts that must not change",
                "a question file, such as data/generic-locality.jsonl of this project"
            );
        foreach (var (name, given) in Given)
            if (given is not null && make.Contains(name) && IsInside(PathOf(name), request.Model))
                yield return new InputProblem(
                    $"--{name}",
                    0,
                    0,
                    $"would be kept in the model's own folder, which is never written to: {given}",
                    "name another place"
                );
    }

    /// <summary>The file of a kind of statistics, made if it is not there.</summary>
    /// <param name="name">As <see cref="MethodMaterial.Needed"/> lists it.</param>
    /// <param name="model">The untouched model.</param>
    /// <param name="checkpoint">The same with its tokenizer; null for token requests.</param>
    /// <param name="listener">Whom to tell.</param>
    public string Ready(string name, CausalLm model, Checkpoint? checkpoint, ApplyListener listener)
    {
        var path = PathOf(name);
        if (name == MethodMaterial.Locality || File.Exists(path))
            return path;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var partial = $"{path}.partial-{Environment.ProcessId}";
        var told = new ModelStatistics.Listener
        {
            Progress = (done, total) => listener.Progress?.Invoke(name, done, total),
            Warn = listener.Warn,
            Cancelled = listener.Cancelled,
        };
        listener.Note?.Invoke(
            Given.GetValueOrDefault(name) is null
                ? $"{name}: made from the model for this run"
                : $"{name}: made from the model and kept in {path}"
        );
        var layers = (options as IEditingOptions)?.Layers ?? [];
        try
        {
            switch (name)
            {
                case MethodMaterial.Contexts:
                    ModelStatistics.WriteContexts(partial, checkpoint!, new Seed(request.Seed), told);
                    break;
                case MethodMaterial.Moments:
                    ModelStatistics.WriteMoments(
                        partial,
                        model,
                        ModelStatistics.Text(
                            checkpoint!,
                            request.MomentsText!,
                            request.Mom2Samples is { } samples ? (samples, new Seed(request.Seed)) : null
                        ),
                        layers,
                        Truncation,
                        told
                    );
                    break;
                case MethodMaterial.Projector:
                    var bound = (INullSpaceOptions)options;
                    ModelStatistics.WriteProjector(
                        partial,
                        Ready(MethodMaterial.Moments, model, checkpoint, listener),
                        layers,
                        bound.NullSpaceThreshold,
                        bound.NullSpaceUnit,
                        model.Device,
                        told
                    );
                    break;
            }
            File.Move(partial, path);
        }
        finally
        {
            File.Delete(partial);
        }
        return path;
    }

    /// <summary>Tokens of the text, four letters each, where second moments will have to be measured.</summary>
    public double TextTokens(IReadOnlyList<string> needed) =>
        ToMake(needed).Contains(MethodMaterial.Moments) && request.MomentsText is { } text && File.Exists(text)
            ? new FileInfo(text).Length / 4.0
            : 0;

    private Dictionary<string, string?> Given =>
        new()
        {
            [MethodMaterial.Contexts] = request.Contexts,
            [MethodMaterial.Moments] = request.Moments,
            [MethodMaterial.Projector] = request.Projector,
            [MethodMaterial.Locality] = request.Locality,
        };

    // A name without an ending is a folder, there or to be made.
    private string PathOf(string name)
    {
        var file = name switch
        {
            MethodMaterial.Contexts => ModelStatistics.ContextsFile,
            MethodMaterial.Moments => ModelStatistics.MomentsFile,
            _ => ModelStatistics.ProjectorFile,
        };
        if (Given.GetValueOrDefault(name) is not { } given)
            return Path.Combine(Scratch ?? Path.Combine(request.Out, "no-run-yet"), file);
        return name != MethodMaterial.Locality && (Directory.Exists(given) || !Path.HasExtension(given))
            ? Path.Combine(given, file)
            : given;
    }

    internal static bool IsInside(string path, string folder) =>
        Path.GetFullPath(path)
            .StartsWith(
                Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar,
                StringComparison.Ordinal
            );
}
