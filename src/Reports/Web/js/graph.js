// The graph of stages with their state and time, and a table of the same for reading and sorting.

function addStages(data) {
    if (!data.store) return;
    const { stages, cells } = data.store;
    const all = stages.map((stage) => summed(stage, cells));
    part(
        "stages",
        "Stages",
        el(
            "p",
            null,
            "What read what; a line that follows from others is left out. Under each name: cells, and how long they " +
                "took together where they ran. Results of earlier settings count until they are made again.",
        ),
        scroller("Graph of stages", drawing(all)),
        plainTable(
            "Stages",
            ["stage", "what it does", "cells", "state", "time", "peak memory"],
            all.map((s) => [
                {
                    sort: s.name,
                    shown: el(
                        "button",
                        {
                            type: "button",
                            class: "link",
                            id: "stage-" + s.name,
                            onclick: () =>
                                showOrigin(
                                    `${s.name}: ${s.cells.length} cells`,
                                    [["what", s.summary]],
                                    s.cells.map((c) => c.cell),
                                ),
                        },
                        s.name,
                    ),
                },
                s.summary,
                { sort: s.cells.length, shown: whole(s.cells.length) },
                { sort: s.fresh / Math.max(1, s.cells.length), shown: stateOfStage(s) },
                { sort: s.seconds, shown: duration(s.seconds) },
                { sort: s.peak, shown: s.peak > 0 ? size(s.peak) : "" },
            ]),
        ),
    );
}

function summed(stage, cells) {
    const own = stage.cells.map((i) => cells[i]);
    const made = own.filter((c) => c.manifest);
    return {
        name: stage.name,
        summary: stage.summary,
        reads: stage.reads,
        cells: own,
        fresh: own.filter((c) => c.state === "upToDate").length,
        counts: Object.fromEntries(
            Object.keys(stateWords).map((s) => [s, own.filter((c) => c.state === s).length]),
        ),
        seconds: made.reduce((sum, c) => sum + c.manifest.seconds, 0),
        peak: made.reduce((most, c) => Math.max(most, c.manifest.peakBytes), 0),
    };
}

function stateOfStage(s) {
    return Object.entries(s.counts)
        .filter(([, n]) => n > 0)
        .map(([state, n]) => [
            el("span", { class: "mark state-" + state }, `${n} ${stateWords[state].split(" for ")[0]}`),
            " ",
        ]);
}

function drawing(stages) {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: "LR", nodesep: 12, ranksep: 40 });
    graph.setDefaultEdgeLabel(() => ({}));
    const shown = stages.filter((s) => s.cells.length > 0);
    const there = new Set(shown.map((s) => s.name));
    for (const s of shown) {
        const width = Math.max(8.2 * s.name.length, 6.4 * nodeLine(s).length) + 20;
        graph.setNode(s.name, { width, height: 44, stage: s });
    }
    const reads = new Map(shown.map((s) => [s.name, s.reads.filter((r) => there.has(r))]));
    for (const [to, sources] of reads) for (const from of direct(sources, reads)) graph.setEdge(from, to);
    dagre.layout(graph);
    const nodes = graph.nodes().map((n) => graph.node(n));
    const edges = graph.edges().map((e) => graph.edge(e).points);
    // The layout counts boxes only; lines may run around them.
    const xs = [...nodes.flatMap((n) => [n.x - n.width / 2, n.x + n.width / 2]), ...edges.flat().map((p) => p.x)];
    const ys = [...nodes.flatMap((n) => [n.y - n.height / 2, n.y + n.height / 2]), ...edges.flat().map((p) => p.y)];
    const [left, top] = [Math.min(...xs) - 8, Math.min(...ys) - 8];
    const [width, height] = [Math.max(...xs) + 8 - left, Math.max(...ys) + 8 - top];
    return svg(
        "svg",
        {
            class: "dag",
            width,
            height,
            viewBox: `${left} ${top} ${width} ${height}`,
            role: "group",
            "aria-label": "Graph of stages",
        },
        svg(
            "marker",
            { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" },
            svg("path", { class: "tip", d: "M0 0L8 4L0 8z" }),
        ),
        edges.map((points) => svg("path", { class: "edge", d: smooth(points), "marker-end": "url(#tip)" })),
        nodes.map(nodeOf),
    );
}

// What a stage reads and none of its other sources reads, directly or not: the rest follows from these lines.
function direct(sources, reads) {
    const behind = new Set();
    const open = sources.flatMap((s) => reads.get(s));
    while (open.length > 0) {
        const name = open.pop();
        if (behind.has(name)) continue;
        behind.add(name);
        open.push(...reads.get(name));
    }
    return sources.filter((s) => !behind.has(s));
}

// Through the middles of the points that the layout gives.
function smooth(points) {
    const [first, ...rest] = points;
    let path = `M${first.x} ${first.y}`;
    rest.forEach((p, i) => {
        const next = rest[i + 1];
        path += next ? ` Q${p.x} ${p.y} ${(p.x + next.x) / 2} ${(p.y + next.y) / 2}` : ` L${p.x} ${p.y}`;
    });
    return path;
}

const cellCount = (stage) => `${stage.cells.length} ${stage.cells.length === 1 ? "cell" : "cells"}`;
const nodeLine = (stage) => `${cellCount(stage)}, ${duration(stage.seconds)}`;

function nodeOf({ x, y, width, height, stage }) {
    const open = stage.cells.length - stage.fresh;
    const state = open === 0 ? "upToDate" : stage.counts.missing > 0 ? "missing" : "stale";
    return svg(
        "a",
        { href: "#stage-" + stage.name, class: "node node-" + state },
        svg("title", null, `${stage.name}: ${open === 0 ? "all up to date" : open + " not up to date"}`),
        svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 6 }),
        svg("text", { x, y: y - 4, "text-anchor": "middle", class: "name" }, stage.name),
        svg("text", { x, y: y + 13, "text-anchor": "middle", class: "more" }, nodeLine(stage)),
    );
}
