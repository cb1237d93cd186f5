namespace EditUnlearn.Reports;

/// <summary>A method as reports show it.</summary>
/// <param name="Name">In the scores: <c>ga</c>.</param>
/// <param name="Label">In print: <c>GA</c>.</param>
/// <param name="IsEditing">Editing or unlearning: bold is given within each.</param>
public sealed record ReportMethod(string Name, string Label, bool IsEditing);

/// <summary>Which models, data and sizes play the paper's parts in this study.</summary>
public sealed record StudyScope
{
    /// <summary>The model of most tables; the paper's Llama-2-7B.</summary>
    public string Main { get; init; } = "llama2";

    /// <summary>The second model of Tables 1 and 4; the paper's Mistral-7B.</summary>
    public string Second { get; init; } = "mistral";

    /// <summary>The model of Table 3; the paper's Llama-3.1-8B.</summary>
    public string Third { get; init; } = "llama31";

    /// <summary>Data that stands for knowledge from pretraining.</summary>
    public string Facts { get; init; } = "facts";

    /// <summary>Data that stands for knowledge from finetuning.</summary>
    public string Contracts { get; init; } = "contracts";

    /// <summary>Facts to be forgotten in Tables 1, 2 and 3.</summary>
    public int FactsSize { get; init; } = 40;

    /// <summary>Contract questions to be forgotten in Table 1.</summary>
    public int ContractsSize { get; init; } = 20;

    /// <summary>Contract questions to be forgotten in Table 4.</summary>
    public int LargeContractsSize { get; init; } = 40;

    /// <summary>Facts to be forgotten in Table 5 and Figure 3, rising.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [20, 40, 60, 80, 100];

    /// <summary>Facts to be forgotten in Table 6 and left Figure 6.</summary>
    public int ImprovedSize { get; init; } = 20;

    /// <summary>Facts to be forgotten in Table 7 and right Figure 6.</summary>
    public int MergedSize { get; init; } = 80;

    /// <summary>Questions merged into one in Table 7, rising.</summary>
    public IReadOnlyList<int> Merges { get; init; } = [2, 4, 5, 8, 10];

    /// <summary>Refusals of every table but the sixth: <c>plain</c> or <c>self-improved</c>.</summary>
    public string Target { get; init; } = "plain";

    /// <summary>Rows of the tables, in print order: those of the paper, and what else was run.</summary>
    public IReadOnlyList<ReportMethod> Methods { get; init; } = PaperMethods;

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
        };

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

    /// <summary>The paper's rows with what else the study ran, each further method at the end of its family.</summary>
    public static IReadOnlyList<ReportMethod> WithPaperMethods(IReadOnlyList<ReportMethod> ran)
    {
        ArgumentNullException.ThrowIfNull(ran);
        var further = ran.Where(m => PaperMethods.All(p => p.Name != m.Name)).ToList();
        return
        [
            .. PaperMethods.Where(m => !m.IsEditing),
            .. further.Where(m => !m.IsEditing),
            .. PaperMethods.Where(m => m.IsEditing),
            .. further.Where(m => m.IsEditing),
        ];
    }
}
