// Opens the data and puts the parts on the page, in the order in which people ask.

const report = { timings: {} };
window.report = report;

function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", theme === "dark" ? "Light colours" : "Dark colours");
    document.dispatchEvent(new Event("theme"));
}

function startTheme() {
    const system = matchMedia("(prefers-color-scheme: dark)");
    // A page from a file may have no storage of its own.
    const kept = (() => {
        try {
            return localStorage.getItem("theme");
        } catch {
            return null;
        }
    })();
    setTheme(kept ?? (system.matches ? "dark" : "light"));
    system.addEventListener("change", () => setTheme(system.matches ? "dark" : "light"));
    document.getElementById("theme").addEventListener("click", () => {
        const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        setTheme(theme);
        try {
            localStorage.setItem("theme", theme);
        } catch {
            // It holds until the page is closed.
        }
    });
}

async function open() {
    startTheme();
    const data = await readData();
    document.title = data.title;
    document.getElementById("title").textContent = data.title;
    const names = namesOf(data);
    setProvenance(data.store);
    addSummary(data, names);
    addTables(data);
    addFigures(data);
    addAnswers(data, names, report.timings);
    addCurves(data, names);
    addRatings(data);
    addStages(data);
    const parts = "uPlot (MIT), dagre (MIT), sortable-tablesort (Unlicense)";
    const foot = `Made by eu-stage. Parts by others, whose licences stand in this file: ${parts}.`;
    document.getElementById("foot").append(el("p", null, foot));
    document.getElementById("loading").remove();
    // A link into the page waits for its part.
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    report.timings.open = performance.now();
}

report.ready = open().catch((error) => {
    document.getElementById("loading").textContent = "This page cannot be opened: " + error.message;
    throw error;
});
