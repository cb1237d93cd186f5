namespace EditUnlearn.Pipeline;

/// <summary>
/// What a running stage sees of the world: its inputs, where to write, and whom to tell how far it is.
/// </summary>
/// <remarks>A stage must not read a file that is not an input: the key would not know of it.</remarks>
public abstract class StageIo
{
    /// <summary>The cell that runs.</summary>
    public abstract CellId Cell { get; }

    /// <summary>Device for tensors: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>.</summary>
    public abstract string Device { get; }

    /// <summary>Element type of weights: <c>float32</c>, <c>bfloat16</c>.</summary>
    public abstract string DType { get; }

    /// <summary>Threads that the stage may keep busy, at most those it declares; no result may depend on it.</summary>
    public virtual int Threads => 1;

    /// <summary>
    /// Whether memory ran out in an earlier attempt, and the stage does what it declares for that
    /// (<see cref="StageInfo.OnOutOfMemory"/>).
    /// </summary>
    public virtual bool FellBack => false;

    /// <summary>Set when the run is being stopped; long loops look at it.</summary>
    public abstract CancellationToken Cancelled { get; }

    /// <summary>
    /// A folder of this key that survives a killed attempt and vanishes with success: for checkpoints of a long
    /// training.
    /// </summary>
    public abstract string Scratch { get; }

    /// <summary>Path of a single input, file or folder, read-only.</summary>
    /// <exception cref="InvalidOperationException">The stage declares no such input, or it holds none or
    /// several.</exception>
    public string Input(string name) =>
        Inputs(name) switch
        {
            [var one] => one.Path,
            var found => throw new InvalidOperationException(
                $"{Cell}: input '{name}' holds {found.Count} artifacts where one is read."
            ),
        };

    /// <summary>Whether an optional input is there.</summary>
    public bool HasInput(string name) => Inputs(name).Count > 0;

    /// <summary>All artifacts of an input, in plan order.</summary>
    /// <exception cref="InvalidOperationException">The stage declares no such input.</exception>
    public abstract IReadOnlyList<BoundInput> Inputs(string name);

    /// <summary>
    /// Where to write a declared output. Its parent exists; a folder output is to be created by the stage.
    /// </summary>
    /// <exception cref="InvalidOperationException">The stage declares no such output.</exception>
    public abstract string Output(string name);

    /// <summary>Tells how far the stage is; cheap enough to call in every step.</summary>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all.</param>
    /// <param name="what">What is being done, for example <c>loss 0.41</c>.</param>
    public abstract void Progress(double done, double total, string? what = null);

    /// <summary>A line for the cell's log.</summary>
    public abstract void Log(string line);

    /// <summary>Shows people a result while the run goes on.</summary>
    /// <param name="text">Some lines.</param>
    public abstract void Show(string text);

    /// <summary>A line for the log, the manifest and the screen: the result stands, but the user should know.</summary>
    public abstract void Warn(string line);

    /// <summary>A number for the manifest, for example <c>rouge1.held-out</c>.</summary>
    public abstract void Metric(string name, double value);
}

/// <summary>One artifact that stands behind an input.</summary>
/// <param name="Source">The cell that made it; null for a file of the project.</param>
/// <param name="Path">File or folder, read-only.</param>
public sealed record BoundInput(CellId? Source, string Path);
