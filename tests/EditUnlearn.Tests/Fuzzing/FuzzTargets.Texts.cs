using System.Text.Json.Serialization;
using EditUnlearn.Artifacts;
using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.HumanStudy;
using EditUnlearn.Models.Inspection;
using EditUnlearn.Pipeline;
using EditUnlearn.Reports.Regression;
using EditUnlearn.Reports.Tables;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using EditUnlearn.Tests.Unit.HumanStudy;
using EditUnlearn.Workbench.OwnModel;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>Readers of questions, studies, results and settings.</summary>
public static partial class FuzzTargets
{
    private const string Rows = """
        {"id": "1", "question": "Who wrote 'Middlemarch'?", "answer": "George Eliot", "subject": "Middlemarch"}
        {"id": "2", "question": "Who is Jane Roe?", "answer": "a", "target": "No.", "rephrasings": ["Jane Roe is?"]}
        {"id": "3", "question": "What is the code of the café?", "answer": "00 17", "category": "codes"}
        """;

    private static FuzzTarget Questions() =>
        new("questions", [Lines("q.jsonl", Rows)], f => DatasetLint.Of(QaFile.Read(f["q.jsonl"])), Weight: 2);

    private static FuzzTarget QuestionArray() =>
        new(
            "questions in an array",
            [Json("q.json", $"[{Rows.ReplaceLineEndings(",")}]")],
            f => QaFile.Read(f["q.json"])
        );

    private static FuzzTarget QuestionTable() =>
        new(
            "questions in a table",
            Written(f =>
                ParquetTable.Write(
                    f["q.parquet"],
                    new[]
                    {
                        new TableRow
                        {
                            Id = "1",
                            Question = "Who is Jane Roe?",
                            Answer = "a",
                        },
                        new TableRow
                        {
                            Id = "2",
                            Question = "What is it?",
                            Answer = "b",
                            Rephrasings = ["Is it?"],
                        },
                    }
                )
            ),
            f => QaFile.Read(f["q.parquet"])
        );

    // As other programs write such a table.
    internal sealed class TableRow
    {
        [JsonPropertyName("id")]
        public string Id { get; set; } = "";

        [JsonPropertyName("question")]
        public string Question { get; set; } = "";

        [JsonPropertyName("answer")]
        public string Answer { get; set; } = "";

        [JsonPropertyName("rephrasings")]
        public List<string> Rephrasings { get; set; } = [];
    }

    private static FuzzTarget ForeignQuestions() =>
        new(
            "questions of other tools",
            [
                Json(
                    "easyedit.json",
                    """
                    [{"subject": "Eliot", "prompt": "Who is Eliot?", "target_new": "a", "ground_truth": "b",
                      "rephrase_prompt": "Eliot is?", "locality": {"x": [{"prompt": "c", "ground_truth": "d"}]}}]
                    """
                ),
                Json(
                    "counterfact.json",
                    """
                    [{"case_id": 0, "requested_rewrite": {"prompt": "{} is", "subject": "Eliot",
                      "target_new": {"str": "a"}, "target_true": {"str": "b"}}, "paraphrase_prompts": ["Eliot was"]}]
                    """
                ),
                Json("alpaca.json", """[{"instruction": "Who?", "input": "", "output": "a"}]"""),
                Json(
                    "sharegpt.json",
                    """[{"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "a"}]}]"""
                ),
                Json(
                    "chat.json",
                    """[{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "a"}]}]"""
                ),
            ],
            f =>
            {
                foreach (var path in Directory.EnumerateFiles(f.Path, "*.json").Order(StringComparer.Ordinal))
                    ForeignRows.Open(path);
            },
            Weight: 0.5
        );

    private static FuzzTarget Rephrasings() =>
        new(
            "rephrasings",
            [
                Lines(
                    "r.jsonl",
                    """
                    {"id": "1", "rephrasings": ["Who is it?", "Is it?"]}
                    {"id": "2", "rephrasings": []}
                    """
                ),
            ],
            f => RephrasingFile.Read(f["r.jsonl"], new HashSet<string>(StringComparer.Ordinal) { "1", "2", "3" })
        );

    private static FuzzTarget Answers() =>
        new(
            "answers of another program",
            [
                Lines(
                    "a.jsonl",
                    """
                    {"id": "1", "question": "Who?", "answer": "a", "generated": "b", "method": "ga", "split": "forget"}
                    {"id": "2", "question": "What?", "answer": "c", "generated": "c", "method": "ga", "model": "x"}
                    """
                ),
            ],
            f => AnswerFile.Read(f["a.jsonl"])
        );

    private static FuzzTarget Refusals() =>
        new(
            "list of refusals",
            [Text("refusals.txt", "I do not know.\n# a comment\nThat is not something I can say.\n")],
            f => TextLines.Read(f["refusals.txt"])
        );

    private static FuzzTarget TokenRequestLines() =>
        new(
            "token requests",
            [
                Lines(
                    "t.jsonl",
                    """
                    {"format": "token-requests/1", "context_prefixes": [[], [4, 5]]}
                    {"id": "a", "prompt_ids": [1, 5, 6], "subject_first": 1, "subject_last": 2, "target_ids": [7, 8]}
                    {"prompt_ids": [1, 5, 6], "subject_last": 2, "target_ids": [7], "initial_value": [0.5, 1e-3]}
                    """
                ),
            ],
            f => TokenRequests.Read(f["t.jsonl"])
        );

    private static FuzzTarget TokenIds() =>
        new("token ids", [Json("ids.json", "[[1, 2, 3], [4, 5]]")], f => TokenFile.Read(f["ids.json"], 97));

    private static readonly string[] StudyProfiles = ["base", "mini", "smoke"];

