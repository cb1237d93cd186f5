// Builds elements. Texts of models and users become text nodes and nothing else: no part of the page parses markup.

/** An element with attributes, listeners (`onclick`) and children; what is null or false is left out. */
function el(name, attributes, ...children) {
    return filled(document.createElement(name), attributes, children);
}

/** The same in a drawing. */
function svg(name, attributes, ...children) {
    return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes ?? {})) {
        if (value === null || value === undefined || value === false) continue;
        if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
        else node.setAttribute(key, value === true ? "" : String(value));
    }
    node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
    return node;
}

/** A part of the page; the bar at the top leads to it. */
function part(id, title, ...children) {
    document.getElementById("parts").append(el("li", null, el("a", { href: "#" + id }, title)));
    const section = el("section", { id, "aria-labelledby": id + "-title" }, el("h2", { id: id + "-title" }, title));
    section.append(...children.flat(Infinity).filter((c) => c));
    document.getElementById("main").append(section);
    return section;
}

/** What is wider than a narrow screen scrolls in here, and by keyboard too. */
function scroller(label, child) {
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, child);
}

/** A choice with its label. */
function choice(label, options, onchange, chosen) {
    const select = el(
        "select",
        { onchange: () => onchange(select.value) },
        options.map(([value, text]) => el("option", { value, selected: value === chosen }, text)),
    );
    return el("label", { class: "field" }, el("span", null, label), select);
}

/** A plain table: a list of headings and rows of texts or nodes. Click on a heading to sort. */
function plainTable(label, headings, rows, sortable = true) {
    const numeric = headings.map((_, i) => rows.length > 0 && isNumber(rows[0][i]));
    const head = headings.map((h, i) =>
        el(
            "th",
            { scope: "col", class: numeric[i] ? "number" : null },
            sortable ? el("button", { type: "button" }, h) : h,
        ),
    );
    return scroller(
        label,
        el(
            "table",
            { class: "plain" + (sortable ? " sortable n-last" : "") },
            el("caption", { class: "hide" }, label),
            el("thead", null, el("tr", null, head)),
            el(
                "tbody",
                null,
                rows.map((r) =>
                    el(
                        "tr",
                        null,
                        r.map((c, i) => tableCell(c, i, numeric[i])),
                    ),
                ),
            ),
        ),
    );
}

// Either what is shown, or that with the value to sort by.
const isPair = (content) => content !== null && typeof content === "object" && "shown" in content;
const isNumber = (content) =>
    isPair(content) && typeof content.sort === "number" && typeof content.shown === "string";

function tableCell(content, column, numeric) {
    const { sort, shown } = isPair(content) ? content : { shown: content };
    const attributes = { "data-sort": sort, class: numeric ? "number" : null };
    return column === 0 ? el("th", { scope: "row", ...attributes }, shown) : el("td", attributes, shown);
}

/** Says something to whoever does not see the screen, and shows it on the button that did it. */
function say(text, button) {
    document.getElementById("said").textContent = text;
    if (!button) return;
    const before = [...button.childNodes];
    button.replaceChildren(text);
    setTimeout(() => button.replaceChildren(...before), 1500);
}

/** Puts a text on the clipboard. A page from a file may not be allowed to: then by way of a selection. */
async function copy(text, button) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        const area = el("textarea", { class: "hide", "aria-hidden": "true" });
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
    }
    say("Copied", button);
}

const whole = (n) => n.toLocaleString("en-US");

/** 0.4 s, 12 s, 3 m 05 s, 2 h 10 m. */
function duration(seconds) {
    if (seconds < 9.95) return seconds.toFixed(1) + " s";
    if (seconds < 59.5) return seconds.toFixed(0) + " s";
    const minutes = Math.floor(seconds / 60);
    if (seconds < 3600) return `${minutes} m ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

/** 312 B, 4.2 kB, 6.0 MB, 1.70 GB. */
function size(bytes) {
    if (bytes < 1e3) return bytes + " B";
    if (bytes < 1e6) return (bytes / 1e3).toFixed(1) + " kB";
    if (bytes < 1e9) return (bytes / 1e6).toFixed(1) + " MB";
    return (bytes / 1e9).toFixed(2) + " GB";
}
