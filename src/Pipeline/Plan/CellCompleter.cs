namespace EditUnlearn.Pipeline;

/// <summary>Gives the cells of a stage their parameters and inputs.</summary>
internal sealed class CellCompleter(Resolver resolver, StageReader reader, InputReader inputs, Problems problems)
{
    /// <summary>The cells of a stage that came out without a problem.</summary>
    public IReadOnlyList<Cell> Cells(StageDraft draft)
    {
        var info = draft.Run!.Info;
        var written = reader.Map(draft.Body["in"], draft.Place, "in");
        foreach (var unknown in written.Entries.Where(e => info.Inputs.All(i => i.Name != e.Key)))
            problems.Add(
                unknown.Place,
                $"the stage '{info.Name}' has no input '{unknown.Key}'",
                Problems.DidYouMean(unknown.Key, info.Inputs.Select(i => i.Name))
            );
        // A key whose value may be absent would be as quiet misspelt as written well.
        if (draft.Body["with"] is YamlMap with)
            ParameterBinder.CheckKeys(draft.Run.ParametersType, with, problems);
        foreach (var missing in info.Inputs.Where(i => i.Count == InputCount.One && written[i.Name] is null))
            problems.Add(written.Place, $"the input '{missing.Name}' of '{draft.Name}' is missing");
        return [.. draft.Cells.Select(c => Complete(draft, c, written)).OfType<Cell>()];
    }

    private Cell? Complete(StageDraft draft, IReadOnlyList<AxisLabel> labels, YamlMap written)
    {
        var places = new Dictionary<string, ValueOrigin>(StringComparer.Ordinal);
        var bound = Parameters(draft, labels, places);
        var parameters = bound is null ? null : draft.Run!.Complete(bound);
        var found = Inputs(draft, labels, written, bound);
        return parameters is null
            ? null
            : new Cell
            {
                Id = draft.IdOf(labels),
                Stage = draft.Run!,
                Written = bound!,
                Parameters = parameters,
                ParametersJson = ParameterBinder.ToJson(parameters, draft.Run!.ParametersType),
                Inputs = found,
                Place = draft.Place,
                Origins = places,
                IsSoon = draft.IsSoon,
            };
    }

    // Null after a problem.
    private object? Parameters(
        StageDraft draft,
        IReadOnlyList<AxisLabel> labels,
        Dictionary<string, ValueOrigin> places
    )
    {
        var before = problems.Found;
        var around = draft.Body["with"]?.Place ?? draft.Place;
        var with = draft.Body["with"] is { } written ? resolver.Resolve(written, labels) : new YamlMap([], around);
        if (with is not YamlMap map)
        {
            if (with is not null)
                problems.Add(with.Place, $"'with' must be a map, not {with.Kind}");
            return null;
        }
        var isComplete = problems.Found == before;
        var parameters = ParameterBinder.Bind(draft.Run!.ParametersType, map, problems, places, isComplete);
        if (parameters is null || problems.Found > before)
            return null;
        foreach (var p in draft.Run.Check(parameters))
            problems.Add(
                PlaceOf(p.Path, places) ?? around,
                p.Path.Length == 0 ? p.Message : $"'{KeyNames.Written(p.Path)}' {p.Message}",
                p.Hint
            );
        return problems.Found > before ? null : parameters;
    }

    // The place of the parameter, or of the nearest map around it.
    private static SourcePlace? PlaceOf(string path, Dictionary<string, ValueOrigin> places)
    {
        for (var at = path; ; at = at[..at.LastIndexOf('.')])
        {
            if (places.TryGetValue(at, out var found))
                return found.Place;
            if (!at.Contains('.', StringComparison.Ordinal))
                return null;
        }
    }

    // Without parameters, every input is checked; with them, those that they make use of.
    private List<CellInput> Inputs(StageDraft draft, IReadOnlyList<AxisLabel> labels, YamlMap written, object? bound)
    {
        var all = new List<CellInput>();
        foreach (var input in draft.Run!.Info.Inputs)
        {
            if (written[input.Name] is not { } source || (bound is not null && !draft.Run.Uses(bound, input.Name)))
                continue;
            if (inputs.Read(input.Name, input.Count, source, labels) is not { } found)
                continue;
            if (input.Count != InputCount.Many && found.Count > 1)
                problems.Add(
                    source.Place,
                    $"{found.Count} cells stand behind the input '{input.Name}', which takes one: "
                        + string.Join(", ", found.Take(3).Select(f => (f as CellOutputInput)?.Cell.Text ?? "a file"))
                        + (found.Count > 3 ? "..." : ""),
                    "give the stage the missing axis under 'for', or say the label: stage[label]"
                );
            if (input.Count == InputCount.One && found.Count == 0)
                problems.Add(source.Place, $"no cell stands behind the input '{input.Name}' of {draft.IdOf(labels)}");
            all.AddRange(found);
        }
        return all;
    }
}
