// The paper's tables: our numbers with the marks of the LaTeX, the paper's number and the difference below each.

function addTables(data) {
    if (!data.tables) return;
    const profiles = [...new Set(data.tables.map((t) => t.profile))];
    const holder = el("div");
    const draw = (profile) =>
        holder.replaceChildren(
            ...data.tables.filter((t) => t.profile === profile).map((t) => tableOf(t, data.runs)),
        );
    const words = {
        strict: "as they should be (strict)",
        paper: "as the paper's code computes them (paper)",
    };
    const beside = el("input", { type: "checkbox", checked: true });
    beside.addEventListener("change", () => holder.classList.toggle("alone", !beside.checked));
    part(
        "tables",
        "Tables",
        el(
            "p",
            null,
            "Below each number: the paper's at the same place, and ours less the paper's. Sort by a heading; " +
                "arrow keys move from number to number, Enter or a click says where one comes from.",
        ),
        el(
            "div",
            { class: "controls" },
            choice(
                "Metrics",
                profiles.map((p) => [p, words[p] ?? p]),
                draw,
                profiles[0],
            ),
            el("label", { class: "field" }, beside, " The paper's numbers and differences"),
        ),
        holder,
    );
    draw(profiles[0]);
}

function tableOf(table, runs) {
    const number = table.name.replace("table", "");
    // Nothing of it was run, as the caption says.
    if (table.blocks.length === 0)
        return el(
            "section",
            { class: "table", id: table.name, "aria-labelledby": table.name + "-title" },
            el("h3", { id: table.name + "-title" }, `Table ${number}. ${table.title}`),
            el("p", { class: "caption" }, table.caption),
        );
    const copyButton = el("button", { type: "button" }, "Copy numbers");
    copyButton.addEventListener("click", () => copy(tabSeparated(table), copyButton));
    const grid = el(
        "table",
        { class: "numbers sortable n-last", role: "grid", "aria-labelledby": table.name + "-title" },
        el("thead", null, headRows(table)),
        table.blocks.flatMap((block) => bodiesOf(block, table, runs)),
    );
    moveByKeys(grid);
    return el(
        "section",
        { class: "table", id: table.name, "aria-labelledby": table.name + "-title" },
        el(
            "div",
            { class: "table-head" },
            el("h3", { id: table.name + "-title" }, `Table ${number}. ${table.title}`),
            copyButton,
        ),
        scroller(`Table ${number}`, grid),
        el("p", { class: "caption" }, table.caption),
    );
}

// Groups, then splits, then metrics: neighbours with one label share a heading.
function headRows(table) {
    const spans = (labelOf, keyOf) => {
        const all = [];
        for (const column of table.columns) {
            const last = all.at(-1);
            if (last && last.key === keyOf(column)) last.width++;
            else all.push({ key: keyOf(column), label: labelOf(column), width: 1 });
        }
        return el(
            "tr",
            null,
            el("td", { class: "first" }),
            all.map((s) => el("th", { colspan: s.width, scope: "colgroup", class: "group" }, s.label)),
        );
    };
    const arrow = (up) => (up === null ? "" : up ? "\u2191" : "\u2193");
    const better = (up) => (up === null ? "" : up ? "higher is better" : "lower is better");
    return [
        table.columns.some((c) => c.group)
            ? spans(
                  (c) => c.group,
                  (c) => c.group,
              )
            : null,
        spans(
            (c) => c.split,
            (c) => c.group + "\n" + c.split,
        ),
        el(
            "tr",
            null,
            el("th", { scope: "col", class: "first" }, el("button", { type: "button" }, "Method")),
            table.columns.map((c) =>
                el(
                    "th",
                    { scope: "col" },
                    el(
                        "button",
                        { type: "button", title: `${c.split}: ${better(c.up)}; sort` },
                        c.metric,
                        el("span", { "aria-hidden": "true" }, arrow(c.up)),
                    ),
                ),
            ),
        ),
    ];
}

// The heading of a block has a body of its own, so that sorting leaves it where it is.
function bodiesOf(block, table, runs) {
    const heading = block.label
        ? el(
              "tbody",
              { class: "block" },
              el(
                  "tr",
                  null,
                  el("th", { colspan: table.columns.length + 1, scope: "rowgroup" }, el("span", null, block.label)),
              ),
          )
        : null;
    const rows = block.rows.map((row) =>
        el(
            "tr",
            null,
            el("th", { class: "first", scope: "row", "data-sort": row.label }, row.label),
            row.cells.map((cell, i) => numberCell(cell, table.columns[i], table, runs)),
        ),
    );
    return [heading, el("tbody", null, rows)];
}

