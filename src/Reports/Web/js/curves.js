// How training went: one line a run, by update; of methods that edit one fact after the other, the mean over facts.

const measures = [
    ["forget", "loss on what is to be forgotten"],
    ["retain", "loss on what holds on to the rest"],
    ["loss", "loss that is minimised"],
    ["rouge1", "Rouge1 of generated answers"],
    ["edit", "loss of an edit, mean over facts"],
];
const strokes = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#7f7fff", "#a65628", "#888888"];

// Updates are counted: no tick between two of them.
const wholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

function addCurves(data, names) {
    if (data.curves.length === 0) return;
    const groups = new Map();
    for (const curve of data.curves) {
        const { model, set } = curve.axes;
        const key = set ? `${names.model(model)}: ${names.set(set)}` : "the models themselves";
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push(curve);
    }
    const view = new CurveView(names);
    const keys = [...groups.keys()];
    // Where most methods can be compared.
    const start = keys.reduce((most, k) => (groups.get(k).length > groups.get(most).length ? k : most));
    part(
        "curves",
        "Curves",
        el(
            "p",
            null,
            "Training by update, before each update. Editing methods look for a value (ROME, MEMIT, AlphaEdit, " +
                "GRACE) or train a memory (WISE) fact by fact: theirs is the mean over facts, and a fact that is " +
                "done keeps its last loss.",
        ),
        el(
            "div",
            { class: "controls" },
            choice(
                "Training of",
                keys.map((k) => [k, k]),
                (k) => view.show(groups.get(k)),
                start,
            ),
            view.measureHolder,
        ),
        view.plotHolder,
        view.tableHolder,
    );
    view.show(groups.get(start));
}

function last(curve) {
    return (curve.loss ?? curve.edit ?? []).at(-1);
}

class CurveView {
    constructor(names) {
        this.names = names;
        this.measureHolder = el("span");
        this.plotHolder = el("div", { class: "plot" });
        this.tableHolder = el("div");
        this.measure = "forget";
        new ResizeObserver(() => this.resize()).observe(this.plotHolder);
        document.addEventListener("theme", () => this.draw());
    }

    label(curve) {
        const { method, model, version } = curve.axes;
        return method
            ? this.names.method(method)
            : `${curve.stage} ${this.names.model(model)}${version ? `, ${version}` : ""}`;
    }

    show(curves) {
        this.curves = curves;
        const there = measures.filter(([m]) => curves.some((c) => c[m]));
        if (!there.some(([m]) => m === this.measure)) this.measure = there[0][0];
        this.measureHolder.replaceChildren(
            choice(
                "Show",
                there,
                (m) => {
                    this.measure = m;
                    this.draw();
                },
                this.measure,
            ),
        );
        this.draw();
        this.tableHolder.replaceChildren(
            plainTable(
                "How training ended",
                ["run", "updates", "last loss", "end"],
                curves.map((c) => [
                    this.label(c),
                    { sort: c.updates, shown: whole(c.updates) },
                    { sort: last(c) ?? "", shown: String(last(c) ?? "") },
                    c.edits
                        ? `${whole(c.edits)} edits`
                        : c.diverged === null
                          ? "finite"
                          : `diverged at update ${c.diverged}`,
                ]),
            ),
        );
    }

    draw() {
        if (!this.curves) return;
        this.plot?.destroy();
        const drawn = this.curves.filter((c) => c[this.measure]);
        const ink = getComputedStyle(document.body).color;
        const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8888" } };
        const title = measures.find(([m]) => m === this.measure)[1];
        this.plot = new uPlot(
            {
                width: Math.max(240, this.plotHolder.clientWidth),
                height: 320,
                scales: { x: { time: false } },
                axes: [
                    { ...axis, label: "update", incrs: wholeSteps },
                    { ...axis, label: title, size: 64 },
                ],
                series: [
                    { label: "update" },
                    ...drawn.map((c, i) => ({
                        label: this.label(c),
                        stroke: strokes[i % strokes.length],
                        dash: i < strokes.length ? [] : [6, 4],
                        width: 2,
                        spanGaps: true,
                    })),
                ],
            },
            uPlot.join(drawn.map((c) => [c.step, c[this.measure]])),
            this.plotHolder,
        );
        const canvas = this.plotHolder.querySelector("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `${title}, by update, of ${drawn.map((c) => this.label(c)).join(", ")}`);
    }

    resize() {
        const width = this.plotHolder.clientWidth;
        if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: 320 });
    }
}
