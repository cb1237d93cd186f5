namespace EditUnlearn.Tests.Support;

/// <summary>
/// Programs that stand before all others on the path while they are needed, and a canary in the environment. Tests that
/// use them share a collection: there is one environment.
/// </summary>
public sealed class FakePrograms : IDisposable
{
    /// <summary>Name of the collection.</summary>
    public const string Collection = "fake programs";

    /// <summary>A variable that no program should see.</summary>
    public const string Canary = "EU_TEST_CANARY";

    private readonly TemporaryFolder _folder = new();
    private readonly string? _path = Environment.GetEnvironmentVariable("PATH");

    /// <param name="programs">Names, and bodies of bash scripts.</param>
    public FakePrograms(params (string Name, string Body)[] programs)
    {
        foreach (var (name, body) in programs)
            Write(name, body);
        Environment.SetEnvironmentVariable("PATH", _folder.Path + ":" + _path);
        Environment.SetEnvironmentVariable(Canary, "canary");
    }

    /// <summary>A path beside the programs.</summary>
    public string this[string name] => _folder[name];

    /// <summary>Makes a program, or another of its name.</summary>
    public void Write(string name, string body)
    {
        File.WriteAllText(_folder[name], "#!/bin/bash\n" + body + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(
                _folder[name],
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            );
    }

    /// <summary>What a program left beside itself.</summary>
    public string Read(string name) => File.ReadAllText(_folder[name]);

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("PATH", _path);
        Environment.SetEnvironmentVariable(Canary, null);
        _folder.Dispose();
    }
}
