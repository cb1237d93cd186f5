using EditUnlearn.Foundation;

namespace EditUnlearn.Reports;

/// <summary>A method as reports show it.</summary>
/// <param name="Name">In the scores: <c>ga</c>.</param>
/// <param name="Label">In print: <c>GA</c>.</param>
/// <param name="IsEditing">Editing or unlearning: bold is given within each.</param>
/// <param name="InPaper">Whether the paper's tables have it. What they lack stands below and takes no part in bold and
/// underline, so that the marks compare the paper's methods.</param>
public sealed record ReportMethod(string Name, string Label, bool IsEditing, bool InPaper = true)
{
    /// <summary>
    /// The sets on which a variant of a method was scored: it has rows there and no bar in a figure. Null for a method
    /// itself, which has a row everywhere.
    /// </summary>
    public IReadOnlySet<string>? OnlyIn { get; init; }

    /// <summary>What a row or a bar is called: a star marks what is not in the paper.</summary>
    public string Heading => InPaper ? Label : Label + "*";
}

/// <summary>Which models and which forget sets play the paper's parts in this study.</summary>
public sealed record StudyScope
{
    /// <summary>The model of most tables; the paper's Llama-2-7B.</summary>
    public string Main { get; init; } = "llama2";

    /// <summary>The second model of Tables 1 and 4; the paper's Mistral-7B.</summary>
    public string Second { get; init; } = "mistral";

    /// <summary>The model of Table 3; the paper's Llama-3.1-8B.</summary>
    public string Third { get; init; } = "llama31";

    /// <summary>The set of Tables 1, 2 and 3 that stands for knowledge from pretraining.</summary>
    public string Facts { get; init; } = "facts-40";

    /// <summary>The set of Table 1 that stands for knowledge from finetuning.</summary>
    public string Contracts { get; init; } = "contracts-20";

    /// <summary>More sets that get a block of their own in Table 1, in print order.</summary>
    public IReadOnlyList<string> Further { get; init; } = [];

    /// <summary>The set of Table 4.</summary>
    public string MoreContracts { get; init; } = "contracts-40";

    /// <summary>The sets of Table 5 and Figure 3, rising in size.</summary>
    public IReadOnlyList<string> Sizes { get; init; } = ["facts-20", "facts-40", "facts-60", "facts-80", "facts-100"];

    /// <summary>The first half of Table 6 and left Figure 6: plain refusals.</summary>
    public string BeforeImprovement { get; init; } = "facts-20";

    /// <summary>The second half: self-improved refusals.</summary>
    public string AfterImprovement { get; init; } = "facts-20-model";

    /// <summary>What the sets of Table 7 and right Figure 6 are without merging.</summary>
    public string Unmerged { get; init; } = "facts-80";

    /// <summary>The sets of Table 7, rising in questions merged into one.</summary>
    public IReadOnlyList<string> Merged { get; init; } =
    ["facts-80-by-2", "facts-80-by-4", "facts-80-by-5", "facts-80-by-8", "facts-80-by-10"];

    /// <summary>The sets of the study by name; a set that is not here goes by its name alone.</summary>
    public IReadOnlyDictionary<string, StudySet> Sets { get; init; } = new Dictionary<string, StudySet>();

    /// <summary>Rows of the tables, in print order: those of the paper, and what else was run.</summary>
    public IReadOnlyList<ReportMethod> Methods { get; init; } = PaperMethods;

    /// <summary>The methods without their variants: what figures draw.</summary>
    public IReadOnlyList<ReportMethod> Drawn => [.. Methods.Where(m => m.OnlyIn is null)];

    /// <summary>How models are called in print.</summary>
    public IReadOnlyDictionary<string, string> ModelLabels { get; init; } =
        new Dictionary<string, string>
        {
            ["llama2"] = "Llama-2",
            ["mistral"] = "Mistral",
            ["llama31"] = "Llama-3.1",
        };

    /// <summary>What the models are.</summary>
    public ModelKind Kind { get; init; }

    /// <summary>The nine rows of the paper's tables; those that a study did not run print a dash.</summary>
    public static IReadOnlyList<ReportMethod> PaperMethods { get; } =
    [
        new("ga", "GA", false),
        new("gd", "GD", false),
        new("kl", "KL", false),
        new("dpo", "DPO", false),
        new("rome", "ROME", true),
        new("memit", "MEMIT", true),
        new("grace", "GRACE", true),
        new("wise", "WISE", true),
        new("alphaedit", "AlphaEdit", true),
    ];

    /// <summary>The scope of the paper itself.</summary>
    public static StudyScope Paper { get; } =
        new()
        {
            ModelLabels = new Dictionary<string, string>
            {
                ["llama2"] = "Llama-2-7B",
                ["mistral"] = "Mistral-7B",
                ["llama31"] = "Llama-3.1-8B",
            },
            Sets = (
                (StudySet[])
                    [
                        .. ((int[])[20, 40, 60, 80, 100]).Select(n => OfPaper("facts", n)),
                        .. ((int[])[20, 40]).Select(n => OfPaper("contracts", n)),
                        OfPaper("facts", 20, StudySet.SelfImproved),
                        .. ((int[])[2, 4, 5, 8, 10]).Select(k => OfPaper("facts", 80, merge: k)),
                    ]
            ).ToDictionary(s => s.Name, StringComparer.Ordinal),
        };

    private static StudySet OfPaper(string data, int size, string target = StudySet.Plain, int merge = 1) =>
        new(StudySet.NameOf(data, size, target, merge), data, size, target, merge);

    /// <summary>What a set is; only its name where the study does not say.</summary>
    public StudySet SetOf(string name) => Sets.GetValueOrDefault(name) ?? new StudySet(name, "", null, "");

