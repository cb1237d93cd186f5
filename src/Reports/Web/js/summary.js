// What was run, on what, and what came out: the first screen, and the claims below it.

function addSummary(data, names) {
    const picture = (data.figures ?? []).find((f) => f.name === "figure4-left");
    part(
        "summary",
        "Summary",
        data.warning ? el("p", { class: "warning", role: "note" }, data.warning) : null,
        el("div", { class: "tiles" }, tilesOf(data)),
        verdictLine(data.claims),
        picture ? figureOf(picture) : null,
        storeLine(data),
    );
    if (data.claims) part("claims", "Claims", claimsIntroduction(data.claims), data.claims.map(claimOf));
}

function tilesOf(data) {
    const runs = data.runs.filter((r) => r.method !== "none");
    const count = (list) => new Set(list).size;
    const answers = data.answers.groups.flatMap((g) => g.methods.map((m) => m.text.filter((t) => t >= 0).length));
    const questions = count(data.answers.groups.flatMap((g) => g.question));
    const labels = Object.values(data.names?.models ?? {});
    return [
        [count(runs.map((r) => r.model)), "models", labels.join(", ")],
        [count(runs.map((r) => r.set)), "forget sets", "facts and contracts to be forgotten"],
        [count(runs.map((r) => r.method)), "methods", "editing and unlearning"],
        [runs.length, "runs", "a method on a model for a set"],
        [answers.reduce((a, b) => a + b, 0), "answers", `to ${whole(questions)} wordings of questions`],
    ].map(([number, what, more]) =>
        el(
            "div",
            { class: "tile" },
            el("span", { class: "big" }, whole(number)),
            " ",
            el("span", { class: "what" }, what),
            el("small", null, more),
        ),
    );
}

// A verdict, and the same of several.
const verdictWords = { holds: "hold", fails: "fail", "within noise": "within noise", undecided: "undecided" };

function verdictMark(verdict, text = verdict) {
    const kind = verdictWords[verdict] ? verdict.replace(" ", "-") : "undecided";
    return el("span", { class: "mark verdict-" + kind }, text);
}

function verdictLine(claims) {
    if (!claims) return null;
    const counts = Object.keys(verdictWords)
        .map((v) => [v, claims.filter((c) => c.verdict === v).length])
        .filter(([, n]) => n > 0);
    return el(
        "p",
        { class: "verdicts" },
        `The paper's ${claims.length} claims, decided by these numbers: `,
        counts.map(([v, n]) => [verdictMark(v, `${n} ${verdictWords[v]}`), " "]),
    );
}

function storeLine(data) {
    const cells = data.store?.cells;
    if (!cells) return null;
    const fresh = cells.filter((c) => c.state === "upToDate").length;
    const profile = data.store.profile ? `Profile ${data.store.profile}. ` : "";
    return el(
        "p",
        null,
        profile,
        `Written ${data.written}. ${whole(fresh)} of ${whole(cells.length)} cells are up to date`,
        fresh < cells.length ? "; what is shown of the others is their latest result (" : ".",
        fresh < cells.length ? [el("a", { href: "#stages" }, "which"), ")."] : null,
    );
}

function claimsIntroduction(claims) {
    return el(
        "p",
        null,
        `The sentences of the paper as comparisons of numbers. A verdict needs the whole 95 % interval on one side; ` +
            `"within noise" means that these questions and seeds cannot tell. Open a claim to see what decided it.`,
    );
}

function claimOf(claim) {
    // What the verdict hangs on: the first sentence that came out so.
    const deciding = claim.statements.find((s) => s.verdict === claim.verdict && s.reading === "sentence");
    return el(
        "details",
        { class: "claim" },
        el(
            "summary",
            null,
            verdictMark(claim.verdict),
            " ",
            el("strong", null, `${claim.id.replace(/(\d+)$/, " $1").replace(/^./, (c) => c.toUpperCase())}. `),
            claim.title,
            claim.weakerVerdict ? el("small", null, ` With weaker readings: ${claim.weakerVerdict}.`) : null,
            deciding ? el("span", { class: "deciding" }, `${deciding.text}: ${numbersOf(deciding)}`) : null,
        ),
        claim.statements.map(statementOf),
    );
}

// The numbers, and the comparison that decides with its interval.
const numbersOf = (s) => [s.numbers, s.interval].filter((t) => t).join("; ");

function statementOf(s) {
    return el(
        "div",
        { class: "statement" },
        el(
            "p",
            null,
            verdictMark(s.verdict),
            " ",
            s.reading === "weaker" ? el("em", null, "Weaker reading: ") : null,
            s.text,
            el("small", null, ` (section ${s.source})`),
        ),
        el("p", { class: "numbers" }, numbersOf(s)),
        s.note ? el("p", { class: "numbers" }, "In the paper: " + s.note) : null,
        comparisons(s),
    );
}

function comparisons(s) {
    if (s.comparisons.length === 0) return null;
    const number = (x) => (x === null ? "" : x.toFixed(3));
    return el(
        "details",
        null,
        el(
            "summary",
            null,
            s.comparisons.length === 1 ? "The comparison" : `All ${s.comparisons.length} comparisons`,
        ),
        plainTable(
            "Comparisons of: " + s.text,
            ["what", "must be", "value", "95 % interval", "verdict"],
            s.comparisons.map((c) => [
                c.label,
                c.relation,
                { sort: c.value ?? "", shown: number(c.value) },
                c.ciLow === null ? "none" : `${number(c.ciLow)} to ${number(c.ciHigh)}`,
                { sort: c.verdict, shown: verdictMark(c.verdict) },
            ]),
        ),
    );
}
