// Where a number comes from: the cells that made it, with key, parameters, code, seed, time, memory and inputs.

let cellsByName = new Map();

function setProvenance(store) {
    cellsByName = new Map((store?.cells ?? []).map((c) => [c.cell, c]));
}

const stateWords = {
    upToDate: "up to date",
    stale: "stale",
    waiting: "waiting for what it reads",
    missing: "a file is missing",
};

/** Opens the dialog: facts of a number, the cells behind it, and what else leads on from it. */
function showOrigin(title, facts, cells, more = null) {
    const dialog = document.getElementById("origin");
    document.getElementById("origin-title").textContent = title;
    const chain = chainOf(cells).map((cell, i) => cellDetails(cell, i === 0));
    const made =
        cellsByName.size === 0
            ? elsewhere(cells)
            : chain.length > 0
              ? chain
              : el("p", null, "No result of the study stands behind it.");
    document
        .getElementById("origin-body")
        .replaceChildren(
            el("div", null, facts.length > 0 ? factList(facts) : null, more, el("h3", null, "Made by"), made),
        );
    dialog.showModal();
    document.getElementById("origin-body").scrollTop = 0;
}

// The page of the stage holds no manifests: it must not differ between two runs of one key.
function elsewhere(cells) {
    return el(
        "p",
        null,
        cells.length > 0 ? cells.join(", ") + ". " : "",
        "Keys, parameters, seeds, times and memory are in the page that ",
        el("code", null, "dotnet eu-stage report"),
        " writes.",
    );
}

document.getElementById("origin-close").addEventListener("click", () => document.getElementById("origin").close());
document.getElementById("origin").addEventListener("click", (event) => {
    if (event.target === event.currentTarget) event.currentTarget.close();
});

function factList(facts) {
    return el(
        "dl",
        { class: "facts" },
        facts
            .filter(([, value]) => value !== null && value !== undefined && value !== "")
            .map(([name, value]) => [el("dt", null, name), el("dd", null, value)]),
    );
}

// A source is CELL/output, or a file of the project.
function cellOfSource(source) {
    const found = /^[^[/]+(?:\[[^\]]*\])?/.exec(source)?.[0];
    return found && cellsByName.has(found) ? found : null;
}

// The cells, and all that they read, the nearest first.
function chainOf(names) {
    const chain = [];
    const seen = new Set();
    const open = names.filter((n) => cellsByName.has(n));
    while (open.length > 0 && chain.length < 60) {
        const name = open.shift();
        if (seen.has(name)) continue;
        seen.add(name);
        const cell = cellsByName.get(name);
        chain.push(cell);
        for (const [, source] of cell.manifest?.inputs ?? []) {
            const next = cellOfSource(source);
            if (next) open.push(next);
        }
    }
    return chain;
}

function cellDetails(cell, isOpen) {
    const m = cell.manifest;
    const details = el(
        "details",
        { class: "cell" },
        el(
            "summary",
            null,
            el("code", null, cell.cell),
            " ",
            stateMark(cell.state),
            m ? ` ${duration(m.seconds)}, ${size(m.peakBytes)}` : " no result",
        ),
    );
    const fill = () => details.childElementCount === 1 && details.append(cellFacts(cell));
    details.addEventListener("toggle", fill);
    if (isOpen) {
        fill();
        details.open = true;
    }
    return details;
}

function stateMark(state) {
    return el("span", { class: "mark state-" + state }, stateWords[state] ?? state);
}

function cellFacts(cell) {
    const m = cell.manifest;
    const why = cell.reasons ? [["why", cell.reasons.join("; ")]] : [];
    if (!m) return el("div", null, factList([...why, ["damaged", cell.damaged]]));
    return el(
        "div",
        null,
        factList([
            ...why,
            ["key", hash(m.key)],
            ["code identity", hash(m.code)],
            ["seed", m.seed === null ? null : String(m.seed)],
            ["started", m.started],
            ["wall time", duration(m.seconds)],
            ["processor time", duration(m.cpuSeconds)],
            ["peak memory", size(m.peakBytes)],
            ["device", [m.device, m.dtype, m.numerics].filter((x) => x).join(", ")],
            ["threads", String(m.threads)],
            ["commit", m.commit ? hash(m.commit, m.dirty ? " (with changes)" : "") : null],
            [
                "versions",
                Object.entries(m.versions)
                    .map(([k, v]) => `${k} ${v}`)
                    .join(", "),
            ],
            ["warnings", m.warnings.join("; ")],
        ]),
        pairs("Parameters of " + cell.cell, "parameter", flat(m.parameters)),
        triples(
            "Inputs of " + cell.cell,
            ["input", "from", "hash"],
            m.inputs.map(([n, s, h]) => [n, s, hash(h)]),
        ),
        triples(
            "Outputs of " + cell.cell,
            ["output", "size", "hash"],
            m.outputs.map(([n, b, h]) => [n, { sort: b, shown: size(b) }, hash(h)]),
        ),
        pairs("Numbers that " + cell.cell + " reported", "number", Object.entries(m.metrics)),
    );
}

function pairs(label, heading, entries) {
    return entries.length === 0
        ? null
        : titled(
              label,
              plainTable(
                  label,
                  [heading, "value"],
                  entries.map(([k, v]) => [k, typeof v === "string" ? v : JSON.stringify(v)]),
                  false,
              ),
          );
}

function triples(label, headings, rows) {
    return rows.length === 0 ? null : titled(label, plainTable(label, headings, rows, false));
}

function titled(label, table) {
    return [el("h4", null, label), table];
}

// Nested parameters as paths.
function flat(value, path = "") {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return [[path, value]];
    return Object.entries(value).flatMap(([k, v]) => flat(v, path ? `${path}.${k}` : k));
}

// A hash is shown short and copied whole.
function hash(text, more = "") {
    const button = el(
        "button",
        { type: "button", class: "hash", title: text },
        el("span", { class: "hide" }, "Copy "),
        text.slice(0, 12) + "\u2026" + more,
    );
    button.addEventListener("click", () => copy(text, button));
    return button;
}
