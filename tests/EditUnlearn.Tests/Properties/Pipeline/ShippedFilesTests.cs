using System.Text.RegularExpressions;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Properties.Pipeline;

/// <summary>
/// The files of the study, keys of each of them deleted or misspelt one at a time: what comes out is a plan or a list
/// of messages with places, never anything else.
/// </summary>
public sealed partial class ShippedFilesTests
{
    private static readonly string[] Profiles =
    [
        "mini",
        "mini-seeds",
        "mini-untuned",
        "mini-oracle",
        "smoke",
        "elements",
        "paper",
        "rehearsal",
        "small",
        "small-original",
        "small-quick",
        "small-tuned",
    ];

    // Names of entries: another name is another set, not a mistake. So is that of a model which repeats another one.
    private static readonly string[] Named = ["forget-sets", "further-cases"];

    [Fact]
    public void They_are_block_style_with_one_key_a_line_within_120_columns()
    {
        foreach (var (file, text) in Files())
            foreach (var (line, number) in text.Split('\n').Select((l, i) => (l, i + 1)))
            {
                Assert.True(line.Length <= 120, $"{file}:{number} has {line.Length} columns");
                Assert.False(line.Contains('{', StringComparison.Ordinal), $"{file}:{number} holds a map in a line");
            }
    }

    [Fact]
    public void They_make_plans()
    {
        foreach (var profile in Profiles)
            Assert.NotEmpty(Build(Files(), profile).Cells);
    }

    [Fact]
    public void Any_deleted_key_leaves_a_plan_or_messages() => Try(Without, mustBeFound: false);

    [Fact]
    public void Any_misspelt_key_is_found() => Try(Misspelt, mustBeFound: true);

    // Every third key, and all of them where there is time: plans of the whole study take seconds.
    private static void Try(Func<string[], int, string> change, bool mustBeFound)
    {
        var files = Files();
        var missed = new List<string>();
        var (key, stride) = (0, Slow.IsAsked ? 1 : 3);
        foreach (var (file, text) in files)
        {
            var lines = text.Split('\n');
            for (var i = 0; i < lines.Length; i++)
                if (Key().IsMatch(lines[i]) && key++ % stride == 0)
                {
                    var changed = new Dictionary<string, string>(files) { [file] = change(lines, i) };
                    var readers = Readers(file).Take(mustBeFound ? int.MaxValue : 1);
                    if (!readers.Any(p => Found(changed, p, $"{file}:{i + 1}")) && mustBeFound && !IsName(lines, i))
                        missed.Add($"{file}:{i + 1} {lines[i].Trim()}");
                }
        }
        Assert.True(missed.Count == 0, string.Join('\n', missed));
    }

    // Whether the change was found; every message has a place.
    private static bool Found(Dictionary<string, string> files, string profile, string place)
    {
        try
        {
            Build(files, profile);
            return false;
        }
        catch (InputException e)
        {
            Assert.All(e.Problems, p => Assert.False(string.IsNullOrEmpty(p.File), $"{place}: {p}"));
            return true;
        }
    }

    private static Plan Build(Dictionary<string, string> files, string profile) =>
        PlanBuilder.Build(
            PipelineFile.Parse(
                files["pipeline.yaml"],
                "pipeline.yaml",
                Checkout.Root,
                [
                    .. files
                        .Where(f => f.Key != "pipeline.yaml")
                        .Select(f => new ProfileSource(Path.GetFileNameWithoutExtension(f.Key), f.Key, f.Value)),
                ]
            ),
            StudyStages.Catalog,
            // The readings that stand side by side are values of the files too.
            new PlanRequest(profile, profile is "mini" or "mini-oracle" ? ["side-by-side=true"] : [])
        );

    private static Dictionary<string, string> Files() =>
        Directory
            .EnumerateFiles(Path.Combine(Checkout.Root, "profiles"), "*.yaml")
            .Order(StringComparer.Ordinal)
            .Select(f => (Name: "profiles/" + Path.GetFileName(f), Text: File.ReadAllText(f)))
            .Prepend(("pipeline.yaml", File.ReadAllText(Path.Combine(Checkout.Root, "pipeline.yaml"))))
            .ToDictionary(f => f.Item1, f => f.Item2);

    // Profiles that read a file, those with the fewest cells first: plans of the whole study take seconds.
    private static IReadOnlyList<string> Readers(string file) =>
        file switch
        {
            "pipeline.yaml" => ["smoke", "mini-oracle", "paper"],
            "profiles/base.yaml" or "profiles/mini.yaml" => ["mini-oracle", "mini"],
            _ => [Path.GetFileNameWithoutExtension(file)],
        };

    // The line and everything below it that is indented more.
    private static string Without(string[] lines, int at)
    {
        var indent = Indent(lines[at]);
        var end = at + 1;
        while (end < lines.Length && (lines[end].Trim().Length == 0 || Indent(lines[end]) > indent))
            end++;
        return string.Join('\n', lines[..at].Concat(lines[end..]));
    }

    private static string Misspelt(string[] lines, int at)
    {
        var copy = (string[])lines.Clone();
        copy[at] = Key().Replace(lines[at], m => m.Groups[1].Value + m.Groups[2].Value + "q:");
        return string.Join('\n', copy);
    }

    private static bool IsName(string[] lines, int at)
    {
        if (Indent(lines[at]) != 2)
            return false;
        var above = Array.FindLastIndex(lines, at, l => l.Length > 0 && l[0] is not (' ' or '#'));
        return Named.Contains(lines[above].TrimEnd(':'))
            || Says("models:", "repeats:")
            || Says("methods:", "based-on:"); // a variant of another name is another variant

        bool Says(string map, string key) =>
            lines[above] == map
            && lines
                .Skip(at + 1)
                .TakeWhile(l => Indent(l) > 2)
                .Any(l => l.TrimStart().StartsWith(key, StringComparison.Ordinal));
    }

    private static int Indent(string line) => line.Length - line.TrimStart().Length;

    [GeneratedRegex(@"^( *)([\w-]+):")]
    private static partial Regex Key();
}
