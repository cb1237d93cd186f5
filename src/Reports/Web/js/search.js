// Search in texts. Every word of the query must occur, in any order, letters in either case and with or without
// accents; words in quotes must occur as they stand. Thousands of texts are looked through in a few milliseconds, so
// there is no index.

/** A text as the search sees it. */
function searchable(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

/** What a query asks for. */
function termsOf(query) {
    return [...query.matchAll(/"([^"]+)"?|(\S+)/g)].map(([, phrase, word]) => searchable(phrase ?? word));
}

/** Whether a searchable text has all terms. */
function hasAll(text, terms) {
    return terms.every((t) => text.includes(t));
}

const commonWords = new Set([
    "the",
    "and",
    "was",
    "are",
    "for",
    "has",
    "had",
    "his",
    "her",
    "its",
    "with",
    "that",
    "this",
    "from",
    "not",
    "but",
]);

/** The text in pieces: what is a word of the true answer is marked. */
function markTruth(text, truth) {
    const words = new Set(
        [...truth.matchAll(/[\p{L}\p{N}]+/gu)]
            .map(([w]) => searchable(w))
            .filter((w) => w.length > 2 && !commonWords.has(w)),
    );
    const pieces = [];
    let at = 0;
    for (const found of text.matchAll(/[\p{L}\p{N}]+/gu)) {
        if (!words.has(searchable(found[0]))) continue;
        pieces.push(text.slice(at, found.index), el("mark", null, found[0]));
        at = found.index + found[0].length;
    }
    pieces.push(text.slice(at));
    return pieces;
}
