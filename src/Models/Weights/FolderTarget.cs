using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Models.Weights;

/// <summary>
/// A folder that appears whole or not at all: filled under another name beside its place, then renamed.
/// </summary>
internal sealed class FolderTarget : IDisposable
{
    // Room for index, tokenizer and the like beside the weights.
    private const long Slack = 1 << 28;

    // What a folder must hold to pass for something this program wrote and may replace.
    private static readonly string[] Ours = [ConfigFile.Name, Patches.PatchFolder.InfoFile];

    private readonly string _place;
    private readonly bool _replace;
    private bool _committed;

    private FolderTarget(string place, bool replace)
    {
        _place = place;
        _replace = replace;
        Partial = Beside("partial");
        Directory.CreateDirectory(Partial);
    }

    /// <summary>Where to write.</summary>
    public string Partial { get; }

    /// <summary>Checks the place and makes the folder to be filled.</summary>
    /// <param name="source">What the result is made from; must survive.</param>
    /// <param name="place">Where the result goes.</param>
    /// <param name="overwrite">Whether a model folder there may be replaced.</param>
    /// <param name="bytes">What will be written.</param>
    /// <exception cref="InputException">The place is taken, would swallow the source, or lies on a disk without
    /// room.</exception>
    public static FolderTarget Prepare(string source, string place, bool overwrite, long bytes)
    {
        place = Check(source, place, overwrite);
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        var free = new DriveInfo(Path.GetDirectoryName(place)!).AvailableFreeSpace;
        if (free < bytes + Slack)
            throw new InputException(
                place,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"needs {(bytes + Slack) / 1e9:0.0} GB, but its disk has {free / 1e9:0.0} GB free"
                ),
                "name a folder on another disk"
            );
        return new FolderTarget(place, overwrite);
    }

    /// <summary>
    /// Checks the place and changes nothing, so that a long computation is not begun for a place that will be refused.
    /// </summary>
    /// <inheritdoc cref="Prepare"/>
    /// <returns>The place in full.</returns>
    public static string Check(string source, string place, bool overwrite)
    {
        place = Path.TrimEndingDirectorySeparator(Path.GetFullPath(place));
        var from = Path.TrimEndingDirectorySeparator(Real(Path.GetFullPath(source)));
        var to = Real(place);
        if (from == to)
            throw new InputException(
                place,
                "is the model's own folder, which is never written to",
                "name another folder"
            );
        if (to.StartsWith(from + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new InputException(
                place,
                "lies inside the model's own folder, which is never written to",
                "name another folder"
            );
        if (File.Exists(place))
            throw new InputException(place, "is a file, not a folder");
        if (!FolderAccess.CanWrite(place) || !FolderAccess.CanWrite(Path.GetDirectoryName(place)!))
            throw new InputException(place, "cannot be made: permission denied", "name a place where you may write");
        if (Directory.Exists(place) && Directory.EnumerateFileSystemEntries(place).Any())
        {
            if (!overwrite)
                throw new InputException(place, "is not empty", "name a new folder, or ask for it to be overwritten");
            if (from.StartsWith(to + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new InputException(
                    place,
                    "holds the model's own folder, which would be removed",
                    "name another folder"
                );
            if (!Ours.Any(n => File.Exists(Path.Combine(place, n))) || Directory.EnumerateDirectories(place).Any())
                throw new InputException(
                    place,
                    $"is not a plain model folder or patch (neither {string.Join(" nor ", Ours)}, or folders in it) "
                        + "and will not be removed",
                    "empty it by hand, or name another folder"
                );
        }
        return place;
    }

    /// <summary>Puts the filled folder into its place.</summary>
    public void Commit()
    {
        if (Directory.Exists(_place))
        {
            if (!Directory.EnumerateFileSystemEntries(_place).Any())
                Directory.Delete(_place);
            else if (!_replace)
                throw new InputException(_place, "was filled by someone else meanwhile", "name another folder");
            else
            {
                var old = Beside("old");
                Directory.Move(_place, old);
                Directory.Move(Partial, _place);
                _committed = true;
                Directory.Delete(old, recursive: true);
                return;
            }
        }
        Directory.Move(Partial, _place);
        _committed = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_committed && Directory.Exists(Partial))
            Directory.Delete(Partial, recursive: true);
    }

    private string Beside(string kind)
    {
        for (var i = 0; ; i++)
        {
            var path = Path.Combine(
                Path.GetDirectoryName(_place)!,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $".{Path.GetFileName(_place)}.{kind}-{Environment.ProcessId}-{i}"
                )
            );
            if (!Path.Exists(path))
                return path;
        }
    }

    // Links anywhere on the way are followed: two names of one folder must not pass for two folders.
    private static string Real(string path)
    {
        var at = Path.GetPathRoot(path)!;
        foreach (
            var part in path[at.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries)
        )
        {
            at = Path.Combine(at, part);
            if (Directory.Exists(at) && new DirectoryInfo(at).ResolveLinkTarget(returnFinalTarget: true) is { } target)
                at = target.FullName;
        }
        return Path.TrimEndingDirectorySeparator(at);
    }
}
