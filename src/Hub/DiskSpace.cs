namespace EditUnlearn.Hub;

/// <summary>How much room there is.</summary>
public static class DiskSpace
{
    /// <summary>Free bytes for this user on the disk of a folder, which need not exist yet.</summary>
    public static long Free(string folder)
    {
        for (var at = Path.GetFullPath(folder); ; at = Path.GetDirectoryName(at)!)
            if (Directory.Exists(at))
                return new DriveInfo(at).AvailableFreeSpace;
    }
}
