namespace EditUnlearn.HumanStudy;

/// <summary>Who gave an answer. Raters never see any of it.</summary>
/// <param name="Model">The model's name in the study.</param>
/// <param name="Set">The forget set's name.</param>
/// <param name="Method">The method.</param>
/// <param name="Variant">What tells two runs of one method apart, for example <c>before</c>; may be empty.</param>
public sealed record RatedSystem(string Model, string Set, string Method, string Variant = "");

/// <summary>One answer that may be shown to raters.</summary>
/// <param name="Id">Of the question.</param>
/// <param name="Question">As asked.</param>
/// <param name="GroundTruth">The true answer, needed to judge whether it is gone.</param>
/// <param name="Answer">What the system said.</param>
/// <param name="Subject">What the question is about: attention items name it.</param>
public sealed record StudyAnswer(string Id, string Question, string GroundTruth, string Answer, string Subject);

/// <summary>All answers of one system, from one file.</summary>
/// <param name="System">Who gave them.</param>
/// <param name="File">Where they were read, for messages and the key.</param>
/// <param name="Hash">SHA-256 of that file.</param>
/// <param name="Answers">One a question.</param>
public sealed record AnswerGroup(RatedSystem System, string File, string Hash, IReadOnlyList<StudyAnswer> Answers);
