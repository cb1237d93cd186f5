namespace EditUnlearn.Foundation;

/// <summary>Something that is needed is not there or held by somebody else: a device, a program, a network. The command line ends with exit code 6.</summary>
public sealed class ResourceUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
