namespace EditUnlearn.Pipeline;

/// <summary>Works out a cell's key once the hashes of what it reads are known.</summary>
public sealed class KeyResolver(
    Plan plan,
    CodeIdentity code,
    FileHashes files,
    Surroundings? surroundings = null
)
{
    private readonly Surroundings _surroundings = surroundings ?? new Surroundings();

    /// <summary>Files and folders that a cell reads and that are not there.</summary>
    public IReadOnlyList<FileInput> Missing(Cell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return [.. cell.Inputs.OfType<FileInput>().Where(f => !Path.Exists(Path.Combine(plan.Root, f.Path)))];
    }

    /// <summary>The hash of a file's or folder's content as it is now.</summary>
    public string ContentOf(FileInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return files.Of(Path.Combine(plan.Root, input.Path));
    }

    /// <summary>The key of a cell.</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="outputs">Output hashes by name of every cell it reads.</param>
    public KeyedCell Of(Cell cell, Func<CellId, IReadOnlyDictionary<string, string>> outputs)
    {
        ArgumentNullException.ThrowIfNull(cell);
        ArgumentNullException.ThrowIfNull(outputs);
        var inputs = cell
            .Inputs.Select(input =>
                input switch
                {
                    CellOutputInput c => new KeyedInput(
                        c.Name,
                        $"{c.Cell}/{c.Output}",
                        string.Join(',', c.Cell.Axes.Select(a => $"{a.Key}={a.Value}")),
                        outputs(c.Cell)[c.Output]
                    ),
                    FileInput f => new KeyedInput(f.Name, f.Path, "", ContentOf(f)),
                    _ => throw new InvalidOperationException(),
                }
            )
            .ToList();
        var identity = code.Of(
            cell.Stage.CodeOf(cell.Parameters).Prepend(cell.Stage.GetType()).Append(cell.Stage.ParametersType)
        );
        var around = _surroundings.Of(cell.Stage.Info);
        var key = CellKey.Of(cell, identity, inputs, plan.Device, plan.DType, plan.Numerics, around);
        return new KeyedCell(cell, key, identity, inputs) { Surroundings = around };
    }
}

/// <summary>A cell with its key.</summary>
/// <param name="Cell">The cell.</param>
/// <param name="Key">Its key.</param>
/// <param name="Code">Code identity of its stage.</param>
/// <param name="Inputs">As they entered the key.</param>
public sealed record KeyedCell(Cell Cell, string Key, string Code, IReadOnlyList<KeyedInput> Inputs)
{
    /// <summary>What the stage declares of its machine, by name.</summary>
    public IReadOnlyDictionary<string, string> Surroundings { get; init; } = new Dictionary<string, string>();
}
