// The browser of answers: a list of questions that narrows as one types, and all answers to the chosen one.

const pageSize = 20;

function addAnswers(data, names, timings) {
    const groups = data.answers.groups;
    if (groups.length === 0) return;
    // Where most methods can be compared.
    const most = Math.max(...groups.map((g) => g.methods.length));
    const start = groups.findIndex((g) => g.methods.length === most);
    const browser = new AnswerBrowser(data.answers, names, timings);
    part("answers", "Answers", browser.element(start));
    browser.choose(start);
    answersOf = (run, split) => browser.jump(run, split);
}

/** Leads to the answers of a run; null where the page has none. */
let answersOf = () => null;

class AnswerBrowser {
    constructor(answers, names, timings) {
        Object.assign(this, { strings: answers.strings, groups: answers.groups, names, timings });
        this.filter = { text: "", split: "", method: "", state: "" };
        this.page = 0;
    }

    element(start) {
        this.groupChoice = choice(
            "Model and forget set",
            this.groups.map((g, i) => [String(i), `${this.names.model(g.model)}: ${this.names.set(g.set)}`]),
            (i) => this.choose(Number(i)),
            String(start),
        );
        this.search = el("input", {
            type: "search",
            id: "answer-search",
            autocomplete: "off",
            spellcheck: "false",
            placeholder: "words of question or answer",
        });
        this.search.addEventListener("input", () => this.set({ text: this.search.value }));
        this.splits = el("span");
        this.methods = el("span");
        const state = choice(
            "Answers",
            [
                ["", "all"],
                ["changed", "changed"],
                ["unchanged", "unchanged"],
                ["refused", "refused"],
            ],
            (s) => this.set({ state: s }),
            "",
        );
        this.count = el("p", { class: "count", role: "status" });
        this.list = el("ol", { class: "questions", "aria-label": "Questions" });
        this.before = el("button", { type: "button", onclick: () => this.turn(-1) }, "Previous");
        this.after = el("button", { type: "button", onclick: () => this.turn(1) }, "Next");
        this.detail = el("div", {
            class: "detail",
            tabindex: "-1",
            role: "region",
            "aria-label": "Answers to the question",
        });
        return [
            el(
                "p",
                null,
                "Every question with what each method's model says to it, beside the untouched model. ",
                el("mark", null, "Marked"),
                " are words of the true answer. Who rates answers for the human study should not look here.",
            ),
            el(
                "div",
                { class: "controls" },
                this.groupChoice,
                el("label", { class: "field grow" }, el("span", null, "Search"), this.search),
                this.splits,
                this.methods,
                state,
            ),
            this.count,
            el(
                "div",
                { class: "browser" },
                el(
                    "div",
                    null,
                    this.list,
                    el(
                        "div",
                        { class: "pager", role: "group", "aria-label": "Pages of questions" },
                        this.before,
                        this.after,
                    ),
                ),
                this.detail,
            ),
        ];
    }

    /** Shows the questions of one model and set. */
    choose(index) {
        const g = (this.group = this.groups[index]);
        const order = this.names.methods;
        const place = (m) =>
            m.name === "none" ? -1 : order.includes(m.name) ? order.indexOf(m.name) : order.length;
        this.runs = [...g.methods].sort((a, b) => place(a) - place(b));
        this.untouched = g.methods.find((m) => m.name === "none");
        this.texts = g.question.map((_, i) =>
            searchable(
                [g.id[i], g.question[i], g.truth[i]]
                    .map((s) => this.strings[s])
                    .concat(g.methods.map((m) => this.said(m, i)?.text ?? ""))
                    .join("\n"),
            ),
        );
        const splits = [...new Set(g.split)].map((s) => this.strings[s]);
        this.filter = {
            ...this.filter,
            split: splits.includes(this.filter.split) ? this.filter.split : "",
            method: this.runs.some((r) => r.name === this.filter.method) ? this.filter.method : "",
        };
        this.splits.replaceChildren(
            choice(
                "Split",
                [["", "all"], ...splits.map((s) => [s, s])],
                (s) => this.set({ split: s }),
                this.filter.split,
            ),
        );
        this.methods.replaceChildren(
            choice(
                "Method",
                [
                    ["", "any"],
                    ...this.runs.filter((r) => r.name !== "none").map((r) => [r.name, this.names.method(r.name)]),
                ],
                (m) => this.set({ method: m }),
                this.filter.method,
            ),
        );
        this.chosen = -1;
        this.set({});
    }

    /** A button that shows the answers of a run; null where the page has none. */
    jump(run, split) {
        const index = this.groups.findIndex((g) => g.model === run.model && g.set === run.set);
        if (index < 0 || !this.groups[index].methods.some((m) => m.name === run.method)) return null;
        const show = () => {
            document.getElementById("origin").close();
            this.groupChoice.querySelector("select").value = String(index);
            this.search.value = "";
            Object.assign(this.filter, { text: "", split, method: run.method });
            this.choose(index);
            document.getElementById("answers").scrollIntoView();
            this.list.querySelector("button")?.focus({ preventScroll: true });
        };
        return el("button", { type: "button", onclick: show }, "Show the answers behind it");
    }

