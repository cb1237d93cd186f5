using System.Text.Json.Nodes;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Stages that only handle text, and count how often they ran.</summary>
internal sealed class FakeStages
{
    public List<string> Ran { get; } = [];

    public Dictionary<string, Action<StageIo>> Before { get; } = [];

    /// <summary>What the stage on the accelerator does when memory runs out; null for nothing.</summary>
    public string? OnOutOfMemory { get; set; }

    public StageCatalog Catalog => new([new Source(this), new Join(this), new Train(this)]);

    private void Note(StageIo io)
    {
        lock (Ran)
            Ran.Add(io.Cell.Text);
        if (Before.TryGetValue(io.Cell.Stage, out var action))
            action(io);
    }

    /// <summary>Writes a number, or a function of it.</summary>
    internal sealed class Source(FakeStages fakes) : Stage<Source.Params>
    {
        public sealed record Params(int Number, bool Parity = false, string? Label = null);

        public override StageInfo Info { get; } =
            new("source", 1, "a number")
            {
                Inputs = [new("text", InputCount.Optional)],
                Outputs = ["number.txt", "more"],
            };

        protected override IEnumerable<ParameterProblem> Check(Params parameters) =>
            parameters.Number < 0 ? [new ParameterProblem("number", "must be at least 0", "leave it out")] : [];

        protected override void Run(Params parameters, StageIo io)
        {
            fakes.Note(io);
            File.WriteAllText(
                io.Output("number.txt"),
                parameters.Parity ? $"{parameters.Number % 2}" : $"{parameters.Number}"
            );
            Directory.CreateDirectory(Path.Combine(io.Output("more"), "inner"));
            File.WriteAllText(Path.Combine(io.Output("more"), "inner", "x.txt"), "x");
        }
    }

    /// <summary>Puts everything it reads together.</summary>
    internal sealed class Join(FakeStages fakes) : Stage<Join.Params>
    {
        public sealed record Params(string Separator = ",");

        public override StageInfo Info { get; } =
            new("join", 1, "everything it reads")
            {
                Inputs = [new("parts", InputCount.Many)],
                Outputs = ["joined.txt"],
            };

        protected override void Run(Params parameters, StageIo io)
        {
            fakes.Note(io);
            File.WriteAllText(
                io.Output("joined.txt"),
                string.Join(
                    parameters.Separator,
                    io.Inputs("parts").Select(p => $"{p.Source}={File.ReadAllText(p.Path)}")
                )
            );
        }
    }

    /// <summary>Something with nested parameters on the accelerator.</summary>
    internal sealed class Train(FakeStages fakes) : Stage<Train.Params>
    {
        public sealed record Params(
            ulong Seed,
            Rates Rates,
            IReadOnlyList<int>? Layers = null,
            JsonObject? Options = null,
            Mode Mode = Mode.PlainSgd
        );

        public sealed record Rates
        {
            public double Peak { get; init; } = 0.1;

            public int Steps { get; init; } = 10;
        }

        public enum Mode
        {
            PlainSgd,
            Adam,
        }

        public override StageInfo Info =>
            new("train", 1, "a model")
            {
                Inputs = [new("data")],
                Outputs = ["model.txt"],
                Resource = Resource.Accelerator,
                SpareThreads = 3,
                OnOutOfMemory = fakes.OnOutOfMemory,
            };

        protected override void Run(Params parameters, StageIo io)
        {
            fakes.Note(io);
            io.Metric("loss", 0.5);
            File.WriteAllText(
                io.Output("model.txt"),
                $"{File.ReadAllText(io.Input("data"))} {parameters.Seed} {parameters.Rates.Steps} {io.Device}"
            );
        }
    }
}
