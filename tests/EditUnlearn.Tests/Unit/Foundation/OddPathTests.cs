using EditUnlearn.Data;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Foundation;

/// <summary>Folders whose names hold what shells, XML, URLs and patterns take for something else.</summary>
public sealed class OddPathTests
{
    private static readonly string[] Parts =
    [
        " ",
        "&",
        "%20",
        "%",
        ";",
        "'",
        "\"",
        "#",
        "?",
        "*",
        "+",
        "=",
        ",",
        "[a]",
        "{b}",
        "(c)",
        "$(d)",
        "$HOME",
        "~",
        "`e`",
        "!",
        "@",
        "^",
        "\\",
        ":",
        "<f>",
        "|",
        "..",
        "-n",
        "\n",
        "\t",
        "é",
        "e\u0301",
        "北京",
        "\U0001F600",
        "CON",
    ];

    // Over generated members: two to four of them in one name.
    [Fact]
    public void A_folder_of_any_name_is_read_and_written()
    {
        var draw = new Seed(7).Stream("names");
        using var model = TinyModels.Llama(layers: 1);
        for (var trial = 0; trial < 30; trial++)
        {
            using var root = new TemporaryFolder();
            var name = "a" + string.Concat(Enumerable.Range(0, 2 + draw.Below(3)).Select(_ => Parts[draw.Below(36)]));
            var folder = Path.Combine(root.Path, name, name);
            Directory.CreateDirectory(folder);
            string In(string file) => Path.Combine(folder, file);

            File.WriteAllText(In("q.jsonl"), """{"id": "1", "question": "Who is it?", "answer": "a"}""");
            Assert.Equal("Who is it?", Assert.Single(QaFile.Read(In("q.jsonl"))).Question);

            File.WriteAllText(In("pipeline.yaml"), "default-profile: mini\nstages: {}\n");
            Directory.CreateDirectory(In("profiles"));
            File.WriteAllText(In("profiles/mini.yaml"), "seed: 1\n");
            Assert.Equal("mini", Assert.Single(PipelineFile.Read(In("pipeline.yaml")).Profiles));

            WeightFolder.Save(In("model"), model);
            using var scope = NewDisposeScope();
            using (var read = WeightFolder.Load(In("model"), CPU))
                Assert.True(Tensors.SameBits(model.Weights.First().Value, read.Weights.First().Value));

            using var patch = new WeightPatch([new(TensorNames.DownProj(0), new FullChange(ones(32, 56)))]);
            patch.Save(In("patch"));
            using (ModelPatch.Load(In("patch"))) { }

            AtomicFile.Write(In("whole.txt"), "x"u8.ToArray());
            var hashes = new FileHashes(In("files.json"));
            Assert.Equal(hashes.Of(In("whole.txt")), new FileHashes(In("none.json")).Of(In("whole.txt")));
        }
    }

    [Fact]
    public void A_mistake_names_the_file_as_it_is_called()
    {
        using var root = new TemporaryFolder();
        foreach (var part in Parts.Where(p => p is not ("\n" or "\t")))
        {
            var path = root[$"a{part.Replace('/', '_')}.jsonl"];
            File.WriteAllText(path, """{"question": ""}""");
            Assert.Contains(
                path,
                Assert.Throws<InputException>(() => QaFile.Read(path)).Message,
                StringComparison.Ordinal
            );
        }
    }
}
