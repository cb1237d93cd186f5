using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// Every command of docs/tutorials runs as it stands on the page, in one shell a page, in a folder with a finished
/// smoke study. What needs a GPU, a network, a published checkpoint or minutes runs in the form that is declared here.
/// </summary>
[Trait("Category", "EndToEnd")]
[Collection(SmokeStudyCollection.Name)]
public sealed partial class TutorialTests
{
    private const string Folder = "docs/tutorials",
        Files = "docs/tutorials/files",
        Model = "inputs/checkpoints/smollm2",
        Mark = "@@ line ";

    /// <summary>A command as a page has it, and what runs in its place.</summary>
    private sealed record Instead(string Page, string Command, string Runs)
    {
        private bool IsPart => Command.StartsWith("...", StringComparison.Ordinal);

        public bool Meets(string command) => IsPart ? command.Contains(Command[3..]) : Words(command) == Command;

        public string In(string command) => IsPart ? command.Replace(Command[3..], Runs) : Runs;
    }

    // PAGE: COMMAND => WHAT RUNS # WHAT IS NOT HERE; a part of commands begins with dots.
    private const string Replaced = """
        researcher: dotnet eu-stage pull tofu => : # a network
        researcher: dotnet eu-stage pull pistol => : # a network
        researcher: dotnet eu-stage pull llama2 => : # a network and a licence
        researcher: dotnet eu-stage pull mistral => : # a network
        researcher: dotnet eu-stage pull llama31 => : # a network and a licence
        researcher: dotnet eu-stage repro --profile paper => dotnet eu-stage repro --profile paper -n # a GPU
        researcher: ...show table1 --profile paper => show table1 --profile smoke # a finished study
        researcher: ...diff --against paper --profile paper => diff --against paper --profile smoke # a finished study
        researcher: ...claims --profile paper => claims --profile smoke # a finished study
        method-author: dotnet build => : # the tests compile the same file
        method-author: dotnet test -c Release --filter "FullyQualifiedName~Methods" => : # TutorialMethodTests does
        method-author: ...'run-methods=[none, gd, cgd]' => 'run-methods=[none, gd]' # the method: it is no part of src
        practitioner: dotnet eu-stage pull smollm2 => : # a network; a tiny checkpoint lies there
        customer-records: dotnet eu-stage pull smollm2 => : # a network; a tiny checkpoint lies there
        without-gpu: dotnet build -t:Tool => : # the tests run what they were built with
        without-gpu: dotnet eu-stage repro => dotnet eu-stage repro -n # minutes
        ci: git add accepted/smoke => : # the folder of the test is no repository
        """;

    private static readonly Instead[] Declared =
    [
        .. Replaced
            .Split('\n')
            .Select(l => Replacement().Match(l).Groups)
            .Select(g => new Instead(g[1].Value + ".md", g[2].Value, g[3].Value)),
    ];

    // `dotnet eu-stage` is the build under test.
    private static readonly string Start =
        "set -euo pipefail\ndotnet() { if [ \"$1\" = eu-stage ]; then shift; "
        + $"command dotnet '{Path.Combine(AppContext.BaseDirectory, "EditUnlearn.Cli.dll")}' \"$@\"; "
        + "else command dotnet \"$@\"; fi; }\n";

    // One line of two pages; the same comparison is made by WrittenWeightsTests.
    private static readonly string WithoutPython = Programs.Find("python3") is null
        ? "python3() { echo 'there is no python3 here'; }\n"
        : "";

    private readonly SmokeStudy _study;

    public TutorialTests(SmokeStudy study)
    {
        _study = study;
        Prepare(study.Tool);
    }

    private static readonly string[] Names =
    [
        .. Directory
            .EnumerateFiles(Path.Combine(Checkout.Root, Folder), "*.md")
            .Select(f => Path.GetFileName(f)!)
            .Where(f => f != "README.md")
            .Order(StringComparer.Ordinal),
    ];

