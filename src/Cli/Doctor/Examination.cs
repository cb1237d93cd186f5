using System.Security.Cryptography;
using EditUnlearn.Cli.Terminal;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Workbench;

namespace EditUnlearn.Cli.Doctor;

/// <summary>Holds a plan against a machine: what is missing, what does not fit, and what to type.</summary>
/// <param name="plan">Of the profile.</param>
/// <param name="machine">What there is.</param>
/// <param name="sources">What can be pulled.</param>
/// <param name="peakOf">Measured peak of a cell's latest run, or null.</param>
internal sealed class Examination(Plan plan, MachineFacts machine, SourceCatalog sources, Func<CellId, long?> peakOf)
{
    private readonly List<Advice> _advice = [];

    private int TypeBytes => ModelShapes.TypeBytes(plan);

    /// <summary>Looks at everything.</summary>
    public Diagnosis Run()
    {
        if (machine.LibtorchProblem is { } broken)
            Advise($"libtorch cannot be loaded: {broken}", "dotnet build -t:Tool -p:Torch=cpu");
        if (plan.Device != "cpu" && !machine.Cuda)
            Advise(
                $"the profile wants the device {plan.Device}, which is not there",
                $"dotnet eu-stage repro --profile {plan.Profile} --set device=cpu --set dtype=float32"
            );
        var shapes = new Dictionary<string, ModelConfig>(StringComparer.Ordinal);
        var models = plan
            .Cells.Where(c =>
                c.Id.Axis("model") is not null && c.Parameters is PretrainStage.Params or CheckpointStage.Params
            )
            .Select(c => Model(c, shapes))
            .ToList();
        var files = plan
            .Cells.SelectMany(c => c.Inputs.OfType<FileInput>().Where(_ => c.Parameters is not CheckpointStage.Params))
            .DistinctBy(f => f.Path)
            .Select(File)
            .ToList();
        var stages = Stages(shapes);
        if (machine.Latex is null)
            Advise(
                "pdflatex is not there: tables stay .tex, nothing else suffers",
                "apt-get install texlive-latex-base texlive-latex-recommended"
            );
        return new Diagnosis(plan.Profile, plan.Device, plan.DType, machine, models, files, stages, _advice);
    }

    private ModelLine Model(Cell cell, Dictionary<string, ModelConfig> shapes)
    {
        var name = cell.Id.Axis("model")!;
        if (cell.Parameters is PretrainStage.Params pretrain)
        {
            shapes[name] = ModelShapes.Of(pretrain);
            return new ModelLine(name, "made by pretrain", null, null, Loaded(shapes[name]), Verdict.Ok, null);
        }
        var input = cell.Inputs.OfType<FileInput>().Single();
        var folder = Path.Combine(plan.Root, input.Path);
        if (sources.Find(name)?.Shape is { } published)
            shapes[name] = ModelShapes.Of(name, published);
        if (!Directory.Exists(folder))
        {
            Advise($"{input.Path} is not there", input.Obtain ?? $"dotnet eu-stage pull {name} --to {input.Path}");
            return new ModelLine(
                name,
                input.Path,
                null,
                null,
                shapes.TryGetValue(name, out var known) ? Loaded(known) : null,
                Verdict.Missing,
                "not there"
            );
        }
        try
        {
            var found = ModelFolder.Look(folder, "");
            string? type = null;
            if (found.Files.Any(f => f.Name == "config.json"))
            {
                var (config, stored) = ConfigFile.Read(Path.Combine(folder, "config.json"));
                (shapes[name], type) = (config, stored.ToString().ToLowerInvariant());
            }
            var problem = found.Problems.Count > 0 ? found.Problems[0].Message : null;
            if (problem is not null)
                Advise($"{input.Path}: {problem}", input.Obtain ?? $"dotnet eu-stage pull {name} --to {input.Path}");
            return new ModelLine(
                name,
                input.Path,
                found.WeightBytes,
                type,
                shapes.TryGetValue(name, out var shape) ? Loaded(shape) : null,
                problem is null ? Verdict.Ok : Verdict.Missing,
                problem
            );
        }
        catch (Exception e) when (e is InputException or DamagedFileException)
        {
            Advise(e.Message.Split('\n')[0], input.Obtain ?? $"dotnet eu-stage pull {name} --to {input.Path}");
            return new ModelLine(name, input.Path, null, null, null, Verdict.Damaged, "cannot be read");
        }
    }

