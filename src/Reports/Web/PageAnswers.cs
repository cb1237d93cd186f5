using System.Text.Json.Nodes;
using EditUnlearn.Artifacts;

namespace EditUnlearn.Reports.Web;

/// <summary>
/// Answers for the page: what every method said to every question, by model and forget set, each text once.
/// </summary>
public sealed class PageAnswers
{
    private const int NotAsked = -1;

    private readonly Dictionary<string, int> _strings = new(StringComparer.Ordinal);
    private readonly List<Group> _groups = [];

    // What the untouched model said to a question, whatever the set that asked.
    private readonly Dictionary<(string Model, string Split, string Question), (int Text, int Probability)> _untouched =
    [];

    private sealed class Group(string model, string set)
    {
        public string Model { get; } = model;

        public string Set { get; } = set;

        public Dictionary<(string Split, string Id, string Question), int> Places { get; } = [];

        public List<(string Split, int Id, int Question, int Truth)> Questions { get; } = [];

        public Dictionary<string, Dictionary<int, (int Text, int Probability)>> Methods { get; } =
            new(StringComparer.Ordinal);
    }

    /// <summary>Takes the evidence of one run.</summary>
    public void Add(IReadOnlyList<AnswerRow> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        foreach (var row in rows)
        {
            var group = _groups.Find(g => g.Model == row.Model && g.Set == row.Set);
            if (group is null)
                _groups.Add(group = new Group(row.Model, row.Set));
            if (!group.Places.TryGetValue((row.Split, row.Id, row.Question), out var place))
            {
                place = group.Questions.Count;
                group.Places.Add((row.Split, row.Id, row.Question), place);
                group.Questions.Add((row.Split, Index(row.Id), Index(row.Question), Index(row.Answer)));
            }
            if (!group.Methods.TryGetValue(row.Method, out var answers))
                group.Methods.Add(row.Method, answers = []);
            var said = (2 * Index(row.Generated) + (row.Refused ? 1 : 0), Percent(row.LogProbabilities));
            answers[place] = said;
            if (row.Method == MethodNames.Untouched)
                _untouched[(row.Model, row.Split, row.Question)] = said;
        }
    }

    /// <summary>
    /// All of it. An answer is twice the place of its text, plus one where it reads like a refusal; a probability is
    /// that of the true answer, per token, in percent. Both are -1 where the method was not asked.
    /// </summary>
    public JsonObject Json() =>
        new()
        {
            ["groups"] = new JsonArray([.. _groups.Select(Json)]),
            // Last: it grows while the groups are written.
            ["strings"] = new JsonArray([.. _strings.Keys.Select(s => (JsonNode)s)]),
        };

    private JsonObject Json(Group group)
    {
        // A set of the same questions as another is not asked again without a method.
        if (!group.Methods.ContainsKey(MethodNames.Untouched))
        {
            var found = group
                .Places.Where(p => _untouched.ContainsKey((group.Model, p.Key.Split, p.Key.Question)))
                .ToDictionary(p => p.Value, p => _untouched[(group.Model, p.Key.Split, p.Key.Question)]);
            if (found.Count > 0)
                group.Methods.Add(MethodNames.Untouched, found);
        }
        return new JsonObject
        {
            ["model"] = group.Model,
            ["set"] = group.Set,
            ["split"] = new JsonArray([.. group.Questions.Select(q => (JsonNode)Index(q.Split))]),
            ["id"] = Numbers(group.Questions.Select(q => q.Id)),
            ["question"] = Numbers(group.Questions.Select(q => q.Question)),
            ["truth"] = Numbers(group.Questions.Select(q => q.Truth)),
            ["methods"] = new JsonArray([
                .. group.Methods.Select(m => new JsonObject
                {
                    ["name"] = m.Key,
                    ["text"] = Numbers(
                        Enumerable
                            .Range(0, group.Questions.Count)
                            .Select(i => m.Value.TryGetValue(i, out var said) ? said.Text : NotAsked)
                    ),
                    ["probability"] = Numbers(
                        Enumerable
                            .Range(0, group.Questions.Count)
                            .Select(i => m.Value.TryGetValue(i, out var said) ? said.Probability : NotAsked)
                    ),
                }),
            ]),
        };
    }

    private static JsonArray Numbers(IEnumerable<int> numbers) => new([.. numbers.Select(n => (JsonNode)n)]);

    private int Index(string text)
    {
        if (!_strings.TryGetValue(text, out var index))
            _strings.Add(text, index = _strings.Count);
        return index;
    }

    private static int Percent(List<double> logProbabilities) =>
        logProbabilities.Count == 0 || !logProbabilities.TrueForAll(double.IsFinite)
            ? NotAsked
            : (int)Math.Round(100 * Math.Exp(logProbabilities.Average()), MidpointRounding.AwayFromZero);
}
