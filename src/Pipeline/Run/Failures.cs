namespace EditUnlearn.Pipeline;

/// <summary>A stage failed: its work, not its input. The command line ends with exit code 1.</summary>
public sealed class StageFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Something that is needed is not there or held by somebody else. The command line ends with exit code 6.</summary>
public sealed class ResourceUnavailableException(string message) : Exception(message);
