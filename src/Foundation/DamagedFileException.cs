namespace EditUnlearn.Foundation;

/// <summary>
/// A file of the store or of a checkpoint does not hold what its format promises. The command line ends with exit code
/// 5.
/// </summary>
/// <param name="file">The file.</param>
/// <param name="problem">What is wrong with it, one sentence.</param>
/// <param name="hint">What to do about it.</param>
/// <param name="inner">The library's own error, if any.</param>
public sealed class DamagedFileException(string file, string problem, string? hint = null, Exception? inner = null)
    : Exception(new InputProblem(file, 0, 0, problem, hint).ToString(), inner)
{
    /// <summary>What is wrong with it.</summary>
    public string Problem { get; } = problem;

    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; } = hint;

    /// <summary>The file that is damaged.</summary>
    public string File { get; } = file;
}
