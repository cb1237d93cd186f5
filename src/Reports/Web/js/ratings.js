// What people said of the answers, and the way to the form they say it in.

function addRatings(data) {
    const forms = data.forms ?? [];
    const rated = data.ratings;
    part(
        "ratings",
        "Human study",
        rated
            ? [
                  el("p", null, rated.caption),
                  table("What people said: mean, 95 % interval, ratings that count", rated.means),
                  rated.agreement ? table("How far raters agree", rated.agreement) : null,
              ]
            : el(
                  "p",
                  null,
                  "No ratings are imported: name the folder of ",
                  el("code", null, "eu-stage study import"),
                  " as the setting ",
                  el("code", null, "ratings"),
                  " and run again.",
              ),
        forms.length > 0
            ? el(
                  "p",
                  null,
                  "Rating forms of this study: ",
                  forms.map((f) => [
                      el("a", { href: f.href, target: "_blank", rel: "noopener" }, `form of ${f.name}`),
                      " ",
                  ]),
              )
            : el(
                  "p",
                  null,
                  el("code", null, "dotnet eu-stage study export --out people"),
                  " writes a blind form for each rater; ",
                  el("code", null, "dotnet eu-stage report --study people"),
                  " puts links to them here.",
              ),
    );
}

function table(label, rows) {
    return [el("h3", null, label), plainTable(label, rows[0], rows.slice(1))];
}
