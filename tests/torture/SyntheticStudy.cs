using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Torture;

/// <summary>
/// A study of a second: 21 cells in three layers that write files slowly, so that a kill meets them in the middle.
/// </summary>
internal static class SyntheticStudy
{
    /// <summary>Where stages note that they ran: a line of cell and process.</summary>
    public const string JournalVariable = "TORTURE_JOURNAL";

    private const string Yaml = """
        default-profile: torture
        stages:
          make: { for: { part: [a, b, c, d, e, f, g, h] }, with: { seed: $seed, part: $part } }
          train: { for: { part: [a, b, c, d] }, in: { data: make }, with: { steps: 12 } }
          blend: { run: fold, for: { part: [a, b, c, d, e, f, g, h] }, in: { parts: make }, with: { twice: true } }
          fold: { in: { parts: blend, also: train } }
        """;

    /// <summary>The kinds of work.</summary>
    public static StageCatalog Catalog { get; } = new([new Make(), new Train(), new Fold()]);

    /// <summary>The plan with a seed.</summary>
    /// <param name="root">The folder of the study.</param>
    /// <param name="seed">Another seed makes everything stale.</param>
    public static Plan Plan(string root, int seed) =>
        PlanBuilder.Build(
            PipelineFile.Parse(
                Yaml,
                "pipeline.yaml",
                root,
                new ProfileSource(
                    "torture",
                    "profiles/torture.yaml",
                    string.Create(CultureInfo.InvariantCulture, $"seed: {seed}\n")
                )
            ),
            Catalog,
            new PlanRequest(null, [])
        );

    /// <summary>The store of a study.</summary>
    public static ResultStore Store(string root) => new(Path.Combine(root, "artifacts"));

    /// <summary>How its keys are made.</summary>
    public static KeyResolver Keys(Plan plan, ResultStore store) =>
        new(
            plan,
            // Beside the store: a store that is emptied need not look at the code again.
            new CodeIdentity(AppContext.BaseDirectory, Path.Combine(plan.Root, "code.json")),
            new FileHashes(Path.Combine(store.Folder, "files.json"))
        );

    private static void Note(StageIo io)
    {
        if (Environment.GetEnvironmentVariable(JournalVariable) is not { Length: > 0 } file)
            return;
        using var journal = new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, 1);
        journal.Write(System.Text.Encoding.UTF8.GetBytes($"{io.Cell.Text} {Environment.ProcessId}\n"));
    }

    private static void Slowly(string path, SplitMix64 draw, int pieces)
    {
        using var file = File.Create(path);
        var piece = new byte[8192];
        for (var i = 0; i < pieces; i++)
        {
            for (var j = 0; j < piece.Length; j++)
                piece[j] = (byte)draw.Below(256);
            file.Write(piece);
            file.Flush();
            Thread.Sleep(4);
        }
    }

    private sealed class Make : Stage<Make.Params>
    {
        public sealed record Params(ulong Seed, string Part);

        public override StageInfo Info { get; } = new("make", 1, "random bytes") { Outputs = ["bytes.bin", "more"] };

        protected override void Run(Params parameters, StageIo io)
        {
            Note(io);
            var draw = new Seed(parameters.Seed).Stream(parameters.Part);
            Slowly(io.Output("bytes.bin"), draw, 4);
            Directory.CreateDirectory(Path.Combine(io.Output("more"), "inner"));
            Slowly(Path.Combine(io.Output("more"), "inner", "x.bin"), draw, 2);
            // The same in all cells: one stored file under many names.
            File.WriteAllText(Path.Combine(io.Output("more"), "same.txt"), "the same in every cell\n");
        }
    }

    // Goes on where a killed attempt was: its scratch folder survives.
    private sealed class Train : Stage<Train.Params>
    {
        public sealed record Params(int Steps);

        public override StageInfo Info { get; } =
            new("train", 1, "a sum over steps") { Inputs = [new("data")], Outputs = ["sum.txt"] };

        protected override void Run(Params parameters, StageIo io)
        {
            Note(io);
            var state = Path.Combine(io.Scratch, "state.txt");
            var values = File.Exists(state) ? [.. File.ReadAllLines(state)] : new List<string>();
            var data = File.ReadAllBytes(io.Input("data"));
            while (values.Count < parameters.Steps)
            {
                Thread.Sleep(5);
                values.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{values.Count} {data.Sum(b => (long)b * values.Count)}"
                    )
                );
                AtomicFile.Write(state, string.Join('\n', values) + "\n");
            }
            File.WriteAllLines(io.Output("sum.txt"), values);
        }
    }

    private sealed class Fold : Stage<Fold.Params>
    {
        public sealed record Params(bool Twice = false);

        public override StageInfo Info { get; } =
            new("fold", 1, "all inputs behind one another")
            {
                Inputs = [new("parts", InputCount.Many), new("also", InputCount.Many)],
                Outputs = ["all.bin"],
            };

        protected override void Run(Params parameters, StageIo io)
        {
            Note(io);
            using var file = File.Create(io.Output("all.bin"));
            for (var i = 0; i < (parameters.Twice ? 2 : 1); i++)
                foreach (var part in io.Inputs("parts").Concat(io.Inputs("also")))
                {
                    file.Write(File.ReadAllBytes(part.Path));
                    file.Flush();
                    Thread.Sleep(3);
                }
        }
    }
}