    /** What a method said to a question; null where it was not asked. */
    said(method, i) {
        const code = method.text[i];
        return code < 0 ? null : { text: this.strings[code >> 1], refused: (code & 1) === 1 };
    }

    stateOf(method, i) {
        const code = method.text[i];
        if (code < 0) return "";
        if (code & 1) return "refused";
        const before = this.untouched?.text[i] ?? -1;
        return before < 0 ? "" : before >> 1 === code >> 1 ? "unchanged" : "changed";
    }

    set(change) {
        Object.assign(this.filter, change);
        const start = performance.now();
        const { text, split, method, state } = this.filter;
        const terms = termsOf(text);
        const asked = this.runs.filter((r) => r.name !== "none" && (!method || r.name === method));
        const fits = (i) =>
            (!split || this.strings[this.group.split[i]] === split) &&
            hasAll(this.texts[i], terms) &&
            (!method || asked.some((r) => r.text[i] >= 0)) &&
            (!state || asked.some((r) => this.stateOf(r, i) === state));
        this.found = this.texts.map((_, i) => i).filter(fits);
        this.page = 0;
        if (!this.found.includes(this.chosen)) this.chosen = this.found[0] ?? -1;
        this.draw();
        this.timings.filter = performance.now() - start;
    }

    turn(pages) {
        this.page += pages;
        this.draw();
        this.list.querySelector("button")?.focus();
    }

    draw() {
        const from = this.page * pageSize;
        const shown = this.found.slice(from, from + pageSize);
        const all = this.texts.length;
        this.count.textContent =
            this.found.length === 0
                ? `None of ${whole(all)} questions.`
                : `${whole(from + 1)} to ${whole(from + shown.length)} of ${whole(this.found.length)}` +
                  (this.found.length < all ? ` (of ${whole(all)} in all)` : "") +
                  " questions.";
        this.before.disabled = this.page === 0;
        this.after.disabled = from + pageSize >= this.found.length;
        this.list.start = from + 1;
        this.list.replaceChildren(...shown.map((i) => this.row(i)));
        this.drawDetail();
    }

    row(i) {
        const method = this.runs.find((r) => r.name === this.filter.method);
        const counts = { changed: 0, unchanged: 0, refused: 0 };
        for (const r of this.runs.filter((x) => x.name !== "none")) {
            const s = this.stateOf(r, i);
            if (s) counts[s]++;
        }
        const said = method && this.said(method, i);
        const button = el(
            "button",
            { type: "button", "aria-current": i === this.chosen ? "true" : null },
            el("span", { class: "question" }, this.strings[this.group.question[i]]),
            el(
                "small",
                null,
                this.strings[this.group.split[i]],
                Object.entries(counts).map(([s, n]) => (n > 0 ? ` \u00b7 ${n} ${s}` : "")),
            ),
            said
                ? el(
                      "small",
                      { class: "snippet" },
                      `${this.names.method(method.name)}: ${said.text || "(nothing)"}`,
                  )
                : null,
        );
        button.addEventListener("click", () => {
            this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
            button.setAttribute("aria-current", "true");
            this.chosen = i;
            this.drawDetail();
            // On a narrow screen the answers stand below the list, with a way back.
            const isBelow = this.detail.offsetTop > this.list.offsetTop;
            this.detail.focus({ preventScroll: true });
            this.detail.scrollIntoView({ block: isBelow ? "start" : "nearest" });
        });
        return el("li", null, button);
    }

    drawDetail() {
        const i = this.chosen;
        if (i < 0) return this.detail.replaceChildren(el("p", null, "No question."));
        const truth = this.strings[this.group.truth[i]];
        const back = el("button", { type: "button", class: "back" }, "Back to the questions");
        back.addEventListener("click", () => this.list.querySelector("[aria-current]")?.focus());
        this.detail.replaceChildren(
            back,
            el("h3", null, this.strings[this.group.question[i]]),
            el(
                "p",
                null,
                el("b", null, "True answer: "),
                el("mark", null, truth),
                el(
                    "small",
                    null,
                    ` (${this.strings[this.group.id[i]]}, split ${this.strings[this.group.split[i]]})`,
                ),
            ),
            plainTable(
                "Answers of all methods",
                ["method", "answer", "state", "p(truth)"],
                this.runs.map((r) => this.answerRow(r, i, truth)).filter((r) => r),
            ),
            el(
                "p",
                { class: "caption" },
                "p(truth): probability of the true answer, per token. It may be high where the " +
                    "answer no longer says it.",
            ),
        );
    }

    answerRow(run, i, truth) {
        const said = this.said(run, i);
        if (!said) return null;
        const state = run.name === "none" ? (said.refused ? "refused" : "before") : this.stateOf(run, i);
        const p = run.probability[i];
        const name = this.names.method(run.name);
        return [
            run.name === "none" ? { shown: el("strong", null, name) } : name,
            el("span", { class: "said" }, said.text ? markTruth(said.text, truth) : el("em", null, "(nothing)")),
            { sort: state, shown: state ? el("span", { class: "mark answer-" + state }, state) : "" },
            { sort: p < 0 ? "" : p, shown: p < 0 ? "" : (p / 100).toFixed(2) },
        ];
    }
}
