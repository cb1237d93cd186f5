using EditUnlearn.Pipeline;

namespace EditUnlearn.Stages;

/// <summary>Checks of block numbers that only the model can answer.</summary>
internal static class Layers
{
    public static void Check(IReadOnlyList<int> layers, int count, string setting)
    {
        var beyond = layers.Where(l => l < 0 || l >= count).ToList();
        if (beyond.Count > 0)
            throw new StageFailedException(
                $"the model has blocks 0 to {count - 1}, but the options name {string.Join(", ", beyond)}\n  hint: "
                    + $"set {setting}"
            );
    }

    public static IEnumerable<ParameterProblem> Problems(IReadOnlyList<int> layers)
    {
        if (layers.Count == 0 || layers.Any(l => l < 0) || layers.Zip(layers.Skip(1)).Any(p => p.First >= p.Second))
            yield return new ParameterProblem("layers", "must be a list of block numbers from 0, in ascending order");
    }
}
