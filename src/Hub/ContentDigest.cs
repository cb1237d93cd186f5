using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EditUnlearn.Hub;

/// <summary>
/// What a file must hash to: SHA-256 for large files and pinned ones, the SHA-1 of a git blob for the small files of a
/// repository.
/// </summary>
/// <param name="Hex">64 or 40 lower-case hexadecimal digits.</param>
internal sealed record ContentDigest(string Hex)
{
    /// <summary>Whether it is SHA-256.</summary>
    public bool IsSha256 => Hex.Length == 64;

    /// <summary>Wraps what a server says; null where it is neither kind of hash.</summary>
    public static ContentDigest? Parse(string? text) =>
        text is { Length: 40 or 64 } && text.All(char.IsAsciiHexDigit)
            ? new ContentDigest(text.ToLowerInvariant())
            : null;
}

/// <summary>
/// Hashes a file while it arrives: always SHA-256, and the git blob's SHA-1 where that is what it must match.
/// </summary>
internal sealed class ContentHasher : IDisposable
{
    private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash? _blob;
    private readonly long _bytes;

    public ContentHasher(long bytes, bool asGitBlob)
    {
        _bytes = bytes;
        // SHA-1 identifies what git stores; that a second file of the same hash can be made is git's problem, and the
        // lock keeps SHA-256.
#pragma warning disable CA5350
        _blob = asGitBlob ? IncrementalHash.CreateHash(HashAlgorithmName.SHA1) : null;
#pragma warning restore CA5350
        Begin();
    }

    public void Append(ReadOnlySpan<byte> content)
    {
        _sha256.AppendData(content);
        _blob?.AppendData(content);
    }

    /// <summary>SHA-256, and the git blob's hash where asked for. Starts anew.</summary>
    public (string Sha256, string? GitBlob) Finish()
    {
        var result = (
            Convert.ToHexStringLower(_sha256.GetHashAndReset()),
            _blob is null ? null : Convert.ToHexStringLower(_blob.GetHashAndReset())
        );
        Begin();
        return result;
    }

    public void Dispose()
    {
        _sha256.Dispose();
        _blob?.Dispose();
    }

    /// <summary>SHA-256 of a whole file.</summary>
    public static string Sha256Of(string path)
    {
        using var file = new FileStream(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 17,
            FileOptions.SequentialScan
        );
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    // Git hashes a header of its own before the content.
    private void Begin() =>
        _blob?.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {_bytes}\0")));
}
