using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Reports.Tables;

namespace EditUnlearn.Reports.Claims;

/// <summary>Decided claims as text, Markdown, LaTeX and JSON.</summary>
public static class ClaimRenderer
{
    /// <summary>For the terminal.</summary>
    public static string Text(IReadOnlyList<ClaimResult> claims, StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(claims);
        var text = new StringBuilder(Head(scope));
        if (text.Length > 0)
            text.Append('\n');
        foreach (var claim in claims)
        {
            text.Append($"{Word(claim.Verdict),-5} {Name(claim)}. {claim.Title}\n");
            foreach (var s in claim.Statements)
                text.Append($"      {Word(s.Finding.Verdict),-5} {s.Text}: {s.Finding.Numbers}\n");
        }
        return text.Append(Sum(claims)).Append('\n').ToString();
    }

    /// <summary>For a README or a pull request.</summary>
    public static string Markdown(IReadOnlyList<ClaimResult> claims, StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(claims);
        var text = new StringBuilder(Head(scope));
        if (text.Length > 0)
            text.Append("\n\n");
        text.Append("| | claim | numbers |\n|---|---|---|\n");
        foreach (var claim in claims)
        {
            text.Append($"| **{Word(claim.Verdict)}** | **{Name(claim)}.** {claim.Title} | |\n");
            foreach (var s in claim.Statements)
                text.Append(
                    $"| {Word(s.Finding.Verdict)} | {s.Text} | "
                        + $"{s.Finding.Numbers.Replace("|", "\\|", StringComparison.Ordinal)} |\n"
                );
        }
        return text.Append('\n').Append(Sum(claims)).Append('\n').ToString();
    }

    /// <summary>A table for a paper. Needs booktabs, array and xcolor.</summary>
    public static string Latex(IReadOnlyList<ClaimResult> claims, StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(claims);
        ArgumentNullException.ThrowIfNull(scope);
        return Templating.Render(
            "claims.tex",
            new
            {
                Caption = Reports.Latex.Escape(
                    (
                        "The paper's observations and takeaways, decided by the numbers of this study. "
                        + $"{Head(scope)}"
                    ).TrimEnd()
                ),
                Claims = claims
                    .Select(c => new
                    {
                        Verdict = Word(c.Verdict),
                        Title = Reports.Latex.Escape($"{Name(c)}. {c.Title}"),
                        Statements = c
                            .Statements.Select(s => new
                            {
                                Verdict = Word(s.Finding.Verdict),
                                Text = Reports.Latex.Escape(s.Text),
                                Numbers = Reports.Latex.Escape(s.Finding.Numbers),
                            })
                            .ToList(),
                    })
                    .ToList(),
            }
        );
    }

    /// <summary>For programs.</summary>
    public static JsonObject Json(IReadOnlyList<ClaimResult> claims, StudyScope scope)
    {
        ArgumentNullException.ThrowIfNull(claims);
        ArgumentNullException.ThrowIfNull(scope);
        return new JsonObject
        {
            ["models"] = scope.Kind switch
            {
                ModelKind.Miniature => "miniature",
                ModelKind.StandIn => "stand-in",
                _ => "real",
            },
            ["claims"] = new JsonArray([
                .. claims.Select(c => new JsonObject
                {
                    ["id"] = c.Id,
                    ["title"] = c.Title,
                    ["verdict"] = Word(c.Verdict),
                    ["statements"] = new JsonArray([
                        .. c.Statements.Select(s => new JsonObject
                        {
                            ["verdict"] = Word(s.Finding.Verdict),
                            ["text"] = s.Text,
                            ["numbers"] = s.Finding.Numbers,
                        }),
                    ]),
                }),
            ]),
        };
    }

    /// <summary><c>pass</c>, <c>fail</c>, <c>n/a</c>.</summary>
    public static string Word(Verdict verdict) =>
        verdict switch
        {
            Verdict.Pass => "pass",
            Verdict.Fail => "fail",
            _ => "n/a",
        };

    private static string Name(ClaimResult claim) =>
        char.ToUpperInvariant(claim.Id[0]) + claim.Id[1..^1] + " " + claim.Id[^1];

    private static string Head(StudyScope scope) => Captions.Warning(scope.Kind);

    private static string Sum(IReadOnlyList<ClaimResult> claims) =>
        $"{claims.Count(c => c.Verdict == Verdict.Pass)} of {claims.Count} claims hold, "
        + $"{claims.Count(c => c.Verdict == Verdict.Fail)} do not, "
        + $"{claims.Count(c => c.Verdict == Verdict.NotApplicable)} cannot be decided.";
}
