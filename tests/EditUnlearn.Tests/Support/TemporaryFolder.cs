namespace EditUnlearn.Tests.Support;

/// <summary>An empty folder that vanishes with the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    /// <summary>Its full path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory("eu-test-").FullName;

    /// <summary>A path inside.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <inheritdoc/>
    public void Dispose()
    {
        // Results of the engine's store are read-only; deletion needs the folders writable, which they are.
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A child process of the test may still hold a file for an instant; the system cleans its temporary folder.
        }
    }
}
