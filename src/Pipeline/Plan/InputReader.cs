using System.Text.RegularExpressions;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// Finds what stands behind the inputs of a cell: files of the project or of the user, or outputs of other cells.
/// </summary>
/// <remarks>
/// <c>apply</c> means the cells of that stage that agree with this one on every axis of the same name;
/// <c>apply[llama2,*,rome]</c> says the labels, <c>*</c> for any; <c>apply/curve</c> means another output than the
/// first.
/// </remarks>
internal sealed partial class InputReader(
    string root,
    YamlMap stages,
    IReadOnlyDictionary<string, StageDraft> drafts,
    Resolver resolver,
    Problems problems
)
{
    private const int MaxNames = 4; // names of names: a study needs one

    private static readonly string[] Keys = ["file", "obtain"];

    // What took the place of a word of earlier versions of the file.
    private static readonly Dictionary<string, string> Replaced = new(StringComparer.Ordinal)
    {
        ["from"] = "write the name of the stage itself: data: facts",
        ["where"] = "write the labels behind the stage: answer[llama2, facts-40, *]",
        ["when"] = "a stage says itself which inputs its parameters need; leave the condition out",
    };

    /// <summary>Everything behind one input of one cell; null after a problem.</summary>
    /// <param name="name">The input.</param>
    /// <param name="count">How many artifacts it takes.</param>
    /// <param name="source">As written.</param>
    /// <param name="cell">The labels of the cell that reads.</param>
    public IReadOnlyList<CellInput>? Read(
        string name,
        InputCount count,
        YamlValue source,
        IReadOnlyList<AxisLabel> cell
    )
    {
        var before = problems.Found;
        // A setting may hold a whole input: { file: .., obtain: .. }.
        var written = source is YamlScalar ? resolver.Resolve(source, cell) : source;
        IReadOnlyList<CellInput>? found = written switch
        {
            YamlMap map => Files(name, map, cell),
            YamlScalar { Text.Length: > 0 } text => Cells(name, count, text with { Place = source.Place }, cell, 0),
            null or YamlScalar => problems.Found > before ? null : [],
            _ => Wrong(source, name),
        };
        return problems.Found > before ? null : found;
    }

    private List<CellInput>? Wrong(YamlValue source, string name)
    {
        problems.Add(source.Place, $"the input '{name}' must name a stage, or be a map with 'file', not {source.Kind}");
        return null;
    }

    // Cells of one stage, by the labels behind it or by axes of the same name.
    private List<CellInput>? Cells(
        string name,
        InputCount count,
        YamlScalar written,
        IReadOnlyList<AxisLabel> reader,
        int depth
    )
    {
        var match = Reference().Match(written.Text);
        if (!match.Success)
        {
            problems.Add(
                written.Place,
                $"'{written.Text}' does not name a stage",
                "stage, stage/output, stage[label, *] or { file: PATH }"
            );
            return null;
        }
        var stage = match.Groups["stage"].Value;
        if (!drafts.TryGetValue(stage, out var producer))
        {
            // A stage that is written but broken has its own message.
            if (stages[stage] is null)
                problems.Add(written.Place, $"there is no stage '{stage}'", Problems.DidYouMean(stage, drafts.Keys));
            return null;
        }
        if (producer.IsBroken)
            return null;
        var chosen = match.Groups["labels"].Success
            ? Labelled(producer, match.Groups["labels"].Value, count, written.Place)
            : [.. producer.Agreeing(reader)];
        if (chosen is null)
            return null;
        if (producer.Run is not null)
            return Outputs(name, producer, chosen, match.Groups["output"].Value, written.Place);
        if (depth == MaxNames)
        {
            problems.Add(producer.Place, $"'{stage}' is another name for itself");
            return null;
        }
        return Named(name, count, producer, chosen, match.Groups["output"].Value, depth);
    }

    // The stage is another name for cells elsewhere; each of its cells says for which.
    private List<CellInput>? Named(
        string name,
        InputCount count,
        StageDraft producer,
        IReadOnlyList<IReadOnlyList<AxisLabel>> chosen,
        string output,
        int depth
    )
    {
        var inputs = new List<CellInput>();
        foreach (var cell in chosen)
        {
            if (resolver.Resolve(producer.Body["is"]!, cell) is not YamlScalar { Text.Length: > 0 } text)
                continue;
            var whole = output.Length == 0 ? text.Text : $"{text.Text}/{output}";
            var place = producer.Body["is"]!.Place;
            if (Cells(name, count, text with { Text = whole, Place = place }, cell, depth + 1) is { } found)
                inputs.AddRange(found);
        }
        return inputs;
    }

    private List<CellInput>? Outputs(
        string name,
        StageDraft producer,
        IReadOnlyList<IReadOnlyList<AxisLabel>> cells,
        string output,
        SourcePlace place
    )
    {
        var outputs = producer.Run!.Info.Outputs;
        if (output.Length == 0)
            output = outputs[0];
        if (outputs.Contains(output))
            return [.. cells.Select(c => new CellOutputInput(name, producer.IdOf(c), output))];
        problems.Add(place, $"'{producer.Name}' has no output '{output}'", Problems.DidYouMean(output, outputs));
        return null;
    }

    private IReadOnlyList<IReadOnlyList<AxisLabel>>? Labelled(
        StageDraft producer,
        string written,
        InputCount count,
        SourcePlace place
    )
    {
        var labels = written.Split(',', StringSplitOptions.TrimEntries);
        if (labels.Length != producer.Axes.Count)
        {
            problems.Add(
                place,
                $"'{producer.Name}[{written}]' has {labels.Length} label(s) where the stage has {producer.Axes.Count} "
                    + "axes",
                producer.Axes.Count == 0
                    ? "write the name alone"
                    : $"{producer.Name}[{string.Join(", ", producer.Axes.Select(a => a.Name))}]"
            );
            return null;
        }
        List<IReadOnlyList<AxisLabel>> chosen =
        [
            .. producer.Cells.Where(c => c.Zip(labels).All(p => p.Second == "*" || p.First.Label == p.Second)),
        ];
        // A stage without any cell is no part of this profile; whether that will do is for the input to say.
        if (chosen.Count > 0 || count == InputCount.Many || producer.Cells.Count == 0)
            return chosen;
        var unknown = labels
            .Zip(producer.Axes)
            .FirstOrDefault(p => p.First != "*" && !p.Second.Labels.Contains(p.First));
        problems.Add(
            place,
            $"there is no cell {producer.Name}[{string.Join(',', labels)}]",
            unknown.Second is { } axis
                ? $"{axis.Name}: {Problems.DidYouMean(unknown.First, axis.Labels)}"
                : "this combination of labels is not among the cells of the stage"
        );
        return null;
    }

    // One path or a list of them. With 'obtain' a file may be absent: the plan says then how to get it.
    private List<CellInput>? Files(string name, YamlMap map, IReadOnlyList<AxisLabel> cell)
    {
        foreach (var key in map.Entries.Where(e => !Keys.Contains(e.Key)))
            if (Replaced.TryGetValue(key.Key, out var instead))
                problems.Add(key.Place, $"'{key.Key}' of an input was replaced", instead);
            else
                problems.Add(key.Place, $"'{key.Key}' is not a part of an input", Problems.DidYouMean(key.Key, Keys));
        if (map["file"] is not { } file)
        {
            if (!map.Entries.Any(e => Replaced.ContainsKey(e.Key)))
                problems.Add(map.Place, $"the input '{name}' names no 'file'");
            return null;
        }
        var command =
            map["obtain"] is { } obtain && resolver.Resolve(obtain, cell) is { } how
                ? resolver.ResolveText(how, cell, $"'obtain' of '{name}'")
                : null;
        // null in a profile: nothing, as if the key were absent
        if (resolver.Resolve(file, cell) is not { } found || found is YamlScalar { IsNull: true })
            return [];
        var inputs = new List<CellInput>();
        foreach (var item in found is YamlList list ? list.Items : [found])
            if (item is not YamlScalar { Text: { Length: > 0 } path } || path.Contains('\0', StringComparison.Ordinal))
                problems.Add(item.Place, $"the file of '{name}' must be a path or a list of paths");
            else if (command is null && !Path.Exists(Path.Combine(root, path)))
                problems.Add(item.Place, $"there is no file '{path}'", Siblings(path));
            else
                inputs.Add(new FileInput(name, path, command));
        return inputs;
    }

    private string Siblings(string path)
    {
        var folder = Path.GetDirectoryName(Path.Combine(root, path));
        var siblings = Directory.Exists(folder)
            ? Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).OfType<string>()
            : [];
        return Spelling.Nearest(Path.GetFileName(path), siblings) is { } near
            ? $"did you mean '{near}'?"
            : "paths are relative to the folder of pipeline.yaml";
    }

    [GeneratedRegex(@"^(?<stage>[^/\[\],\s]+)(?:\[(?<labels>[^\[\]]*)\])?(?:/(?<output>[^\[\]]+))?$")]
    private static partial Regex Reference();
}
