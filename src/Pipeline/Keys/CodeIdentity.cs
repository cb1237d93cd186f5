using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>
/// A hash of the code a stage can reach: changed by a constant or a helper's body, not by a comment, a local's name, a
/// folder or a commit.
/// </summary>
/// <remarks>
/// The closure goes from type to type through signatures, fields and IL, inside the project's own assemblies; it stops
/// at <see cref="CodeBoundaryAttribute"/>. A type that opens embedded files counts with those of its assembly.
/// What lies outside counts by assembly name and version. Results are kept on disk until an assembly changes.
/// </remarks>
public sealed class CodeIdentity
{
    private const string Prefix = "EditUnlearn.";
    private readonly string? _cacheFile;
    private readonly string _stamp;
    private readonly string[] _assemblies;
    private readonly Dictionary<string, string> _known = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private CodeClosure? _closure;

    /// <summary>Looks at the assemblies of a folder.</summary>
    /// <param name="folder">Where <c>EditUnlearn.*.dll</c> lie.</param>
    /// <param name="cacheFile">Keeps what was computed; null for no cache.</param>
    public CodeIdentity(string folder, string? cacheFile = null)
    {
        _cacheFile = cacheFile;
        _assemblies = [.. Directory.EnumerateFiles(folder, Prefix + "*.dll").Order(StringComparer.Ordinal)];
        var stamp = new StringBuilder("code/1");
        foreach (var file in _assemblies.Select(a => new FileInfo(a)))
            stamp.Append(CultureInfo.InvariantCulture, $"|{file.Name}:{file.Length}:{file.LastWriteTimeUtc.Ticks}");
        _stamp = stamp.ToString();
        if (cacheFile is not null && File.Exists(cacheFile))
            ReadCache(cacheFile);
    }

    /// <summary>The identity of everything reachable from the given types.</summary>
    public string Of(IEnumerable<Type> types)
    {
        var roots = types.Select(t => t.FullName!).Distinct().Order(StringComparer.Ordinal).ToArray();
        var name = string.Join('|', roots);
        lock (_gate)
        {
            if (_known.TryGetValue(name, out var identity))
                return identity;
            _closure ??= CodeClosure.Load(_assemblies);
            identity = _closure.Hash(roots);
            _known.Add(name, identity);
            WriteCache();
            WriteParts(identity, roots);
            return identity;
        }
    }

    /// <summary>
    /// The types behind an identity with a hash of each; null where it was computed by a version that kept none, or
    /// elsewhere.
    /// </summary>
    public IReadOnlyDictionary<string, string>? PartsOf(string identity)
    {
        ArgumentNullException.ThrowIfNull(identity);
        if (PartsFile(identity) is not { } file || !File.Exists(file))
            return null;
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(file));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Where a type of this build stands: its first line of code; null without debugging symbols.</summary>
    public SourcePlace? SourceOf(string type) => SourceFinder.Find(_assemblies, type);

    // Kept for every identity that was ever in force here, so that an explanation can say what changed in between.
    private string? PartsFile(string identity) =>
        _cacheFile is null ? null : Path.Combine(Path.GetDirectoryName(_cacheFile)!, "code", identity + ".json");

    private void WriteParts(string identity, string[] roots)
    {
        if (PartsFile(identity) is { } file && !File.Exists(file))
            AtomicFile.Write(file, JsonSerializer.SerializeToUtf8Bytes(_closure!.Parts(roots)));
    }

    private void ReadCache(string file)
    {
        try
        {
            var cache = JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(file));
            if (cache is null || !cache.Remove("", out var stamp) || stamp != _stamp)
                return;
            foreach (var (name, identity) in cache)
                _known[name] = identity;
        }
        catch (JsonException)
        {
            // A torn cache is as good as none.
        }
    }

    private void WriteCache()
    {
        if (_cacheFile is null)
            return;
        var cache = new Dictionary<string, string>(_known) { [""] = _stamp };
        AtomicFile.Write(_cacheFile, JsonSerializer.SerializeToUtf8Bytes(cache));
    }

    internal static string Hex(byte[] hash) => Convert.ToHexStringLower(hash);

    internal static string Sha256(string text) => Hex(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
