"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = id => document.getElementById(id);
  const scales = [
    { name: "forget_quality", label: "Forget quality", values: [0, 1], ends: ["still there", "gone"] },
    { name: "entailment", label: "Entailment", values: [1, 2, 3, 4, 5],
      ends: ["off the point", "names what was asked"] },
    { name: "trustworthiness", label: "Trustworthiness", values: [1, 2, 3, 4, 5],
      ends: ["made up, garbled", "nothing invented"] },
  ];
  const store = "rating-sheet/" + data.rater + "/" + (data.items.length ? data.items[0].code : "");
  const blank = () => ({ forget_quality: null, entailment: null, trustworthiness: null, comment: "" });
  const ratings = new Map(data.items.map(i => [i.code, blank()]));
  const history = [];
  let at = 0, active = 0, unsaved = false, keeps = true;

  const item = () => data.items[at];
  const rating = () => ratings.get(item().code);
  const complete = r => r.forget_quality === 0 ||
    (r.forget_quality === 1 && r.entailment !== null && r.trustworthiness !== null);
  const off = index => index > 0 && rating().forget_quality !== 1;
  const say = (text, warn) => { $("note").textContent = text; $("note").className = warn ? "warn" : ""; };

  // Some browsers give pages from a file no memory, or forget it: then the saved file is all there is.
  function keep() {
    try {
      localStorage.setItem(store, JSON.stringify({ ratings: [...ratings], at }));
    } catch {
      keeps = false;
    }
  }

  function recall() {
    try {
      const kept = JSON.parse(localStorage.getItem(store));
      if (!kept) return;
      for (const [code, r] of kept.ratings) if (ratings.has(code)) put(code, r);
      at = Math.min(Math.max(kept.at | 0, 0), data.items.length - 1);
      say("Your work in this browser was found and goes on.");
    } catch {
      keeps = false;
    }
  }

  // Nothing but whole numbers of the scale gets in, wherever a rating comes from.
  function put(code, r) {
    const clean = blank();
    for (const s of scales) if (s.values.includes(r[s.name])) clean[s.name] = r[s.name];
    clean.comment = typeof r.comment === "string" ? r.comment.slice(0, 2000) : "";
    ratings.set(code, clean);
  }

  function change(act) {
    const before = { at, active, code: item().code, rating: { ...rating() } };
    act();
    if (JSON.stringify(before.rating) !== JSON.stringify(ratings.get(before.code))) {
      history.push(before);
      unsaved = true;
    }
    keep();
    show();
  }

  function rate(index, value) {
    const s = scales[index];
    if (off(index)) return say("The scales count only after forget quality 1.", true);
    if (!s.values.includes(value))
      return say(s.label + " goes from " + s.values[0] + " to " + s.values[s.values.length - 1] + ".", true);
    say("");
    change(() => {
      rating()[s.name] = value;
      if (index === 0 && value === 0) rating().entailment = rating().trustworthiness = null;
      const open = scales.findIndex((t, i) => !off(i) && rating()[t.name] === null);
      if (open >= 0) active = open;
      else advance();
    });
  }

  function advance() {
    active = 0;
    if (at + 1 < data.items.length) at++;
    if ([...ratings.values()].every(complete)) say("All items are rated. Save the file and send it back: thank you.");
  }

  function go(to) {
    if (to < 0 || to >= data.items.length) return;
    at = to;
    const open = scales.findIndex((t, i) => !off(i) && rating()[t.name] === null);
    active = Math.max(open, 0);
    say("");
    keep();
    show();
  }

  function nextOpen() {
    for (let k = 1; k <= data.items.length; k++) {
      const i = (at + k) % data.items.length;
      if (!complete(ratings.get(data.items[i].code))) return go(i);
    }
    say("All items are rated.");
  }

  function undo() {
    const last = history.pop();
    if (!last) return say("There is nothing to undo.");
    ratings.set(last.code, last.rating);
    ({ at, active } = last);
    unsaved = true;
    say("Undone.");
    keep();
    show();
  }

  function show() {
    const r = rating(), done = [...ratings.values()].filter(complete).length, all = data.items.length;
    $("rater").textContent = data.rater;
    $("count").textContent = done + " of " + all + " rated";
    $("done").style.width = (100 * done / all) + "%";
    $("track").setAttribute("aria-valuemax", all);
    $("track").setAttribute("aria-valuenow", done);
    $("place").textContent = "Item " + (at + 1) + " of " + all + (complete(r) ? ", rated" : "");
    $("code").textContent = item().code;
    $("question").textContent = item().question;
    $("truth").textContent = item().truth;
    $("answer").textContent = item().answer || "(the answer is empty)";
    $("answer").className = item().answer ? "" : "empty";
    if (document.activeElement !== $("comment")) $("comment").value = r.comment;
    $("back").disabled = at === 0;
    $("next").disabled = at + 1 === all;
    $("undo").disabled = history.length === 0;
    scales.forEach((s, i) => {
      const row = $(s.name);
      row.className = "scale" + (s.values.length === 2 ? " two" : "") +
        (i === active ? " active" : "") + (off(i) ? " off" : "");
      for (const b of row.querySelectorAll("button")) {
        b.setAttribute("aria-checked", String(r[s.name] === Number(b.value)));
        b.disabled = off(i);
      }
    });
  }

  // A spreadsheet must not take a text for a formula, nor a code for a number.
  function harmless(text) {
    const t = text.replace(/^\s+/, "");
    const code = /^[0-9e]{10}$/.test(text) && (text.match(/e/g) || []).length <= 1 && !/^e|e$/.test(text);
    if (/^[+-](\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return text;
    return t && (/^[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]/.test(t) || /^[\t\r\n']/.test(text) || code) ? "'" + text : text;
  }

  function cell(value) {
    const text = value === null ? "" : harmless(String(value));
    return /[,;\t"\r\n]|^ | $/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }

  function csv() {
    const rows = data.items.map(i => {
      const r = ratings.get(i.code);
      return [i.code, i.question, i.truth, i.answer || "(the answer is empty)",
        r.forget_quality, r.entailment, r.trustworthiness, r.comment];
    });
    return "\uFEFF" + [data.columns, ...rows].map(r => r.map(cell).join(",") + "\r\n").join("");
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    link.download = data.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    const open = [...ratings.values()].filter(r => !complete(r)).length;
    say(open ? data.file + " was saved; " + open + (open === 1 ? " item is" : " items are") + " not rated yet."
      : data.file + " was saved with all items rated. Please send it back.", open > 0);
  }

  function parse(text) {
    const rows = [];
    let row = [], value = "", quoted = false;
    text = text.replace(/^\uFEFF/, "");
    const head = text.split(/\r|\n/, 1)[0];
    const separator = head.includes("\t") ? "\t" : head.split(";").length > head.split(",").length ? ";" : ",";
    const end = () => { row.push(value); value = ""; };
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (quoted) {
        if (c !== '"') value += c;
        else if (text[i + 1] === '"') { value += c; i++; }
        else quoted = false;
      } else if (c === '"' && value === "") quoted = true;
      else if (c === separator) end();
      else if (c === "\n" || c === "\r") {
        if (c === "\r" && text[i + 1] === "\n") continue;
        end(); rows.push(row); row = [];
      }
      else value += c;
    }
    if (value || row.length) { end(); rows.push(row); }
    return rows;
  }

  async function load(file) {
    const [head, ...rows] = parse(await file.text());
    const column = name => head.indexOf(name);
    if (column("item_code") < 0 || column("forget_quality") < 0)
      return say("This file is not a saved rating sheet.", true);
    const plain = text => (text || "").replace(/^'/, "");
    let found = 0;
    for (const row of rows) {
      const code = plain(row[column("item_code")]);
      if (!ratings.has(code)) continue;
      const number = name => /^[0-5]$/.test(row[column(name)] || "") ? Number(row[column(name)]) : null;
      put(code, {
        forget_quality: number("forget_quality"), entailment: number("entailment"),
        trustworthiness: number("trustworthiness"), comment: plain(row[column("comment")])
      });
      found++;
    }
    history.length = 0;
    keep();
    show();
    say(found ? found + " items were read from the file." : "The file holds no item of this sheet.", !found);
  }

  for (const [i, s] of scales.entries()) {
    const row = document.createElement("div"), marks = document.createElement("div");
    const ends = document.createElement("div"), label = document.createElement("b");
    row.id = s.name;
    label.textContent = s.label;
    label.id = s.name + "-label";
    marks.className = "marks";
    marks.setAttribute("role", "radiogroup");
    marks.setAttribute("aria-labelledby", label.id);
    for (const v of s.values) {
      const b = document.createElement("button");
      b.type = "button";
      b.value = String(v);
      b.textContent = String(v);
      b.setAttribute("role", "radio");
      b.addEventListener("click", () => rate(i, v));
      marks.append(b);
    }
    ends.className = "ends";
    for (const e of s.ends) ends.append(Object.assign(document.createElement("span"), { textContent: e }));
    row.append(label, marks, ends);
    $("scales").append(row);
  }

  $("back").addEventListener("click", () => go(at - 1));
  $("next").addEventListener("click", () => go(at + 1));
  $("open").addEventListener("click", nextOpen);
  $("undo").addEventListener("click", undo);
  $("save").addEventListener("click", save);
  $("load").addEventListener("change", e => { if (e.target.files.length) load(e.target.files[0]); });
  $("comment").addEventListener("change", e => change(() => { rating().comment = e.target.value; }));
  $("comment").addEventListener("keydown", e => { if (e.key === "Escape") { e.target.blur(); e.stopPropagation(); } });
  addEventListener("beforeunload", e => { if (unsaved) e.preventDefault(); });
  addEventListener("keydown", e => {
    if (e.target === $("comment") || e.target === $("load") || e.altKey) return;
    const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
    if (e.ctrlKey || e.metaKey) {
      if (key === "z") undo();
      else if (key === "s") save();
      else return;
    } else if (/^[0-5]$/.test(key)) rate(active, Number(key));
    else if (key === "ArrowLeft") go(at - 1);
    else if (key === "ArrowRight") go(at + 1);
    else if (key === "ArrowUp" || key === "ArrowDown") {
      const to = active + (key === "ArrowUp" ? -1 : 1);
      if (to >= 0 && to < scales.length && !off(to)) { active = to; show(); }
    } else if (key === "Delete" || key === "Backspace") {
      change(() => {
        rating()[scales[active].name] = null;
        if (active === 0) rating().entailment = rating().trustworthiness = null;
      });
    } else if (key === "n") nextOpen();
    else if (key === "u") undo();
    else if (key === "s") save();
    else if (key === "c") $("comment").focus();
    else if (key === "?") $("help").open = !$("help").open;
    else return;
    e.preventDefault();
  });

  recall();
  keep();
  if (!keeps) say("This browser keeps no work for this page: please save the file from time to time.", true);
  show();
})();
