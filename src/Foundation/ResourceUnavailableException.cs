namespace EditUnlearn.Foundation;

/// <summary>
/// Something that is needed is not there, not reachable or held by somebody else: a file from outside, the network,
/// disk space, a lock. The command line ends with exit code 6.
/// </summary>
/// <param name="message">What is missing; a line <c>hint:</c> may follow.</param>
/// <param name="inner">The cause, if any.</param>
public sealed class ResourceUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
