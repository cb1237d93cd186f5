using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// Files of strangers given to every verb that takes such a file: whatever is said, it is a sentence with an exit code
/// of the table, never the stack of the program.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class CasesTests : IDisposable
{
    private const string Marks = "   at EditUnlearn.|Unhandled exception|System.InvalidOperationException";

    private readonly Tool _tool = new();

    private static string Cases => Path.Combine(Checkout.Shared, "cases");

    public void Dispose() => _tool.Dispose();

    [Fact]
    public void No_file_of_strangers_makes_a_command_show_its_stack()
    {
        using var folder = new TemporaryFolder();
        var model = Path.Combine(Checkout.Fixtures, "models", TinyModels.CheckpointNames[0]);
        var files = Directory.Exists(Cases)
            ? Directory.EnumerateFiles(Cases, "*", SearchOption.AllDirectories).ToList()
            : [];
        files.AddRange(Own(folder));
        Assert.True(files.Count >= 8, "nothing to try");
        Parallel.ForEach(
            files.Order(StringComparer.Ordinal),
            new ParallelOptions { MaxDegreeOfParallelism = 2 },
            (file, _, i) =>
            {
                var output = folder[$"out{i}"];
                string[] apply = ["apply", "-n", "--model", model, "--method", "rome", "--out", output];
                string[][] commands = Path.GetExtension(file) is ".yaml"
                    ? [[.. apply, "--forget", folder["good.jsonl"], "--method-options", file]]
                    :
                    [
                        ["dataset", "lint", file],
                        [.. apply, "--forget", file],
                        ["eval", "--questions", file, "--model", model, "--max-new", "1"],
                    ];
                foreach (var command in commands)
                    Sentences(command);
            }
        );
    }

    [Fact]
    public void No_folder_taken_for_a_model_makes_a_command_show_its_stack()
    {
        using var folder = new TemporaryFolder();
        foreach (var model in Folders(folder))
            foreach (
                var command in (string[][])
                    [
                        ["model", "info", "--model", model],
                        ["ask", "Who?", "--model", model],
                        ["model", "convert", "--model", model, "--out", folder["made"]],
                    ]
            )
                Sentences(command, refused: true);
    }

    private void Sentences(string[] command, bool refused = false)
    {
        var (code, output, error) = _tool.Run(command);
        var said = $"{string.Join(' ', command)}: exit code {code}\n{output}{error}";
        Assert.True(code is 0 or 2 or 5 or 6, said);
        Assert.True(!refused || code != 0, said);
        foreach (var mark in Marks.Split('|'))
            Assert.DoesNotContain(mark, said, StringComparison.Ordinal);
    }

    // A member of each kind, for checkouts without the collection.
    private static IEnumerable<string> Own(TemporaryFolder folder)
    {
        const string Row = """{"id": "1", "question": "Who is Jane Roe?", "answer": "a", "target": "I cannot say."}""";
        (string Name, string Text)[] files =
        [
            ("good.jsonl", Row),
            ("half.jsonl", """{"question": "Who \ud83d?", "answer": "a"}"""),
            ("comma.jsonl", """{"question": "Who?", "answer": "a",}"""),
            ("page.jsonl", "<html>not found</html>"),
            ("empty.jsonl", ""),
            ("number.jsonl", "7"),
            ("fields.jsonl", """{"prompt": "Who?", "target_new": "a"}"""),
            ("not.parquet", "PAR1"),
            ("words.yaml", "layers: [0]\nsecondMoments: no\n"),
            ("anchor.yaml", "base: &b { steps: 5 }\nvalue: *b\n"),
        ];
        foreach (var (name, text) in files)
        {
            File.WriteAllText(folder[name], text);
            yield return folder[name];
        }
        File.CreateSymbolicLink(folder["link.jsonl"], folder["gone"]);
        yield return folder["link.jsonl"];
        Directory.CreateDirectory(folder["folder.jsonl"]);
        yield return folder["folder.jsonl"];
    }

    private static IEnumerable<string> Folders(TemporaryFolder folder)
    {
        var tiny = Path.Combine(Checkout.Fixtures, "models", TinyModels.CheckpointNames[0]);
        string Copy(string name)
        {
            Directory.CreateDirectory(folder[name]);
            foreach (var file in Directory.EnumerateFiles(tiny))
                File.Copy(file, Path.Combine(folder[name], Path.GetFileName(file)));
            return folder[name];
        }
        string Weights(string model) => Path.Combine(model, "model.safetensors");
        var pointer = Copy("pointer");
        File.WriteAllText(Weights(pointer), "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n");
        yield return pointer;
        var broken = Copy("broken");
        File.Delete(Weights(broken));
        File.CreateSymbolicLink(Weights(broken), folder["blob"]);
        yield return broken;
        var adapter = folder["adapter"];
        Directory.CreateDirectory(adapter);
        File.WriteAllText(Path.Combine(adapter, "adapter_config.json"), "{}");
        yield return adapter;
        var patch = folder["patch"];
        Directory.CreateDirectory(patch);
        File.WriteAllText(Path.Combine(patch, "patch.json"), "{}");
        yield return patch;
        var page = Copy("page");
        File.WriteAllText(Path.Combine(page, "config.json"), "<!doctype html><html>");
        yield return page;
        yield return folder["absent"];
    }
}
