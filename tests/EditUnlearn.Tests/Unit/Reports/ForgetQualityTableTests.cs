using EditUnlearn.Artifacts;
using EditUnlearn.Reports;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Reports;

public sealed class ForgetQualityTableTests
{
    private static ForgetQualityMean Mean(string method, string split, double nearness, string set = "facts-40") =>
        new()
        {
            Model = "llama2",
            Set = set,
            Method = method,
            Split = split,
            Count = 40,
            Same = nearness,
            SameError = 0.05,
            F1 = nearness,
            BothRefuse = nearness / 2,
            OracleRefuses = 0.8,
            Rouge1 = 1 - nearness,
            OracleRouge1 = split == "retain" ? 0.99 : 0.03,
            KlTruth = 10 * (1 - nearness),
            KlTruthError = 0.1,
            JsTruth = 1 - nearness,
            KlOracle = 20 * (1 - nearness),
            JsOracle = 1 - nearness,
            Finite = 40,
            ProbabilityD = 1 - nearness,
            ProbabilityP = Math.Pow(nearness, 20),
            TruthRatios = set == "facts-40" ? 40 : 0,
            TruthRatioD = set == "facts-40" ? 1 - nearness : null,
            TruthRatioP = set == "facts-40" ? nearness : null,
        };

    private static readonly string[] Splits = ["forget", "rephrased", "retain"];

    private static readonly ForgetQualityMean[] Means =
    [
        .. ((string[])["facts-40", "contracts-20"]).SelectMany(set =>
            (
                ((string, double)[])[("none", 0.02), ("ga", 0.4), ("npo", 0.702), ("rome", 0.698), ("oracle", 0.95)]
            ).SelectMany(m => Splits.Select(s => Mean(m.Item1, s, s == "retain" ? 0.9 : m.Item2, set)))
        ),
    ];

    private static readonly StudyScope Scope = new()
    {
        Kind = ModelKind.Miniature,
        Methods =
        [
            new ReportMethod("ga", "GA", false),
            new ReportMethod("npo", "NPO", false, false),
            new ReportMethod("rome", "ROME", true),
            new ReportMethod("wise", "WISE", true),
        ],
        Sets = new Dictionary<string, StudySet>
        {
            ["facts-40"] = new("facts-40", "facts", 40),
            ["contracts-20"] = new("contracts-20", "contracts", 20),
        },
    };

    [Fact]
    public void The_table_is_as_accepted()
    {
        var table = ForgetQualityTable.Of(Means, Scope);
        Snapshot.Matches(table.Latex(), "forget-quality.tex");
        Snapshot.Matches(table.Markdown(), "forget-quality.md");
        Snapshot.Matches(table.Csv(), "forget-quality.csv");
    }

    [Fact]
    public void Bold_is_for_the_nearest_method_as_printed_and_never_for_the_untouched_model_or_the_floor()
    {
        var lines = ForgetQualityTable
            .Of([.. Means.Where(m => m.Set == "facts-40")], Scope)
            .Markdown()
            .Split('\n')
            .Where(l => l.StartsWith("| ", StringComparison.Ordinal))
            .ToDictionary(l => l.Split('|')[1].Trim(), l => l.Split('|')[2..^1].Select(c => c.Trim()).ToArray());
        Assert.Equal(["", "*Untouched*", "GA", "NPO*", "ROME", "*Another oracle*"], lines.Keys);
        // .702 and .698 print alike; a test that does not tell apart is bold for every method.
        Assert.Equal(("0.40", "**0.70**", "**0.70**"), (lines["GA"][1], lines["NPO*"][1], lines["ROME"][1]));
        Assert.Equal(("**0.400**", "**0.702**"), (lines["GA"][8], lines["NPO*"][8]));
        Assert.Equal(("&lt;1e-7", "&lt;1e-33"), (lines["GA"][7], lines["*Untouched*"][7]));
        Assert.DoesNotContain(lines["*Another oracle*"].Concat(lines["*Untouched*"]), c => c.Contains("**"));
    }

    [Fact]
    public void A_table_is_of_one_model()
    {
        Assert.Throws<ArgumentException>(() => ForgetQualityTable.Of([], Scope));
        Assert.Throws<ArgumentException>(() =>
            ForgetQualityTable.Of([Means[0], Means[1] with { Model = "mistral" }], Scope)
        );
    }
}
