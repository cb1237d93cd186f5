// The figures as they were drawn, each in a picture of its own: nothing in one can act on the page.

function addFigures(data) {
    if (!data.figures?.length) return;
    part(
        "figures",
        "Figures",
        el(
            "div",
            { class: "figures" },
            data.figures.map((f) => figureOf(f, true)),
        ),
    );
}

function figureOf(figure, withNumbers = false) {
    // Panels are cleared in black before they get their white ground: scaled, the black shows as a frame around them.
    const drawing = figure.svg.replaceAll(/<rect width="\d+" height="\d+"\/>/g, "");
    const address = "data:image/svg+xml;base64," + base64(drawing);
    // Panels side by side are too small to read on a narrow screen: there the figure scrolls.
    const isWide = Number(/<svg[^>]* width="(\d+)/.exec(drawing)?.[1]) > 600;
    const picture = el("img", {
        src: address,
        alt: figure.caption + " The numbers stand below it under Figures.",
        class: isWide ? "drawing wide" : "drawing",
    });
    const rows = withNumbers ? parseCsv(figure.csv) : [];
    return el(
        "figure",
        null,
        isWide ? scroller(figure.caption, picture) : picture,
        el(
            "figcaption",
            null,
            figure.caption,
            " ",
            withNumbers
                ? el("a", { href: address, download: figure.name + ".svg" }, `Save ${figure.name}.svg`)
                : null,
        ),
        rows.length > 1
            ? el(
                  "details",
                  null,
                  el("summary", null, `Numbers drawn in ${figure.name}`),
                  plainTable(
                      "Numbers of " + figure.name,
                      rows[0],
                      rows.slice(1).map((r) => r.map(numeric)),
                  ),
              )
            : null,
    );
}

function numeric(text) {
    const x = Number(text);
    if (text.trim() === "" || !Number.isFinite(x)) return text;
    return { sort: x, shown: Number.isInteger(x) ? text : x.toFixed(4) };
}

function base64(text) {
    const bytes = new TextEncoder().encode(text);
    let binary = "";
    for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    return btoa(binary);
}

/** Rows of a CSV; quotes as RFC 4180 has them. */
function parseCsv(text) {
    const rows = [];
    let row = [];
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
        if (quoted === undefined && plain === "" && end === "" && row.length === 0) break;
        row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
        if (end !== ",") {
            rows.push(row);
            row = [];
        }
        if (end === "") break;
    }
    return rows;
}