    public static TheoryData<string> Pages => [.. Names];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_command_of_a_tutorial_runs(string page)
    {
        var blocks = TutorialBlock.Of(Path.Combine(Checkout.Root, Folder, page));
        Assert.NotEmpty(blocks);
        var script = new StringBuilder(Start + WithoutPython);
        var used = new HashSet<Instead>();
        foreach (var block in blocks)
            script
                .Append($"echo '{Mark}{block.Line}'; echo '{Mark}{block.Line}' >&2\n")
                .Append(Runs(page, block, used));
        Assert.Equal([], Declared.Where(d => d.Page == page).Except(used).Select(d => d.Command));

        var (code, output, error) = Shell(script.ToString());
        Assert.True(code == 0, $"{page}: exit code {code}\n{Tail(output)}\n{Tail(error)}");
        var printed = output
            .Split(Mark)
            .Skip(1)
            .ToDictionary(p => int.Parse(p[..p.IndexOf('\n')], System.Globalization.CultureInfo.InvariantCulture));
        foreach (var block in blocks.Where(b => WithoutPython.Length == 0 || !b.Commands.Contains("python3")))
        {
            var missing = block.NotPrintedIn(printed[block.Line]);
            Assert.True(
                missing is null,
                $"{page}({block.Line}): '{missing}' was not printed by\n{block.Commands}{printed[block.Line]}"
            );
        }
    }

    [Fact]
    public void There_is_a_tutorial_for_everybody_and_the_list_names_it()
    {
        var list = File.ReadAllText(Path.Combine(Checkout.Root, Folder, "README.md"));
        Assert.Equal(6, Names.Length);
        Assert.All(Names, p => Assert.Contains($"]({p})", list, StringComparison.Ordinal));
        Assert.All(Declared, d => Assert.Contains(d.Page, Names));
    }

    // The options of the practitioner's files are those that the study of the same model has.
    [Fact]
    public void Options_of_the_real_model_are_those_of_its_profile()
    {
        var profile = Words(File.ReadAllText(Path.Combine(Checkout.Root, "profiles", "small.yaml")));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Checkout.Root, Files, "smollm2")))
        {
            var method = Path.GetFileNameWithoutExtension(file);
            Assert.Matches(
                $"\\b{method}: (preset: \\w+ )?options: {Regex.Escape(Words(File.ReadAllText(file)))} ",
                profile
            );
        }
    }

    private static string Words(string text) => Space().Replace(text, " ").Trim();

    // Lines that end in a backslash are one command; a comment behind a command says how it ends.
    private static string Runs(string page, TutorialBlock block, HashSet<Instead> used)
    {
        var script = new StringBuilder();
        foreach (var command in block.Commands.Replace("\\\n", " ", StringComparison.Ordinal).TrimEnd('\n').Split('\n'))
        {
            var ends = ExitCode().Match(command);
            var text = ends.Success ? command[..ends.Index].TrimEnd() : command;
            foreach (var instead in Declared.Where(d => d.Page == page && d.Meets(text)))
            {
                used.Add(instead);
                text = instead.In(text);
            }
            script.Append(
                ends.Success
                    ? $"code=0; {text} || code=$?; test $code = {ends.Groups[1].Value} || "
                        + $"{{ echo \"ended with $code: {text.Replace('"', '\'')}\" >&2; exit 1; }}\n"
                    : text + "\n"
            );
        }
        return script.ToString();
    }

    private (int Code, string Out, string Error) Shell(string script)
    {
        var start = new ProcessStartInfo("bash")
        {
            WorkingDirectory = _study.Tool["."],
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var shell = Process.Start(start)!;
        var (output, error) = (shell.StandardOutput.ReadToEndAsync(), shell.StandardError.ReadToEndAsync());
        shell.StandardInput.Write(script);
        shell.StandardInput.Close();
        shell.WaitForExit();
        return (shell.ExitCode, output.Result, error.Result);
    }

    private static string Tail(string text) => text.Length > 4000 ? text[^4000..] : text;

    // The model's folder, and the files of the tutorials, of the long ones only some rows.
    private static void Prepare(Tool tool)
    {
        if (Directory.Exists(tool[Files]))
            return;
        var from = Path.Combine(Checkout.Root, Files);
        var texts = new List<string>();
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = tool[Path.Combine(Files, Path.GetRelativePath(from, file))];
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            var lines = File.ReadAllLines(file);
            texts.AddRange(lines.Where(_ => file.EndsWith(".jsonl", StringComparison.Ordinal)));
            File.WriteAllLines(copy, file.EndsWith(".jsonl", StringComparison.Ordinal) ? lines.Take(2) : lines);
        }
        TinyCheckpoints.WriteAskable(
            tool[Model],
            [.. texts, .. File.ReadLines(tool["data/refusals-own.txt"])],
            words: 700,
            layers: 30
        );
    }

    [GeneratedRegex(@"\s*# exit code (\d+)$")]
    private static partial Regex ExitCode();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();

    [GeneratedRegex("^([a-z-]+): (.+) => (.+) # ")]
    private static partial Regex Replacement();
}
