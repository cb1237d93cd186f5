using System.Text;

namespace EditUnlearn.Foundation;

/// <summary>
/// Files that people bring, read so that whatever is wrong with the file itself is a sentence: absent, a link to
/// nothing, a folder, a pipe, not readable, too large, compressed, a web page, a pointer to what was never downloaded.
/// </summary>
public static class UserFile
{
    private const long MostText = 1L << 30;

    // What a file begins with that is something else than what is asked for.
    private static readonly (byte[] Start, string What, string Hint)[] Strangers =
    [
        (
            "version https://git-lfs"u8.ToArray(),
            "is a git-lfs pointer: the file it stands for was never downloaded",
            "run git lfs pull there, or download the file itself"
        ),
        ([0x1F, 0x8B], "is compressed (gzip)", "unpack it first: gunzip"),
        ([0x50, 0x4B, 0x03, 0x04], "is an archive (zip)", "unpack it first: unzip"),
        ([0x28, 0xB5, 0x2F, 0xFD], "is compressed (zstd)", "unpack it first: unzstd"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "is compressed (xz)", "unpack it first: unxz"),
        ("BZh"u8.ToArray(), "is compressed (bzip2)", "unpack it first: bunzip2"),
        ("PAR1"u8.ToArray(), "is a Parquet file", "Parquet files are known by their ending, .parquet"),
    ];

    private static readonly string[] PageStarts = ["<!doctype html", "<html", "<?xml"];

    /// <summary>Refuses what is no file that can be read from beginning to end, before anything is.</summary>
    /// <param name="path">As the user wrote it.</param>
    /// <exception cref="InputException">It is not one.</exception>
    public static void Check(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (Directory.Exists(path))
            throw new InputException(path, "is a folder, not a file");
        var info = new FileInfo(path);
        try
        {
            if (info.LinkTarget is { } target)
            {
                if (target.StartsWith("pipe:", StringComparison.Ordinal))
                    throw Pipe(path);
                if (info.ResolveLinkTarget(returnFinalTarget: true) is not { Exists: true } behind)
                    throw new InputException(
                        path,
                        $"is a link to nothing: {target} is not there",
                        "complete the download, or make the link again"
                    );
                if (behind.FullName.Contains("pipe:[", StringComparison.Ordinal))
                    throw Pipe(path);
            }
            else if (!info.Exists)
                throw new InputException(path, "there is no such file");
        }
        catch (IOException e)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="InputException">It cannot be read, or is no file that can be read twice.</exception>
    public static FileStream Open(string path)
    {
        Check(path);
        try
        {
            var file = new FileStream(
                path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete,
                bufferSize: 1
            );
            if (file.CanSeek)
                return file;
            file.Dispose();
        }
        catch (Exception e) when (IsTrouble(e))
        {
            throw Unreadable(path, e);
        }
        throw Pipe(path);
    }

    /// <summary>A whole file.</summary>
    /// <param name="path">As the user wrote it.</param>
    /// <param name="most">Bytes that a file of the kind has at most.</param>
    /// <exception cref="InputException">It cannot be read, or has more.</exception>
    public static byte[] Bytes(string path, long most = MostText)
    {
        using var file = Open(path);
        var length = file.Length;
        if (length > most)
            throw new InputException(path, $"has {length} bytes; a file of this kind has at most {most}");
        try
        {
            var bytes = new byte[length];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return read == bytes.Length && file.ReadByte() < 0
                ? bytes
                : throw new InputException(path, "changed while it was read", "wait until it is complete");
        }
        catch (Exception e) when (IsTrouble(e))
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>A whole file as text; a byte order mark at its beginning is no part of it.</summary>
    /// <param name="path">As the user wrote it.</param>
    /// <param name="most">Bytes that a file of the kind has at most.</param>
    /// <exception cref="InputException">It cannot be read, or is not UTF-8.</exception>
    public static string Text(string path, long most = MostText)
    {
        var bytes = Bytes(path, most);
        if (Stranger(bytes) is var (what, hint))
            throw new InputException(path, what, hint);
        return Decoded(path, bytes);
    }

    /// <summary>UTF-8 as text; a byte order mark at its beginning is no part of it.</summary>
    /// <exception cref="InputException">It is something else; the first wrong place is said.</exception>
    public static string Decoded(string path, ReadOnlySpan<byte> bytes)
    {
        bytes = WithoutMark(bytes);
        if (bytes.Length >= 2 && bytes[0] is 0xFF or 0xFE && bytes[1] is 0xFE or 0xFF)
            throw new InputException(path, "is UTF-16, as Windows tools save \"Unicode\"", "save it as UTF-8");
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            var line = 1 + bytes[..Math.Clamp(e.Index, 0, bytes.Length)].Count((byte)'\n');
            throw new InputException(
                new InputProblem(
                    path,
                    line,
                    0,
                    $"is not UTF-8: byte 0x{(e.BytesUnknown is [var b, ..] ? b : 0):X2} stands where no character can",
                    "save it as UTF-8"
                )
            );
        }
    }

    /// <summary>Bytes behind a byte order mark of UTF-8, where they begin with one.</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;

    /// <summary>
    /// What a file is by its first bytes, where it is neither text nor a format of this program's own; null otherwise.
    /// </summary>
    public static (string What, string Hint)? Stranger(ReadOnlySpan<byte> bytes)
    {
        foreach (var (start, what, hint) in Strangers)
            if (bytes.StartsWith(start))
                return (what, hint);
        var text = WithoutMark(bytes);
        var first = Encoding.UTF8.GetString(text[..Math.Min(text.Length, 64)]).TrimStart();
        if (PageStarts.Any(p => first.StartsWith(p, StringComparison.OrdinalIgnoreCase)))
            return (
                "is a web page, not the file itself",
                "log in there, accept what must be accepted, and download the file again"
            );
        return !bytes.IsEmpty && bytes.IndexOfAnyExcept((byte)0) < 0
            ? ("holds nothing but zero bytes", "the download broke off; take the file again")
            : null;
    }

    /// <summary>Whether something went wrong with a file that a person can mend.</summary>
    public static bool IsTrouble(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The sentence for a file that cannot be read.</summary>
    public static InputException Unreadable(string path, Exception e) =>
        e switch
        {
            UnauthorizedAccessException => new InputException(
                path,
                "cannot be read: permission denied",
                "chmod, or run as its owner"
            ),
            FileNotFoundException or DirectoryNotFoundException => new InputException(path, "there is no such file"),
            _ => new InputException(path, "cannot be read: " + e.Message),
        };

    private static InputException Pipe(string path) =>
        new(path, "is a pipe, which can be read once only", "save what comes out of it to a file, and name that");
}
