namespace EditUnlearn.Pipeline;

/// <summary>A kind of work the pipeline can run: typed parameters in, files in, files out.</summary>
public interface IStage
{
    /// <summary>Name, inputs, outputs and what it needs to run.</summary>
    StageInfo Info { get; }

    /// <summary>
    /// The record that <c>with:</c> is bound to. Its properties are the known keys, in camelCase; their defaults are
    /// the stage's.
    /// </summary>
    Type ParametersType { get; }

    /// <summary>
    /// What is wrong with bound parameters beyond their types; run for the whole file before anything runs.
    /// </summary>
    IEnumerable<ParameterProblem> Check(object parameters);

    /// <summary>
    /// Parameters with every value in force that they leave to a table of values, such as a preset: the key and the
    /// manifest hold the values, not the name. Only for parameters without a problem.
    /// </summary>
    object Complete(object parameters);

    /// <summary>
    /// Types picked from a catalogue by these parameters, whose code enters the key besides that of the stage itself.
    /// </summary>
    IEnumerable<Type> CodeOf(object parameters);

    /// <summary>
    /// Whether these parameters make use of an input; the plan leaves the others out, so that a change of what is not
    /// read makes nothing stale.
    /// </summary>
    bool Uses(object parameters, string input);

    /// <summary>
    /// Where the values of a parameter come from that the stage itself takes from several layers, such as the options
    /// of a method; null where it has none of that kind.
    /// </summary>
    /// <param name="written">Parameters as the file gives them.</param>
    /// <param name="origin">Where a parameter was set, by its path; null for one that the profile leaves
    /// out.</param>
    IReadOnlyList<OptionOrigin>? Origins(object written, Func<string, ValueOrigin?> origin);

    /// <summary>
    /// Reads <paramref name="io"/>'s inputs and writes its outputs. Synchronous: dispose scopes belong to the thread.
    /// </summary>
    void Run(object parameters, StageIo io);
}

/// <summary>Base of every stage.</summary>
/// <typeparam name="T">The parameters, a record whose docs give units and origin.</typeparam>
public abstract class Stage<T> : IStage
    where T : notnull
{
    /// <inheritdoc/>
    public abstract StageInfo Info { get; }

    /// <inheritdoc/>
    public Type ParametersType => typeof(T);

    /// <inheritdoc cref="IStage.Run"/>
    protected abstract void Run(T parameters, StageIo io);

    /// <inheritdoc cref="IStage.Check"/>
    protected virtual IEnumerable<ParameterProblem> Check(T parameters) => [];

    /// <inheritdoc cref="IStage.Complete"/>
    protected virtual T Complete(T parameters) => parameters;

    /// <inheritdoc cref="IStage.CodeOf"/>
    protected virtual IEnumerable<Type> CodeOf(T parameters) => [];

    /// <inheritdoc cref="IStage.Uses"/>
    protected virtual bool Uses(T parameters, string input) => true;

    /// <inheritdoc cref="IStage.Origins"/>
    protected virtual IReadOnlyList<OptionOrigin>? Origins(T written, Func<string, ValueOrigin?> origin) => null;

    void IStage.Run(object parameters, StageIo io) => Run((T)parameters, io);

    IEnumerable<ParameterProblem> IStage.Check(object parameters) => Check((T)parameters);

    object IStage.Complete(object parameters) => Complete((T)parameters);

    IEnumerable<Type> IStage.CodeOf(object parameters) => CodeOf((T)parameters);

    bool IStage.Uses(object parameters, string input) => Uses((T)parameters, input);

    IReadOnlyList<OptionOrigin>? IStage.Origins(object written, Func<string, ValueOrigin?> origin) =>
        Origins((T)written, origin);
}

/// <summary>One value of an option with where it came from.</summary>
/// <param name="Option">Its path in the spelling of the file: <c>value.learning-rate</c>.</param>
/// <param name="Value">As JSON.</param>
/// <param name="Origin">The layer and its place: <c>default</c>, <c>preset corrected</c>,
/// <c>profiles/mini.yaml:41</c>.</param>
/// <param name="Overridden">Values of lower layers, the nearest first, each with its origin.</param>
public sealed record OptionOrigin(
    string Option,
    string Value,
    string Origin,
    IReadOnlyList<(string Value, string Origin)> Overridden
);

/// <summary>A mistake in a bound parameter.</summary>
/// <param name="Path">Where, in the spelling of the file: <c>method</c>, <c>options.learningRate</c>.</param>
/// <param name="Message">One sentence without a full stop.</param>
/// <param name="Hint">What to do, or null.</param>
public sealed record ParameterProblem(string Path, string Message, string? Hint = null);

/// <summary>What the engine must know of a stage.</summary>
/// <param name="Name">As in <c>run:</c>.</param>
/// <param name="Version">Raised by hand when results change though the code identity does not see it.</param>
/// <param name="Summary">One line for <c>dag</c> and the help.</param>
public sealed record StageInfo(string Name, int Version, string Summary)
{
    /// <summary>Names under <c>in:</c>.</summary>
    public IReadOnlyList<StageInput> Inputs { get; init; } = [];

    /// <summary>
    /// Files or folders it writes, by name, for example <c>answers.parquet</c> or <c>model</c>. The first is what
    /// another stage gets when it names no output.
    /// </summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>
    /// The input that readers of the first output get in its place: a folder of the user's that is too large to be
    /// copied into the store. The output then only names its content, and that is what later keys see: where the folder
    /// lies changes nothing.
    /// </summary>
    public string? StandsFor { get; init; }

    /// <summary>
    /// What of the machine decides its output beside its code: a program that makes it where it is installed. Each
    /// value enters the key.
    /// </summary>
    public IReadOnlyList<Surrounding> Surroundings { get; init; } = [];

    /// <summary>What it occupies while it runs.</summary>
    public Resource Resource { get; init; } = Resource.Cpu;

    /// <summary>.NET threads it works with at most; the scheduler counts them against <c>-j</c>.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>
    /// Threads it is given at most where nothing else can use them. Unlike <see cref="Threads"/> they are not waited
    /// for.
    /// </summary>
    public int SpareThreads { get; init; } = 1;

    /// <summary>
    /// What the stage does once when memory ran out (<see cref="StageIo.FellBack"/>), in words for manifest and log; it
    /// must not change any number. Null: such a failure is final.
    /// </summary>
    public string? OnOutOfMemory { get; init; }
}

/// <summary>One input of a stage.</summary>
/// <param name="Name">As under <c>in:</c>.</param>
/// <param name="Count">How many artifacts may stand there.</param>
public sealed record StageInput(string Name, InputCount Count = InputCount.One);

/// <summary>How many artifacts an input takes.</summary>
public enum InputCount
{
    /// <summary>Exactly one.</summary>
    One,

    /// <summary>One or none.</summary>
    Optional,

    /// <summary>Any number, in plan order: a fan-in.</summary>
    Many,
}

/// <summary>What a stage occupies while it runs.</summary>
public enum Resource
{
    /// <summary>Processor time only. Device and dtype do not enter its key.</summary>
    Cpu,

    /// <summary>Tensors on the run's device, in the run's dtype; both enter its key.</summary>
    Accelerator,
}
