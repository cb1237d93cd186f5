using System.Text;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>The readers of what strangers bring.</summary>
public static partial class FuzzTargets
{
    /// <summary>All of them; a new reader gets its line here.</summary>
    public static IReadOnlyList<FuzzTarget> All => Readers.Value;

    // Made when first asked for: what they begin with stands in the other parts of this class.
    private static readonly Lazy<IReadOnlyList<FuzzTarget>> Readers = new(() =>
        [
            Weights(),
            Tokenizer("tokenizer.json of bytes", "tokenizer.json", FuzzedForm.Json, TinyTokenizers.AllSteps()),
            Tokenizer(
                "tokenizer.json of pieces",
                "tokenizer.json",
                FuzzedForm.Json,
                TinyTokenizers.Bytes(TinyTokenizers.SentencePieceJson("first"))
            ),
            Tokenizer(
                "tokenizer.model",
                "tokenizer.model",
                FuzzedForm.Bytes,
                TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words()))
            ),
            TokenizerSettings(),
            ChatTemplateText(),
            ChatTemplateFile(),
            WeightPatches(),
            Codebooks(),
            SideMemories(),
            Adapters(),
            Moments(),
            Projectors(),
            Contexts(),
            Questions(),
            QuestionArray(),
            QuestionTable(),
            ForeignQuestions(),
            Rephrasings(),
            Answers(),
            Refusals(),
            TokenRequestLines(),
            TokenIds(),
            StudyFile(),
            MethodOptions(),
            Results(),
            ResultManifest(),
            Cells(),
            ToleranceList(),
            SourceList(),
            PulledList(),
            Sheets(),
            StudyKeys(),
        ]
    );

    private static FuzzedFile Text(string name, string text) =>
        new(name, FuzzedForm.Text, Encoding.UTF8.GetBytes(text));

    private static FuzzedFile Json(string name, string text) =>
        new(name, FuzzedForm.Json, Encoding.UTF8.GetBytes(text));

    private static FuzzedFile Lines(string name, string text) =>
        new(name, FuzzedForm.JsonLines, Encoding.UTF8.GetBytes(text));

    // Everything that a function wrote into a folder, with the form that its name tells.
    private static List<FuzzedFile> Written(Action<TemporaryFolder> write)
    {
        using var folder = new TemporaryFolder();
        write(folder);
        return
        [
            .. Directory
                .EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(f => new FuzzedFile(
                    Path.GetRelativePath(folder.Path, f),
                    Path.GetExtension(f) switch
                    {
                        ".json" => FuzzedForm.Json,
                        ".jsonl" => FuzzedForm.JsonLines,
                        ".safetensors" => FuzzedForm.Safetensors,
                        ".csv" or ".txt" or ".yaml" => FuzzedForm.Text,
                        _ => FuzzedForm.Bytes,
                    },
                    File.ReadAllBytes(f)
                )),
        ];
    }

    // Frees what a reader made.
    private static void Freed(Func<IDisposable> read)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        using var made = read();
    }
}
