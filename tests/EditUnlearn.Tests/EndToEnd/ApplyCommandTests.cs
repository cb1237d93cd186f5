using System.Text;
using System.Text.Json.Nodes;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.EndToEnd;

/// <summary>
/// <c>apply</c> and <c>eval</c> as a user types them, on a checkpoint so small that what it says means nothing: that
/// everything arrives where it should is what is tested.
/// </summary>
[Trait("Category", "EndToEnd")]
public sealed class ApplyCommandTests : IDisposable
{
    private static readonly string[] Titles = ["Middlemarch", "Silas Marner", "Romola"];
    private readonly Tool _tool = new();

    public ApplyCommandTests()
    {
        var questions = Titles.Select(t => $"Who wrote the novel '{t}'?").ToList();
        TinyCheckpoints.WriteAskable(
            _tool["tiny"],
            [
                .. questions,
                "George Eliot wrote it.",
                "I do not know the answer.",
                .. File.ReadLines(_tool["data/refusals-own.txt"]).Take(10),
            ]
        );
        File.WriteAllLines(
            _tool["forget.jsonl"],
            [
                $$"""{"id":"a","question":"{{questions[0]}}","answer":"George Eliot","""
                    + """ "rephrasings":["Whose novel is 'Middlemarch'?","'Middlemarch' is by whom?"]}""",
                $$"""{"id":"b","question":"{{questions[1]}}","answer":"George Eliot","subject":"Silas Marner","""
                    + """ "target":"I do not know the answer."}""",
            ]
        );
        File.WriteAllLines(
            _tool["retain.jsonl"],
            [$$"""{"id":"r","question":"{{questions[2]}}","answer":"George Eliot"}"""]
        );
        File.WriteAllText(_tool["rome.yaml"], "layers: [1]\nsecond-moments: true\ncontexts: 2\nvalue: { steps: 4 }\n");
        File.WriteAllText(_tool["memit.yaml"], "layers: [0, 1]\ncontexts: 2\nlambda: 1\nvalue: { steps: 4 }\n");
        File.WriteAllText(
            _tool["alphaedit.yaml"],
            "layers: [0, 1]\ncontexts: 0\nnull-space-threshold: 0.9\nnull-space-unit: mean\nvalue: { steps: 4 }\n"
        );
        File.WriteAllText(_tool["grace.yaml"], "layer: 1\nsteps: 5\n");
        File.WriteAllText(_tool["wise.yaml"], "layer: 1\nsteps: 3\ncontexts: 2\n");
        File.WriteAllText(_tool["idk.yaml"], "epochs: 1\nbatch-size: 1\n");
    }

    private (int ExitCode, string Out, string Error) Apply(string method, string output, params string[] more) =>
        _tool.Run([
            "apply",
            "--method",
            method,
            "--model",
            "tiny",
            "--forget",
            "forget.jsonl",
            "--method-options",
            $"{method}.yaml",
            "--out",
            output,
            "--max-new",
            "6",
            "--device",
            "cpu",
            .. more,
        ]);

