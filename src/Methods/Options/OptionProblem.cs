namespace EditUnlearn.Methods;

/// <summary>A mistake in a method's options.</summary>
/// <param name="Path"><c>options.learningRate</c>.</param>
/// <param name="Message">Without a full stop.</param>
/// <param name="Hint">What to do, or null.</param>
public sealed record OptionProblem(string Path, string Message, string? Hint);

/// <summary>Options whose values are limited beyond their types.</summary>
public interface ICheckedOptions
{
    /// <summary>What is wrong with the values; paths begin with <c>options.</c></summary>
    IEnumerable<OptionProblem> Check();
}
