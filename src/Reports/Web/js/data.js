// Reads the data that stands in the page: base64 of gzip of JSON.

async function readData() {
    const element = document.getElementById("data");
    const packed = bytesOf(element.textContent.trim());
    element.remove();
    const json = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(json).text());
}

function bytesOf(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
}

/** What models, sets and methods are called in print; their own names where nobody said. */
function namesOf(data) {
    const names = data.names ?? {};
    return {
        model: (m) => names.models?.[m] ?? m,
        set: (s) => (names.sets?.[s] && names.sets[s] !== s ? `${names.sets[s]} (${s})` : s),
        method: (m) => names.methods?.[m] ?? (m === "none" ? "untouched" : m),
        methods: Object.keys(names.methods ?? {}),
    };
}
