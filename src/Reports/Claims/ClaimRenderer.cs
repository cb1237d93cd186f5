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
            text.Append($"{Word(claim.Verdict),-12} {Name(claim)}. {claim.Title}{Weaker(claim)}\n");
            foreach (var s in claim.Statements)
                text.Append($"    {Word(s.Finding.Verdict),-12} {s.Text}: {Numbers(s)}\n");
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
        text.Append("| | claim | paper | numbers |\n|---|---|---|---|\n");
        foreach (var claim in claims)
        {
            text.Append($"| **{Word(claim.Verdict)}** | **{Name(claim)}.** {claim.Title}{Weaker(claim)} | | |\n");
            foreach (var s in claim.Statements)
                text.Append(
                    $"| {Word(s.Finding.Verdict)} | {s.Text} | {s.Statement.Source} | "
                        + $"{Numbers(s).Replace("|", "\\|", StringComparison.Ordinal)} |\n"
                );
        }
        return text.Append('\n').Append(Sum(claims)).Append('\n').ToString();
    }

    /// <summary>A table for a paper. Needs booktabs, array and longtable.</summary>
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
                        Title = Reports.Latex.Escape($"{Name(c)}. {c.Title}{Weaker(c)}"),
                        Statements = c
                            .Statements.Select(s => new
                            {
                                Verdict = Word(s.Finding.Verdict),
                                Text = Reports.Latex.Escape($"{s.Text} (section {s.Statement.Source})"),
                                Numbers = Reports.Latex.Escape(Numbers(s)),
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
                    ["weakerVerdict"] = c.WeakerVerdict is { } weaker ? Word(weaker) : null,
                    ["statements"] = new JsonArray([
                        .. c.Statements.Select(s => new JsonObject
                        {
                            ["verdict"] = Word(s.Finding.Verdict),
                            ["reading"] = s.Statement.Reading == Reading.Weaker ? "weaker" : "sentence",
                            ["text"] = s.Statement.Text,
                            ["source"] = s.Statement.Source,
                            ["note"] = s.Statement.Note.Length > 0 ? s.Statement.Note : null,
                            ["numbers"] = s.Finding.Numbers,
                            ["interval"] = s.Finding.Interval,
                            ["comparisons"] = new JsonArray([.. s.Finding.Judgement.Parts.Select(Json)]),
                        }),
                    ]),
                }),
            ]),
        };
    }

    private static JsonObject Json(Part part) =>
        new()
        {
            ["verdict"] = Word(part.Verdict),
            ["label"] = part.Label,
            ["relation"] = part.Relation,
            ["value"] = Finite(part.Value),
            ["ciLow"] = Finite(part.Interval?.Low),
            ["ciHigh"] = Finite(part.Interval?.High),
        };

    // JSON has no NaN.
    private static double? Finite(double? x) => x is { } value && double.IsFinite(value) ? value : null;

    // What decides, its interval, and what in the paper contradicts the sentence.
    private static string Numbers(StatementResult s) =>
        string.Join(
            "; ",
            (
                (string[])
                    [
                        s.Finding.Numbers,
                        s.Finding.Interval,
                        s.Statement.Note.Length > 0 ? "in the paper: " + s.Statement.Note : "",
                    ]
            ).Where(t => t.Length > 0)
        );

    private static string Weaker(ClaimResult claim) =>
        claim.WeakerVerdict is { } verdict ? $" (with weaker readings: {Word(verdict)})" : "";

    /// <summary><c>holds</c>, <c>fails</c>, <c>within noise</c>, <c>undecided</c>.</summary>
    public static string Word(Verdict verdict) =>
        verdict switch
        {
            Verdict.Holds => "holds",
            Verdict.Fails => "fails",
            Verdict.WithinNoise => "within noise",
            _ => "undecided",
        };

    private static string Name(ClaimResult claim) =>
        char.ToUpperInvariant(claim.Id[0]) + claim.Id[1..^1] + " " + claim.Id[^1];

    private static string Head(StudyScope scope) => Captions.Warning(scope.Kind);

    private static string Sum(IReadOnlyList<ClaimResult> claims)
    {
        string Count(Func<ClaimResult, Verdict> verdict) =>
            $"{claims.Count(c => verdict(c) == Verdict.Holds)} of {claims.Count} claims hold, "
            + $"{claims.Count(c => verdict(c) == Verdict.Fails)} do not, "
            + $"{claims.Count(c => verdict(c) == Verdict.WithinNoise)} are within noise, "
            + $"{claims.Count(c => verdict(c) == Verdict.Undecided)} cannot be decided";
        return $"{Count(c => c.Verdict)}. With weaker readings where the paper contradicts itself: "
            + $"{Count(c => c.WeakerVerdict ?? c.Verdict)}.";
    }
}