    private FileLine File(FileInput input)
    {
        var path = Path.Combine(plan.Root, input.Path);
        var pinned = sources
            .Sources.SelectMany(s => s.Files ?? [])
            .FirstOrDefault(f => input.Path.EndsWith("/" + f.Path, StringComparison.Ordinal));
        if (Directory.Exists(path))
        {
            var files = new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories);
            return new FileLine(input.Path, files.Sum(f => f.Length), false, Verdict.Ok);
        }
        if (!System.IO.File.Exists(path))
        {
            Advise($"{input.Path} is not there", input.Obtain ?? $"git checkout {input.Path}");
            return new FileLine(input.Path, null, pinned is not null, Verdict.Missing);
        }
        using var content = System.IO.File.OpenRead(path);
        var right =
            pinned is null
            || (content.Length == pinned.Bytes && Convert.ToHexStringLower(SHA256.HashData(content)) == pinned.Sha256);
        if (!right)
            Advise($"{input.Path} is not the published file", $"mv {input.Path} {input.Path}.mine && {input.Obtain}");
        return new FileLine(input.Path, content.Length, pinned is not null, right ? Verdict.Ok : Verdict.Damaged);
    }

    private List<StageLine> Stages(Dictionary<string, ModelConfig> shapes)
    {
        var lines = new List<StageLine>();
        var (total, free) = Room();
        foreach (var group in AcceleratorCells())
        {
            var estimates = shapes.TryGetValue(group.Key.Model, out var shape)
                ? group
                    .Select(c => (Cell: c, Estimate: StageMemory.Of(c, shape, TypeBytes)))
                    .Where(p => p.Estimate is not null)
                    .ToList()
                : [];
            var seen = group.Select(c => peakOf(c.Id)).Max();
            if (estimates.Count == 0)
            {
                lines.Add(new StageLine(group.Key.Stage, group.Key.Model, null, "", seen, Verdict.Unknown));
                continue;
            }
            var (cell, estimate) = estimates.MaxBy(p => p.Estimate!.Bytes);
            var verdict =
                total == 0 ? Verdict.Unknown
                : estimate!.Bytes > total ? Verdict.TooMuch
                : estimate.Bytes > free ? Verdict.Tight
                : Verdict.Ok;
            lines.Add(
                new StageLine(
                    group.Key.Stage,
                    group.Key.Model,
                    estimate!.Bytes,
                    $"{estimate.Largest.Name} {Format.Bytes(estimate.Largest.Bytes)}",
                    seen,
                    verdict
                )
            );
            if (verdict == Verdict.TooMuch)
                Advise(
                    $"{group.Key.Stage} of {group.Key.Model} needs {Format.Bytes(estimate.Bytes)}, "
                        + $"there are {Format.Bytes(total)}",
                    StageRelief.For(plan, cell, estimate)
                );
        }
        AdviseOnSpace(lines, free);
        return lines;
    }

    // A method's variants share its line, which shows the one that needs most.
    private IEnumerable<IGrouping<(string Stage, string Model), Cell>> AcceleratorCells() =>
        plan
            .Cells.Where(c => c.Stage.Info.Resource == Resource.Accelerator && c.Id.Axis("model") is not null)
            .GroupBy(c =>
                (
                    Stage: c.Parameters is ApplyStage.Params apply ? $"{c.Id.Stage} {apply.Method}" : c.Id.Stage,
                    Model: c.Id.Axis("model")!
                )
            );

    private void AdviseOnSpace(List<StageLine> lines, long free)
    {
        if (lines.Any(l => l.Verdict == Verdict.Tight))
            Advise(
                $"some stages fit the memory but not what is free of it now ({Format.Bytes(free)})",
                "close other programs, or run one stage at a time: dotnet eu-stage repro -j 1"
            );
        else if (
            plan.Device == "cpu"
            && machine.Cores > 1
            && lines.Any(l => l.Verdict == Verdict.Ok && l.NeededBytes * 2 > free && l.NeededBytes > 1_000_000_000)
        )
            Advise(
                "two of the larger stages side by side do not fit",
                $"dotnet eu-stage repro --profile {plan.Profile} -j 1"
            );
    }

    // Memory of the device that the tensors live on; nothing is known of a GPU without its driver's tool.
    private (long Total, long Free) Room() =>
        plan.Device == "cpu" ? (machine.TotalBytes, machine.FreeBytes)
        : machine.Gpus.Count > 0 ? (machine.Gpus.Max(g => g.TotalBytes), machine.Gpus.Max(g => g.FreeBytes))
        : (0, 0);

    private long Loaded(ModelConfig shape) => shape.ParameterCount() * TypeBytes;

    private void Advise(string problem, string command) => _advice.Add(new Advice(problem, command));
}