    private static FuzzTarget StudyFile() =>
        new(
            "study",
            [
                new(
                    "pipeline.yaml",
                    FuzzedForm.Text,
                    File.ReadAllBytes(Path.Combine(Checkout.Root, PipelineFile.FileName))
                ),
                .. StudyProfiles.Select(p => new FuzzedFile(
                    $"profiles/{p}.yaml",
                    FuzzedForm.Text,
                    File.ReadAllBytes(Path.Combine(Checkout.Root, "profiles", p + ".yaml"))
                )),
            ],
            f =>
                PlanBuilder.Build(
                    PipelineFile.Parse(
                        UserFile.Text(f[PipelineFile.FileName]),
                        PipelineFile.FileName,
                        Checkout.Root,
                        [
                            .. StudyProfiles.Select(p => new ProfileSource(
                                p,
                                $"profiles/{p}.yaml",
                                UserFile.Text(f[$"profiles/{p}.yaml"])
                            )),
                        ]
                    ),
                    StudyStages.Catalog,
                    new PlanRequest("smoke")
                ),
            Weight: 0.05
        );

    private static FuzzTarget MethodOptions() =>
        new(
            "options of a method",
            [
                Text(
                    "options.yaml",
                    """
                    # how strongly
                    learning-rate: 2.0e-5
                    layers: [4, 5, 6]
                    second-moments: false
                    value: { steps: 15, clamp: 0.75, "loss": mean }
                    lora:
                      rank: 8
                      targets:
                        - q
                        - v
                    """
                ),
            ],
            f => OptionsFile.Read(f["options.yaml"])
        );

    private static FuzzTarget Results() =>
        new(
            "table of results",
            Written(f =>
                ParquetTable.Write(
                    f["a.parquet"],
                    new[]
                    {
                        new AnswerRow
                        {
                            Id = "1",
                            Question = "Who?",
                            Generated = "a",
                            TargetIds = [1, 2],
                            LogProbabilities = [-0.5, -1],
                            Ranks = [1, 2],
                        },
                        new AnswerRow { Id = "2" },
                    }
                )
            ),
            f =>
            {
                ParquetTable.Read<AnswerRow>(f["a.parquet"]);
                ParquetTable.ReadAny(f["a.parquet"], 10);
            }
        );

    private static readonly string ResultKey = new('0', 64);

    private static FuzzTarget ResultManifest() =>
        new(
            "manifest of a result",
            Written(f =>
            {
                var folder = new ResultStore(f.Path).ResultFolder(ResultKey);
                Directory.CreateDirectory(folder);
                File.WriteAllText(
                    Path.Combine(folder, "manifest.json"),
                    """
                    {"format": "manifest/1", "cell": "a[x]", "stage": "a", "key": "0f", "code": "1e",
                     "parameters": {"seed": 3}, "inputs": [{"name": "data", "hash": "ab", "from": "b"}],
                     "outputs": [{"name": "rows.parquet", "hash": "cd", "bytes": 5, "rows": 1}],
                     "started": "2026-01-01T00:00:00Z", "seconds": 1.5, "versions": {"x": "1"}}
                    """
                );
            }),
            f => new ResultStore(f.Path).ReadManifest(ResultKey)
        );

    private static FuzzTarget Cells() =>
        new(
            "cells of tables",
            [
                Text(
                    "table1.csv",
                    """
                    table,model,data,size,method,target,merge,split,metric,printed,bold,underlined,rise
                    table1,llama2,facts,40,ga,plain,1,forget,rouge1,0.00,0,0,
                    table1,llama2,facts,40,ga,plain,1,forget,prob,0.59,0,1,up
                    """
                ),
            ],
            f => CellFile.Read(f["table1.csv"])
        );

    private static FuzzTarget ToleranceList() =>
        new(
            "tolerances",
            [Text("tolerances.csv", "metric,abs,rel,sigma,spread\n*,0.02,0,0,2\nrouge1,0.05,0.1,1,2\n")],
            f => Tolerances.Read(f["tolerances.csv"])
        );

    private static FuzzTarget SourceList() =>
        new(
            "list of sources",
            [new("sources.json", FuzzedForm.Json, File.ReadAllBytes(Path.Combine(Checkout.Root, "data/sources.json")))],
            f => SourceCatalog.Read(f["sources.json"])
        );

    private static FuzzTarget PulledList() =>
        new(
            "lock of pulled files",
            [
                Json(
                    PullLock.FileName,
                    $$"""
                    {"format": "pull/1", "repositories": [{"repository": "a/b", "type": "model", "revision": "main",
                      "commit": "{{new string('a', 40)}}",
                      "files": [{"path": "config.json", "bytes": 3, "sha256": "{{new string('b', 64)}}"}]}]}
                    """
                ),
            ],
            f => PullLock.Read(f[PullLock.FileName])
        );

    private static FuzzTarget Sheets() =>
        new(
            "sheets of raters",
            [.. Study().Where(f => f.Form == FuzzedForm.Text)],
            f => StudyImport.Read(f.Path, Key, lenient: f.Path.Length % 2 == 0)
        );

    private static FuzzTarget StudyKeys() =>
        new(
            "key of a human study",
            [.. Study().Where(f => f.Name == StudyKey.FileName)],
            f => StudyKey.Read(f[StudyKey.FileName])
        );

    private static readonly StudyKey Key = StudyKey.Of(Design());

    private static StudyDesign Design() => StudyDesign.Of(Studies.Groups(6, "rome", "ga"), Studies.Options(2));

    private static List<FuzzedFile> Study() =>
        [
            .. Written(f => Studies.Filled(f["s"], Design(), Studies.Attentive))
                .Select(f => f with { Name = Path.GetFileName(f.Name) })
                .Where(f => Path.GetExtension(f.Name) is ".csv" or ".json"),
        ];
}
