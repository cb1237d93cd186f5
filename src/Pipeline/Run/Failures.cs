using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A stage failed: its work, not its input. The command line ends with exit code 1.</summary>
public sealed class StageFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Failures of the engine itself, in words.</summary>
internal static class Failures
{
    /// <summary>Files from outside are not there; all of them, with the commands that fetch them.</summary>
    public static ResourceUnavailableException NotThere(IReadOnlyList<FileInput> files)
    {
        var hints = files.Select(f => f.Obtain).OfType<string>().Distinct().Select(c => $"\n  hint: {c}");
        return new(string.Join('\n', files.Select(f => $"{f.Path}: is not there")) + string.Concat(hints));
    }
}