    /// <summary>What the data of sets is called, each once: <c>facts</c>.</summary>
    public string DataOf(IEnumerable<string> sets) =>
        string.Join(
            " and ",
            sets.Select(s => SetOf(s) is { Data.Length: > 0 } set ? set.Data : s).Distinct(StringComparer.Ordinal)
        );

    /// <summary>
    /// A text for each set; sets that would get the same text are told apart by their names behind it.
    /// </summary>
    public IReadOnlyList<string> Labels(IReadOnlyList<string> sets, Func<StudySet, string> label)
    {
        var labels = sets.Select(s => label(SetOf(s))).ToList();
        return [.. sets.Zip(labels, (set, text) => labels.Count(l => l == text) > 1 ? $"{text}: {set}" : text)];
    }

    /// <summary>The model in print.</summary>
    public string LabelOf(string model) =>
        ModelLabels.GetValueOrDefault(model, model)
        + Kind switch
        {
            ModelKind.Miniature => " miniature",
            ModelKind.StandIn => " stand-in",
            _ => "",
        };

    /// <summary>The method in print.</summary>
    public string MethodLabel(string method) =>
        Methods.FirstOrDefault(m => m.Name == method)?.Label
        ?? PaperMethods.FirstOrDefault(m => m.Name == method)?.Label
        ?? method;

    /// <summary>The paper's rows, and below them what else the study ran.</summary>
    public static IReadOnlyList<ReportMethod> WithPaperMethods(IReadOnlyList<ReportMethod> ran)
    {
        ArgumentNullException.ThrowIfNull(ran);
        var further = ran.Where(m => PaperMethods.All(p => p.Name != m.Name));
        return [.. PaperMethods, .. further.Select(m => m with { InPaper = false })];
    }

    /// <summary>
    /// What is wrong with the parts: a set that two places of one table claim, a set that the study does not have, a
    /// list that does not rise. Empty where nothing is wrong, so that no two cells of a table have one name.
    /// </summary>
    public IReadOnlyList<ScopeProblem> Problems() =>
        [
            .. Parts().SelectMany(p => p.Sets.Distinct(StringComparer.Ordinal).SelectMany(s => Unknown(p.Part, s))),
            .. (
                (IEnumerable<(string Part, IReadOnlyList<string> Sets)>)
                    [("further", Further), ("sizes", Sizes), ("merged", Merged)]
            ).SelectMany(p => Twice(p.Part, p.Sets)),
            .. Clashes(),
            .. Rising("sizes", Sizes, s => s.Size, "questions to be forgotten"),
            .. Rising("merged", Merged, s => s.Merge, "questions merged into one"),
        ];

    private (string Part, IReadOnlyList<string> Sets)[] Parts() =>
        [
            ("facts", [Facts]),
            ("contracts", [Contracts]),
            ("further", Further),
            ("moreContracts", [MoreContracts]),
            ("sizes", Sizes),
            ("beforeImprovement", [BeforeImprovement]),
            ("afterImprovement", [AfterImprovement]),
            ("unmerged", [Unmerged]),
            ("merged", Merged),
        ];

    private IEnumerable<ScopeProblem> Unknown(string part, string set)
    {
        if (Sets.Count > 0 && !Sets.ContainsKey(set))
            yield return new ScopeProblem(
                part,
                $"names '{set}', which is not a forget set",
                Spelling.Nearest(set, Sets.Keys) is { } near ? $"did you mean '{near}'?" : null
            );
    }

    private static IEnumerable<ScopeProblem> Twice(string part, IReadOnlyList<string> sets) =>
        sets.GroupBy(s => s, StringComparer.Ordinal)
            .Where(g => g.Count() > 1)
            .Select(g => new ScopeProblem(part, $"names '{g.Key}' twice"));

    // Parts that stand in one table.
    private IEnumerable<ScopeProblem> Clashes()
    {
        if (Second == Main)
            yield return new ScopeProblem("second", $"names '{Main}', which is the main model already");
        if (Contracts == Facts)
            yield return new ScopeProblem("contracts", $"names '{Facts}', which is the part facts already");
        foreach (var set in Further.Where(s => s == Facts || s == Contracts).Distinct(StringComparer.Ordinal))
            yield return new ScopeProblem("further", $"names '{set}', which has a block in Table 1 already");
        if (AfterImprovement == BeforeImprovement)
            yield return new ScopeProblem(
                "afterImprovement",
                $"names '{BeforeImprovement}', which is the part beforeImprovement already"
            );
        if (Merged.Contains(Unmerged))
            yield return new ScopeProblem("merged", $"names '{Unmerged}', which is the part unmerged already");
    }

    // A set of unknown size is passed over.
    private IEnumerable<ScopeProblem> Rising(
        string part,
        IReadOnlyList<string> sets,
        Func<StudySet, int?> number,
        string what
    )
    {
        if (sets.Count == 0)
            yield return new ScopeProblem(part, "must name at least one forget set");
        var known = sets.Where(Sets.ContainsKey)
            .Select(s => (Set: s, Number: number(Sets[s])))
            .Where(s => s.Number is not null)
            .ToList();
        foreach (var (first, second) in known.Zip(known.Skip(1)).Where(p => p.First.Number > p.Second.Number).Take(1))
            yield return new ScopeProblem(
                part,
                $"must rise in {what}: '{first.Set}' has {first.Number}, '{second.Set}' behind it {second.Number}"
            );
    }
}

/// <summary>Something wrong with a part of a study.</summary>
/// <param name="Part">The property of <see cref="StudyScope"/>, first letter small: <c>sizes</c>.</param>
/// <param name="Message">What is wrong; reads on after the name of the part.</param>
/// <param name="Hint">What to do; null for none.</param>
public sealed record ScopeProblem(string Part, string Message, string? Hint = null);
