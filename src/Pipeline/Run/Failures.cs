namespace EditUnlearn.Pipeline;

/// <summary>A stage failed: its work, not its input. The command line ends with exit code 1.</summary>
public sealed class StageFailedException(string message, Exception? inner = null) : Exception(message, inner);
