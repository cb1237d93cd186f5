namespace EditUnlearn.Methods.Shared;

/// <summary>
/// What must be known of any editing method's options before its inputs can be gathered: a new method is one file and
/// one line, no stage names it.
/// </summary>
public interface IEditingOptions : ICheckedOptions
{
    /// <summary>Edited blocks, 0-based, in ascending order.</summary>
    IReadOnlyList<int> Layers { get; }

    /// <summary>
    /// Whether the target ends with EOS; without it the model has no reason to stop (defect S10). Origin: the
    /// reference's code.
    /// </summary>
    bool AppendEos { get; }

    /// <summary>
    /// Whether a question is edited in the model's chat template, as it is asked, or by itself. Origin: ours; the
    /// reference's code edits it by itself, but for WISE on Llama-3.
    /// </summary>
    PromptFormat Format { get; }

    /// <summary>
    /// Text between prompt and target; null for the format's own: nothing after a chat template, one space after a bare
    /// question. Origin: the reference's code.
    /// </summary>
    string? Join { get; }

    /// <summary>How the ids of a target are found; methods that do not ask have them cut in context.</summary>
    TargetIdsMode TargetIds => TargetIdsMode.Offsets;

    /// <summary>Whose last token is the lookup position; without meaning where nothing is looked up.</summary>
    SubjectMode Subject => SubjectMode.Annotated;

    /// <summary>Edits written together, all values sought on the same weights. Origin: the reference's files.</summary>
    int BatchSize => 1;

    /// <summary>How context prefixes are written.</summary>
    ContextRecipe ContextRecipe { get; }

    /// <summary>How many of them are used besides the empty one; 0 for none.</summary>
    int Contexts { get; }

    /// <summary>
    /// Rows of a batch that go through the model together; more edits go one group after another. Bounds memory,
    /// changes rounding only.
    /// </summary>
    static int RowsTogether => 32;

    IEnumerable<OptionProblem> ICheckedOptions.Check() => EditingOptions.Problems(this, null, 1);
}

/// <summary>
/// Which directions of a memory a method writes to, so that its projectors can be made before it runs.
/// </summary>
public interface INullSpaceOptions
{
    /// <summary>Directions with an eigenvalue of C below are written to.</summary>
    double NullSpaceThreshold { get; }

    /// <summary>Unit of that bound.</summary>
    EigenvalueUnit NullSpaceUnit { get; }
}

/// <summary>Checks that editing methods share.</summary>
internal static class EditingOptions
{
    /// <summary>
    /// What is wrong with the common options, with a value optimisation, and with numbers that must be above 0.
    /// </summary>
    public static IEnumerable<OptionProblem> Problems(
        IEditingOptions options,
        ValueOptions? value,
        int batchSize,
        params (string Name, double Number)[] positive
    )
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(positive);
        OptionProblem Problem(string name, string message) => new("options." + name, message, null);
        var layers = options.Layers;
        if (layers.Count == 0 || layers.Any(l => l < 0) || layers.Zip(layers.Skip(1)).Any(p => p.First >= p.Second))
            yield return Problem("layers", "must be a list of block numbers from 0, in ascending order");
        var most = ContextPrefixes.Available(options.ContextRecipe);
        if (options.Contexts < 0 || options.Contexts > most)
            yield return Problem("contexts", $"must be from 0 to {most}");
        if (!Enum.IsDefined(options.TargetIds))
            yield return Problem("targetIds", "must be offsets or textRoundTrip");
        if (!Enum.IsDefined(options.Format))
            yield return Problem("format", "must be chat or raw");
        if (!Enum.IsDefined(options.Subject))
            yield return Problem("subject", "must be annotated, wholePrompt or lastToken");
        if (batchSize < 1)
            yield return Problem("batchSize", "must be at least 1");
        foreach (var (name, number) in positive)
            if (!(number > 0 && double.IsFinite(number)))
                yield return Problem(name, "must be above 0");
        if (value is null)
            yield break;
        if (value.Steps < 1)
            yield return Problem("value.steps", "must be at least 1");
        foreach (
            var (name, number) in new[]
            {
                ("learningRate", value.LearningRate),
                ("clampNormFactor", value.ClampNormFactor),
            }
        )
            if (!(number > 0 && double.IsFinite(number)))
                yield return Problem("value." + name, "must be above 0");
        foreach (
            var (name, number) in new[]
            {
                ("weightDecay", value.WeightDecay),
                ("klFactor", value.KlFactor),
                ("stopLoss", value.StopLoss),
            }
        )
            if (!(number >= 0 && double.IsFinite(number)))
                yield return Problem("value." + name, "must not be below 0");
    }
}
