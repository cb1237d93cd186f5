namespace EditUnlearn.Artifacts;

/// <summary>One question with its answer: what every loader yields and every split refers to.</summary>
public sealed record QaRow
{
    /// <summary><c>dataset/0007</c>.</summary>
    public string Id { get; set; } = "";

    /// <summary>Name of the data set.</summary>
    public string Dataset { get; set; } = "";

    /// <summary>0-based place in the file.</summary>
    public int Row { get; set; }

    /// <summary>Verbatim.</summary>
    public string Question { get; set; } = "";

    /// <summary>Verbatim.</summary>
    public string Answer { get; set; } = "";

    /// <summary>Other accepted spellings; Rouge ignores them.</summary>
    public List<string> Aliases { get; set; } = [];

    /// <summary>Wrong answers of the same kind.</summary>
    public List<string> Distractors { get; set; } = [];

    /// <summary>Whom or what the question is about; occurs in it.</summary>
    public string Subject { get; set; } = "";

    /// <summary>UTF-16 index of the subject in the question.</summary>
    public int SubjectStart { get; set; }

    /// <summary>The same question in other words; the first is the held-out one.</summary>
    public List<string> Rephrasings { get; set; } = [];

    /// <summary>What kind of question it is.</summary>
    public string Category { get; set; } = "";

    /// <summary>The contract of a contract question; the category otherwise.</summary>
    public string Group { get; set; } = "";
}