function numberCell(cell, column, table, runs) {
    const marks = cell.marks ?? "";
    const classes = [...marks].map((m) => "mark-" + m).join(" ");
    const td = el(
        "td",
        { class: classes || null, tabindex: "-1", "data-sort": cell.value ?? "" },
        el(
            "span",
            { class: "ours" },
            cell.printed,
            cell.sigma ? el("small", null, " \u00b1" + cell.sigma) : null,
            cell.rise ? el("small", null, ` (${cell.rise}\u2191)`) : null,
            marks.includes("d") ? el("sup", null, "\u2020") : null,
        ),
        besideOf(cell, table.decimals),
    );
    td.origin = () => openCell(cell, column, table, runs);
    return td;
}

function besideOf(cell, decimals) {
    if (!cell.paper || cell.value === undefined) return null;
    const delta = cell.value - cell.paper[0];
    return el(
        "span",
        { class: "beside" },
        el("span", { class: "hide" }, "paper "),
        cell.paper[1],
        " ",
        el("span", { class: "delta" }, signed(delta, decimals)),
    );
}

// A number that rounds to zero has no sign; the minus is the typographic one.
function signed(x, decimals) {
    const text = Math.abs(x).toFixed(decimals);
    if (Number(text) === 0) return "\u00b1" + text;
    return (x < 0 ? "\u2212" : "+") + text;
}

function openCell(cell, column, table, runs) {
    const run = cell.run === undefined ? null : runs[cell.run];
    const marks = {
        b: "best of its family",
        u: "among the two best",
        g: "grey: broken model, or nothing forgotten",
        d: "training diverged",
    };
    showOrigin(
        cell.name,
        [
            ["value", cell.value === undefined ? "not run" : String(cell.value)],
            ["95 % interval", cell.ci ? `${cell.ci[0]} to ${cell.ci[1]}` : null],
            ["standard error", cell.se === undefined ? null : String(cell.se)],
            [
                "questions",
                cell.n === undefined ? null : whole(cell.n) + (cell.excluded ? `, ${cell.excluded} left out` : ""),
            ],
            ["metric", cell.variant ?? null],
            ["seeds", cell.seeds ? `${cell.seeds}, sigma ${cell.sigma}` : null],
            ["the paper prints", cell.paper ? cell.paper[1] : null],
            [
                "ours less the paper's",
                cell.paper && cell.value !== undefined
                    ? signed(cell.value - cell.paper[0], table.decimals + 1)
                    : null,
            ],
            ["marks", [...(cell.marks ?? "")].map((m) => marks[m]).join("; ")],
        ],
        run ? run.cells : [],
        run ? answersOf(run, column.asked) : null,
    );
}

// One number of a grid takes part in the tab order; arrows move it.
function moveByKeys(grid) {
    const cells = () =>
        [...grid.querySelectorAll("tbody tr")]
            .map((r) => [...r.querySelectorAll("td[tabindex]")])
            .filter((r) => r.length > 0);
    const first = grid.querySelector("td[tabindex]");
    if (first) first.tabIndex = 0;
    const focus = (td) => {
        grid.querySelectorAll("td[tabindex='0']").forEach((t) => (t.tabIndex = -1));
        td.tabIndex = 0;
        td.focus();
    };
    grid.addEventListener("click", (event) => {
        const td = event.target.closest("td[tabindex]");
        // Whoever selects a number to copy it does not ask where it comes from.
        if (!td || String(getSelection()) !== "") return;
        focus(td);
        td.origin();
    });
    grid.addEventListener("keydown", (event) => {
        const td = event.target.closest("td[tabindex]");
        if (!td) return;
        const rows = cells();
        const y = rows.findIndex((r) => r.includes(td));
        const x = rows[y].indexOf(td);
        const to = {
            ArrowLeft: () => rows[y][x - 1],
            ArrowRight: () => rows[y][x + 1],
            ArrowUp: () => rows[y - 1]?.[x],
            ArrowDown: () => rows[y + 1]?.[x],
            Home: () => rows[y][0],
            End: () => rows[y].at(-1),
        }[event.key];
        if (event.key === "Enter" || event.key === " ") td.origin();
        else if (to) focus(to() ?? td);
        else return;
        event.preventDefault();
    });
}

// For a spreadsheet: a line a row, the paper's number and the difference in columns of their own.
function tabSeparated(table) {
    const heads = table.columns.map((c) => [c.group, c.split, c.metric].filter((t) => t).join(" "));
    const lines = [["", "method", ...heads.flatMap((h) => [h, h + " (paper)", h + " (difference)"])].join("\t")];
    for (const block of table.blocks)
        for (const row of block.rows)
            lines.push(
                [
                    block.label,
                    row.label,
                    ...row.cells.flatMap((c) => [
                        c.value ?? "",
                        c.paper ? c.paper[0] : "",
                        c.paper && c.value !== undefined ? c.value - c.paper[0] : "",
                    ]),
                ].join("\t"),
            );
    return lines.join("\n") + "\n";
}
