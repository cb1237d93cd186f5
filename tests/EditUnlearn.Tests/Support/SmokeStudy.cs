namespace EditUnlearn.Tests.Support;

/// <summary>Tests that read one finished smoke study; they may add to it, and take nothing away.</summary>
[CollectionDefinition(Name)]
public sealed class SmokeStudyCollection : ICollectionFixture<SmokeStudy>
{
    public const string Name = "a finished smoke study";
}

/// <summary>The smoke study, run once for several classes.</summary>
public sealed class SmokeStudy : IDisposable
{
    public SmokeStudy() => Tool.Repro();

    /// <summary>The folder and its commands.</summary>
    public Tool Tool { get; } = new();

    /// <inheritdoc/>
    public void Dispose() => Tool.Dispose();
}