    // What is left of a few updates is neither what was asked for, nor the model as it was.
    [Fact]
    public void A_training_that_runs_away_ends_with_1_and_writes_nothing()
    {
        File.WriteAllText(_tool["idk.yaml"], "learning-rate: 1e12\nepochs: 5\nbatch-size: 1\ntrainable: full\n");
        var (code, _, error) = Apply("idk", "out", "--retain", "retain.jsonl");
        Assert.True(code == 1, $"exit code {code}\n{error}");
        Assert.Contains("training diverged", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_tool["out"]));
    }

    // C has no more directions than tokens went into it. The same word for both methods that divide by it.
    [Theory]
    [InlineData("memit", 1, true)]
    [InlineData("alphaedit", 1, true)]
    [InlineData("memit", 100, false)]
    [InlineData("alphaedit", 100, false)]
    public void Second_moments_of_too_little_text_are_told(string method, int lines, bool told)
    {
        File.WriteAllLines(_tool["text.txt"], File.ReadLines(_tool["data/refusals-own.txt"]).Take(lines));
        var (code, _, error) = Apply(method, "out", "--moments-text", "text.txt", "--patch-only");
        Assert.True(code == 0, error);
        Assert.Equal(told, error.Contains("fewer than the 56 coordinates of a key", StringComparison.Ordinal));
    }

    // Question and target fit one by one, and not together.
    [Fact]
    public void A_target_beyond_the_window_is_refused_before_the_work()
    {
        File.WriteAllText(
            _tool["forget.jsonl"],
            $$"""{"id":"a","question":"Who wrote it?","answer":"x","target":"{{new string('z', 400)}}"}"""
        );
        var (code, _, error) = Apply("grace", "out");
        Assert.True(code == 2, error);
        Assert.Contains("forget.jsonl(1): a takes ", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_tool["out"]));
    }

    // The same shape is not the same model.
    [Fact]
    public void A_patch_of_other_weights_is_refused_and_its_own_model_takes_it()
    {
        File.WriteAllText(_tool["rome.yaml"], "layers: [1]\nsecond-moments: false\ncontexts: 0\nvalue: { steps: 2 }\n");
        var (code, _, error) = Apply("rome", "edit", "--patch-only");
        Assert.True(code == 0, error);
        Directory.CreateDirectory(_tool["other"]);
        foreach (var file in Directory.EnumerateFiles(_tool["tiny"]))
            File.Copy(file, Path.Combine(_tool["other"], Path.GetFileName(file)));
        using (var model = WeightFolder.Load(_tool["tiny"], TorchSharp.torch.CPU))
        using (TorchSharp.torch.no_grad())
        {
            model.Weights.First(w => w.Key.Contains("up_proj", StringComparison.Ordinal)).Value.mul_(1.01);
            SafetensorsWriter.Write(Path.Combine(_tool["other"], "model.safetensors"), model.Weights);
        }
        string[] ask = ["ask", "Who?", "--patch", "edit", "--max-new", "2", "--device", "cpu", "--model"];
        Assert.Equal(0, _tool.Run([.. ask, "tiny"]).ExitCode);
        (code, _, error) = _tool.Run([.. ask, "other"]);
        Assert.Equal(2, code);
        Assert.Contains("was made for another model", error, StringComparison.Ordinal);
        (code, _, error) = _tool.Run("ask", "Who?", "--model", "edit");
        Assert.Equal(2, code);
        Assert.Contains("is a patch of this program, not a model", error, StringComparison.Ordinal);
    }

    // Published hyperparameters speak of 32 blocks; the plan shows which ones it means here.
    [Fact]
    public void Blocks_of_published_hyperparameters_stand_at_the_models_own_depth()
    {
        var (code, output, error) = _tool.Run(
            ["apply", "-n", "--method", "grace", "--model", "tiny", "--forget", "forget.jsonl", "--out", "o"]
        );
        Assert.True(code == 0, error);
        var blocks = WeightFolder.Load(_tool["tiny"], TorchSharp.torch.CPU).Config.Layers;
        Assert.Contains($"of 0 to {blocks - 1}", output, StringComparison.Ordinal);
    }

    private static JsonNode Ok((int ExitCode, string Out, string Error) run)
    {
        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}\n{run.Out}\n{run.Error}");
        return JsonNode.Parse(run.Out)!;
    }

    private string[] Answers(params string[] arguments) =>
        [
            .. Ok(
                _tool.Run([
                    "ask",
                    "--file",
                    "forget.jsonl",
                    "--max-new",
                    "6",
                    "--device",
                    "cpu",
                    "--json",
                    .. arguments,
                ])
            )["answers"]!
                .AsArray()
                .Select(a => (string)(a!["after"] ?? a["answer"])!),
        ];

    [Fact]
    public void Edits_of_bare_questions_do_not_fire_in_the_chat_template_and_the_report_says_so()
    {
        string[] Warnings(JsonNode report) => [.. report["warnings"]!.AsArray().Select(w => (string)w!)];
        double Routed(JsonNode report) =>
            (double)report["splits"]!.AsArray().Single(s => (string)s!["split"]! == "forget")!["routed"]!;
        var chat = Ok(Apply("grace", "chat", "--patch-only", "--json"));
        Assert.Equal((1.0, 0), (Routed(chat), Warnings(chat).Count(w => w.Contains("format: raw"))));
        File.WriteAllText(_tool["grace.yaml"], "layer: 1\nsteps: 5\nradius: 0.001\nformat: raw\n");
        var raw = Ok(Apply("grace", "raw", "--patch-only", "--json"));
        Assert.Equal((0.0, 1), (Routed(raw), Warnings(raw).Count(w => w.Contains("format: raw"))));
        Assert.Equal("raw", (string?)raw["made"]!["options"]!["format"]);
    }

    [Theory]
    [InlineData("rome", true)]
    [InlineData("memit", true)]
    [InlineData("alphaedit", true)]
    [InlineData("idk", false)]
    public void A_new_checkpoint_answers_like_model_and_patch_and_the_model_is_left_alone(string method, bool moments)
    {
        var before = TinyCheckpoints.Bytes(_tool["tiny"]);
        string[] more =
        [
            .. moments ? ["--moments-text", "data/refusals-own.txt", "--moments", "kept"] : Array.Empty<string>(),
            "--retain",
            "retain.jsonl",
            "--report",
            "report.json",
        ];
        var report = Ok(Apply(method, "edited", [.. more, "--json"]));
        Assert.Equal("checkpoint", (string?)report["written"]!["kind"]);
        Ok(Apply(method, "patch", [.. more, "--json", "--patch-only"]));
        Assert.Equal(before, TinyCheckpoints.Bytes(_tool["tiny"]));

        // The same draws give the same patch; put on the model it is the checkpoint.
        using var model = WeightFolder.Load(_tool["tiny"], TorchSharp.torch.CPU);
        using var edited = WeightFolder.Load(_tool["edited"], TorchSharp.torch.CPU);
        using var patch = ModelPatch.Load(_tool["patch"]);
        using (patch.ApplyTo(model))
            Assert.All(model.Weights, w => Assert.True(Tensors.SameBits(w.Value, edited.Weight(w.Key)), w.Key));
        Assert.Contains(model.Weights, w => !Tensors.SameBits(w.Value, edited.Weight(w.Key)));
        Assert.Equal(Answers("--model", "tiny", "--patch", "patch"), Answers("--model", "edited"));
        foreach (var carried in (string[])["config.json", "tokenizer.json", "generation_config.json", "LICENSE"])
            Assert.Equal(before[carried], File.ReadAllBytes(_tool[$"edited/{carried}"]));
        var manifest = JsonNode.Parse(File.ReadAllText(_tool["patch/manifest.json"]))!;
        Assert.Equal((method, WeightFingerprint.Of(model)), ((string)manifest["method"]!, (string)manifest["model"]!));

        // IDK trains on what is kept, and is not said to keep what it has not seen.
        var trains = method == "idk";
        Assert.Equal(
            ["forget", "rephrased", trains ? "retain-trained" : "retain"],
            report["splits"]!.AsArray().Select(s => (string)s!["split"]!)
        );
        Assert.Equal(
            trains,
            report["warnings"]!.AsArray().Any(w => ((string)w!).Contains("--holdout", StringComparison.Ordinal))
        );
        Assert.Equal([2, 2, 1], report["splits"]!.AsArray().Select(s => (int)s!["questions"]!));
        var answers = report["answers"]!.AsArray();
        Assert.Equal(
            Answers("--model", "edited"),
            answers.Where(a => (string?)a!["split"] == "forget").Select(a => (string)a!["after"]!)
        );
        Assert.Equal("I do not know the answer.", (string?)answers.Single(a => (string?)a!["id"] == "b")!["target"]);
        Assert.Contains((string)answers[0]!["target"]!, File.ReadLines(_tool["data/refusals-own.txt"]));
        if (method != "idk")
            Assert.Equal(["a", "b"], report["edits"]!.AsArray().Select(e => (string)e!["id"]!));
        Assert.Equal(
            report.AsObject().Select(p => p.Key),
            JsonNode.Parse(File.ReadAllText(_tool["report.json"]))!.AsObject().Select(p => p.Key)
        );
        Assert.Empty(
            Directory
                .EnumerateFileSystemEntries(_tool["."])
                .Select(f => Path.GetFileName(f))
                .Where(f => f.StartsWith('.'))
        );
        if (method == "rome")
            Snapshot.Matches(Shape(report, ""), "apply-report.txt");
    }

    [Fact]
    public void What_a_method_trained_on_and_what_it_has_not_seen_are_told_apart()
    {
        File.WriteAllLines(
            _tool["holdout.jsonl"],
            [
                """{"id":"h","question":"Who wrote 'Romola'?","answer":"George Eliot"}""",
                """{"id":"i","question":"Who wrote 'Adam Bede'?","answer":"George Eliot"}""",
            ]
        );
        var report = Ok(Apply("idk", "edited", "--retain", "retain.jsonl", "--holdout", "holdout.jsonl", "--json"));
        Assert.Equal(
            [("forget", 2), ("rephrased", 2), ("retain", 2), ("retain-trained", 1)],
            report["splits"]!.AsArray().Select(s => ((string)s!["split"]!, (int)s["questions"]!))
        );
        Assert.DoesNotContain(report["warnings"]!.AsArray(), w => ((string)w!).Contains("--holdout"));
        var shown = Apply("idk", "again", "--retain", "retain.jsonl", "--holdout", "retain.jsonl");
        Assert.Equal(2, shown.ExitCode);
        Assert.Contains("the question is in --retain too", shown.Error, StringComparison.Ordinal);
        Assert.Contains("retain.jsonl(1)", shown.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("grace")]
    [InlineData("wise")]
    public void What_is_no_change_of_weights_is_written_as_an_adapter_with_a_word_why(string method)
    {
        var (code, output, error) = Apply(method, "adapter");
        Assert.True(code == 0, error);
        Assert.Contains("no change of weights", error, StringComparison.Ordinal);
        Assert.Contains("adapter of", output, StringComparison.Ordinal);
        Assert.Contains("forget: the adapter answers", output, StringComparison.Ordinal);
        Assert.Equal(
            ["manifest.json", "patch.json", "patch.safetensors"],
            Directory.EnumerateFiles(_tool["adapter"]).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)
        );
        Assert.Equal(2, Answers("--model", "tiny", "--patch", "adapter").Length);
    }

    // Whoever has the files can take an adapter off again.
    [Fact]
    public void Eval_of_an_adapter_has_a_row_without_it()
    {
        File.WriteAllText(_tool["idk.yaml"], "epochs: 3\nbatch-size: 1\ntrainable: lora\nlora: { rank: 2 }\n");
        var (code, _, error) = Apply("idk", "adapter", "--retain", "retain.jsonl", "--patch-only");
        Assert.True(code == 0, error);
        Assert.True(File.Exists(_tool["adapter/adapter_config.json"]));
        string[] eval = ["eval", "--model", "tiny", "--questions", "forget.jsonl", "--max-new", "6", "--json"];
        var both = Ok(_tool.Run([.. eval, "--adapter", "adapter", "--out", "both.json"]))["splits"]!.AsArray();
        Assert.Equal(["questions", "questions without the adapter"], both.Select(s => (string)s!["split"]!));
        var plain = Ok(_tool.Run(eval))["splits"]![0]!["metrics"]!;
        Assert.True(JsonNode.DeepEquals(plain, both[1]!["metrics"]));
        Assert.False(JsonNode.DeepEquals(plain, both[0]!["metrics"]));
        var answers = JsonNode.Parse(File.ReadAllText(_tool["both.json"]))!["answers"]!.AsArray();
        Assert.Equal(["patch", "patch", "none", "none"], answers.Select(a => (string)a!["method"]!));
    }

    [Fact]
    public void Eval_gives_means_with_intervals_and_keeps_what_was_answered()
    {
        Ok(Apply("grace", "adapter", "--json"));
        var means = Ok(
            _tool.Run(
                "eval",
                "--model",
                "tiny",
                "--patch",
                "adapter",
                "--questions",
                "forget.jsonl",
                "--rephrased",
                "--max-new",
                "6",
                "--out",
                "answers.parquet",
                "--device",
                "cpu",
                "--json"
            )
        );
        Assert.Equal(["questions", "rephrased"], means["splits"]!.AsArray().Select(s => (string)s!["split"]!));
        Assert.All(
            means["splits"]!.AsArray(),
            s => Assert.Equal(["rouge1", "prob", "mrr", "hit", "refusal"], s!["metrics"]!.AsObject().Select(m => m.Key))
        );
        Assert.Equal(4, Artifacts.ParquetTable.Read<Artifacts.AnswerRow>(_tool["answers.parquet"]).Count);
        var (code, output, _) = _tool.Run(
            "eval",
            "--model",
            "tiny",
            "--questions",
            "forget.jsonl",
            "--max-new",
            "6",
            "--out",
            "answers.json",
            "--device",
            "cpu"
        );
        Assert.Equal(0, code);
        Assert.Contains("Hit@100", output, StringComparison.Ordinal);
        Assert.Equal(2, JsonNode.Parse(File.ReadAllText(_tool["answers.json"]))!["answers"]!.AsArray().Count);
    }

    [Fact]
    public void A_dry_run_names_memory_time_and_what_has_to_be_made_and_makes_nothing()
    {
        var plan = Ok(Apply("memit", "none", "--moments-text", "data/refusals-own.txt", "-n", "--json"));
        Assert.Equal(["contexts", "moments"], plan["makes"]!.AsArray().Select(m => (string)m!));
        Assert.True((long)plan["memoryBytes"]! > 0 && (double)plan["seconds"]! > 0);
        Assert.Equal(4, (int)plan["options"]!["value"]!["steps"]!);
        Assert.False(Directory.Exists(_tool["none"]));
        Assert.Contains(
            "GFLOP/s",
            Apply("memit", "none", "--moments-text", "data/refusals-own.txt", "-n").Out,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_failure_leaves_what_was_there_whole_and_is_told_apart_from_a_mistake()
    {
        Directory.CreateDirectory(_tool["edited"]);
        File.WriteAllText(_tool["edited/config.json"], "an earlier result");
        using (var model = WeightFolder.Load(_tool["tiny"], TorchSharp.torch.CPU))
        {
            using (TorchSharp.torch.no_grad())
                model.Weight("model.norm.weight").fill_(float.NaN);
            WeightFolder.Save(_tool["broken"], model);
        }
        File.Copy(_tool["tiny/tokenizer.json"], _tool["broken/tokenizer.json"], overwrite: true);
        foreach (
            var (method, says) in (ReadOnlySpan<(string, string)>)
                [
                    ("grace", "GRACE, a, step 0"),
                    ("wise", "WISE, a, step 0"),
                    ("rome", "value optimisation, a, layer 1, step 0"),
                    ("memit", "value optimisation, a, layer 1, step 0"),
                ]
        )
        {
            var (code, _, error) = _tool.Run(
                "apply",
                "--method",
                method,
                "--model",
                "broken",
                "--forget",
                "forget.jsonl",
                "--method-options",
                $"{method}.yaml",
                "--moments-text",
                "data/refusals-own.txt",
                "--out",
                "edited",
                "--overwrite",
                "--max-new",
                "2",
                "--device",
                "cpu"
            );
            Assert.True(code == 1, error);
            Assert.True(error.Contains(says + ": the loss is NaN", StringComparison.Ordinal), error);
            Assert.Equal("an earlier result", File.ReadAllText(_tool["edited/config.json"]));
            Assert.DoesNotContain(
                Directory.EnumerateFileSystemEntries(_tool["."]),
                f => Path.GetFileName(f).StartsWith('.')
            );
        }
    }

    [Fact]
    public void Mistakes_are_named_all_at_once_with_file_and_line()
    {
        var text = new StringBuilder();
        void Case(string what, string method, string others, string model = "tiny")
        {
            var (code, output, error) = _tool.Run(
                $"apply --device cpu --method {method} --model {model} {others}".Split(' ')
            );
            text.Append(what)
                .Append(": exit code ")
                .Append(code)
                .Append('\n')
                .Append(output)
                .Append(error.Replace(_tool[""], "", StringComparison.Ordinal))
                .Append('\n');
        }
        WriteMistaken();
        TinyCheckpoints.WriteAskable(_tool["other"], ["Another model."], seed: 9);
        const string Other =
            "apply --method memit --model other --forget forget.jsonl --method-options memit.yaml "
            + "--moments others --moments-text data/refusals-own.txt --out x --max-new 2 --device cpu --json";
        _ = Ok(_tool.Run(Other.Split(' ')));

        Case("nothing to forget", "grace", "--out new");
        Case("the untouched model", "none", "--forget forget.jsonl --out new");
        Case("questions", "grace", "--forget bad.jsonl --method-options grace.yaml --out new");
        Case("ids", "grace", "--forget twice.jsonl --method-options grace.yaml --out new");
        Case("requests without targets", "grace", "--requests forget.jsonl --method-options grace.yaml --out new");
        Case("window", "grace", "--forget long.jsonl --method-options grace.yaml --out new");
        Case("options", "memit", "--forget forget.jsonl --method-options deep.yaml --out new --family gpt");
        Case("blocks and moments", "memit", "--forget forget.jsonl --method-options deeper.yaml --out new");
        Case(
            "moments of another model",
            "memit",
            "--forget forget.jsonl --method-options memit.yaml --moments others --out new --max-new 2"
        );
        Case("token requests", "grace", "--token-requests tokens.jsonl --method-options grace.yaml --out new");
        Case("foreign tokens", "grace", "--token-requests foreign.jsonl --method-options grace.yaml --out new");
        Case(
            "a block too many",
            "rome",
            "--forget forget.jsonl --method-options one-deep.yaml --moments-text data/refusals-own.txt --out new"
        );
        Case(
            "token requests without moments",
            "memit",
            "--token-requests whole.jsonl --method-options memit.yaml --out new"
        );
        Case(
            "token requests beyond the window",
            "rome",
            "--token-requests long-tokens.jsonl --method-options one.yaml --out new"
        );
        Case("no refusals", "grace", "--forget forget.jsonl --targets none.txt --method-options grace.yaml --out new");
        Case("retain", "gd", "--forget forget.jsonl --out tiny/inside --report tiny/report.json");
        Case("the model's own folder", "grace", "--forget forget.jsonl --method-options grace.yaml --out tiny");
        Case("a folder that is taken", "grace", "--forget forget.jsonl --method-options grace.yaml --out x");
        Case("names", "romee", "--forget none.jsonl --out new", model: "nowhere");
        Assert.False(Directory.Exists(_tool["new"]));
        Snapshot.Matches(text.ToString(), "apply-problems.txt");
    }

    // Files with a mistake each, or with several that are to be named together.
    private void WriteMistaken()
    {
        File.WriteAllLines(
            _tool["bad.jsonl"],
            [
                """{"id":"a","question":"Who wrote it?","answer":"Nobody","subject":"Middlemarch"}""",
                """{"id":"b","question":"Who wrote that?","answer":"Nobody","target":"  "}""",
                """{"question":"Who wrote this?"}""",
            ]
        );
        File.WriteAllLines(
            _tool["twice.jsonl"],
            [
                """{"id":"a","question":"Who wrote it?","answer":"Nobody"}""",
                """{"id":"a","question":"Who wrote that?","answer":"Nobody"}""",
            ]
        );
        var longTitle = string.Concat(Enumerable.Repeat("Qx ", 200));
        File.WriteAllLines(
            _tool["long.jsonl"],
            [$$"""{"id":"a","question":"Who wrote {{longTitle}}?","answer":"Nobody"}"""]
        );
        File.WriteAllText(_tool["deep.yaml"], "layers: [1, 9]\ncontexts: 0\nvalue:\n  step: 3\n");
        File.WriteAllText(_tool["deeper.yaml"], "layers: [1, 9]\ncontexts: 0\n");
        File.WriteAllLines(
            _tool["tokens.jsonl"],
            [
                """{"prompt_ids":[1,5],"subject_last":7,"target_ids":[]}""",
                """{"prompt_ids":[1,5],"subject_last":1,"target":[3]}""",
                "nothing",
            ]
        );
        File.WriteAllLines(_tool["foreign.jsonl"], ["""{"prompt_ids":[1,5],"subject_last":1,"target_ids":[4000]}"""]);
        File.WriteAllText(_tool["one-deep.yaml"], "contexts: 0\nlayers: [9]\n");
        File.WriteAllText(_tool["one.yaml"], "layers: [1]\ncontexts: 0\nsecond-moments: false\n");
        File.WriteAllLines(
            _tool["whole.jsonl"],
            [
                """{"format":"token-requests/1","context_prefixes":[[]]}""",
                """{"prompt_ids":[1,5],"subject_last":1,"target_ids":[6]}""",
            ]
        );
        var manyIds = string.Concat(Enumerable.Repeat(",5", 130));
        File.WriteAllLines(
            _tool["long-tokens.jsonl"],
            [$$"""{"prompt_ids":[1{{manyIds}}],"subject_last":1,"target_ids":[6]}"""]
        );
    }

    // Every path of the report once, with the kind of its value.
    private static string Shape(JsonNode? node, string path)
    {
        var lines = new SortedSet<string>(StringComparer.Ordinal);
        void Visit(JsonNode? at, string name)
        {
            switch (at)
            {
                case JsonObject o:
                    foreach (var (key, value) in o)
                        Visit(value, name.Length == 0 ? key : $"{name}.{key}");
                    break;
                case JsonArray a:
                    if (a.Count == 0)
                        lines.Add(name + "[]");
                    foreach (var item in a)
                        Visit(item, name + "[]");
                    break;
                default:
                    lines.Add(
                        $"{name}: {at?.GetValueKind().ToString() ?? "Null"}"
                            .Replace(": True", ": Boolean", StringComparison.Ordinal)
                            .Replace(": False", ": Boolean", StringComparison.Ordinal)
                    );
                    break;
            }
        }
        Visit(node, path);
        return string.Join('\n', lines) + "\n";
    }

    public void Dispose() => _tool.Dispose();
}
