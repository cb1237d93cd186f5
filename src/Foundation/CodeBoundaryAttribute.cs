namespace EditUnlearn.Foundation;

/// <summary>
/// Marks a catalogue: the code identity of a stage does not follow calls into it, so that a tenth method does not
/// change the other nine.
/// </summary>
/// <remarks>
/// A stage that picks from a catalogue names what it picked in <c>Stage.CodeOf</c>, and that type's code enters the key
/// instead.
/// </remarks>
[AttributeUsage(AttributeTargets.Class)]
public sealed class CodeBoundaryAttribute : Attribute;
