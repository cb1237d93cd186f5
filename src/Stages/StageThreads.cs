namespace EditUnlearn.Stages;

/// <summary>How many threads a stage makes use of.</summary>
internal static class StageThreads
{
    /// <summary>
    /// Of a stage whose products are spread (<see cref="Models.ProductThreads"/>) where nothing else can use them;
    /// measured on two.
    /// </summary>
    public const int Spare = 4;
}
