using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Models;

namespace EditUnlearn.Workbench.OwnModel;

/// <summary>
/// Where a run keeps what a killed one had done: a hidden folder beside the one to be made, named by a hash of all that
/// the result depends on, so that a changed option never finds the state of another run.
/// </summary>
/// <remarks>
/// One run at a time works in it: its lock goes with the process. It is removed with success, and where the same run
/// could only fail again.
/// </remarks>
internal sealed class WorkFolder : IDisposable
{
    private const string LockName = "lock",
        AttemptsName = "attempts";

    private readonly FileStream _lock;
    private readonly string _output;
    private bool _done;

    private WorkFolder(string path, string output, FileStream held) => (Path, _output, _lock) = (path, output, held);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Where the state of the method itself lies.</summary>
    public string EditState => System.IO.Path.Combine(Path, "edit");

    /// <summary>The answers of the untouched model.</summary>
    public string Before => System.IO.Path.Combine(Path, "before.parquet");

    /// <summary>Makes the folder, or finds that of a run that was stopped.</summary>
    /// <param name="output">The folder to be made.</param>
    /// <param name="identity">Of all that the result depends on.</param>
    /// <param name="note">Told what was found.</param>
    /// <exception cref="ResourceUnavailableException">Another run works in it.</exception>
    public static WorkFolder Open(string output, string identity, Action<string>? note)
    {
        output = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(output));
        var parent = System.IO.Path.GetDirectoryName(output)!;
        var prefix = $".{System.IO.Path.GetFileName(output)}.work-";
        var path = System.IO.Path.Combine(parent, prefix + identity[..16]);
        var found = Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any();
        Directory.CreateDirectory(path);
        var folder = new WorkFolder(path, output, Locked(path));
        if (found)
            note?.Invoke($"a run of the same inputs and options was stopped; its state in {Shown(path)} is used");
        foreach (var other in Directory.EnumerateDirectories(parent, prefix + "*").Where(d => d != path))
            note?.Invoke(
                $"a run of other inputs or options was stopped: {Shown(other)} is not used, and may be deleted"
            );
        folder.ClearAttempts();
        return folder;
    }

    /// <summary>The run needs it no more.</summary>
    public void Done() => _done = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        _lock.Dispose();
        if (_done || !Directory.EnumerateFileSystemEntries(Path).Select(System.IO.Path.GetFileName).Any(IsState))
            Directory.Delete(Path, recursive: true);
    }

    /// <summary>Whether something lies in it that spares a later run work.</summary>
    public bool HoldsState =>
        !_done && Directory.EnumerateFileSystemEntries(Path).Select(System.IO.Path.GetFileName).Any(IsState);

    /// <summary>
    /// A hash of all that a result depends on: the code, what the manifest says, files by their content, how a question
    /// is put to the model.
    /// </summary>
    /// <param name="request">Names the files.</param>
    /// <param name="manifest">Method, options in force, seed, device, fingerprint of the model.</param>
    /// <param name="prompts">Tokens of what is asked.</param>
    public static string Identity(ApplyRequest request, JsonObject manifest, IEnumerable<IReadOnlyList<int>> prompts)
    {
        string?[] files =
        [
            request.Forget,
            request.Requests,
            request.TokenRequests,
            request.Retain,
            request.HoldOut,
            request.Targets,
            request.MomentsText,
            request.Locality,
        ];
        Type[] code = [typeof(WorkFolder), typeof(IMethod), typeof(CausalLm), typeof(Seed), typeof(TorchSharp.torch)];
        return Hash(
            JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    // A build makes equal numbers of equal sources, and another build may make others.
                    Code = code.Select(t => t.Module.ModuleVersionId),
                    Numerics = Environment.GetEnvironmentVariable(NumericsNames.Variable),
                    Manifest = manifest,
                    Files = files.Select(f => f is null || !File.Exists(f) ? null : HashOf(f)),
                    request.Mom2Samples,
                    request.MaxNewTokens,
                    Reference = request.Reference is { } folder ? Stamps(folder) : null,
                    Prompts = prompts,
                }
            )
        );
    }

    /// <summary>The same of what a method is given.</summary>
    /// <param name="inputs">Its rows.</param>
    /// <param name="statistics">Files of statistics; they count as the files that they are.</param>
    public static string Identity(MethodInputs inputs, IEnumerable<string> statistics) =>
        Hash(
            JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    inputs.Edits,
                    inputs.Forget,
                    inputs.Retain,
                    inputs.Refusals,
                    inputs.Contexts,
                    inputs.Locality,
                    Statistics = statistics.Order(StringComparer.Ordinal).Select(Stamp),
                }
            )
        );

    private static bool IsState(string? name) => name is not (LockName or AttemptsName);

    private static FileStream Locked(string path)
    {
        try
        {
            return new FileStream(
                System.IO.Path.Combine(path, LockName),
                FileMode.OpenOrCreate,
                FileAccess.ReadWrite,
                FileShare.None,
                1
            );
        }
        catch (IOException e)
        {
            throw new ResourceUnavailableException(
                $"another run makes the same right now, in {path}\n  hint: wait for it, or name another --out",
                e
            );
        }
    }

    // What attempts had begun to write when they were killed is as large as the model.
    private void ClearAttempts()
    {
        var file = System.IO.Path.Combine(Path, AttemptsName);
        if (File.Exists(file))
            foreach (var id in File.ReadLines(file).Where(l => l.Length > 0 && l.All(char.IsAsciiDigit)))
                foreach (
                    var partial in Directory.EnumerateDirectories(
                        System.IO.Path.GetDirectoryName(_output)!,
                        $".{System.IO.Path.GetFileName(_output)}.partial-{id}-*"
                    )
                )
                    Directory.Delete(partial, recursive: true);
        File.AppendAllText(file, string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}\n"));
    }

    private static string Shown(string path) =>
        System.IO.Path.GetRelativePath(Directory.GetCurrentDirectory(), path) is { } near
        && !near.StartsWith("..", StringComparison.Ordinal)
            ? near
            : path;

    private static string HashOf(string file)
    {
        using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static string Stamps(string folder) =>
        Directory.Exists(folder)
            ? string.Join(
                '|',
                Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(Stamp).Prepend(folder)
            )
            : folder;

    private static string Stamp(string file)
    {
        var info = new FileInfo(file);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{info.FullName} {info.Length} {info.LastWriteTimeUtc.Ticks}"
        );
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
