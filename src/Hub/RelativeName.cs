namespace EditUnlearn.Hub;

/// <summary>
/// File names that come from a server: taken only if they stay inside the folder they are meant for, on every system.
/// </summary>
internal static class RelativeName
{
    private static readonly string[] Devices =
    [
        "CON",
        "PRN",
        "AUX",
        "NUL",
        .. Enumerable.Range(1, 9).SelectMany(i => (string[])[$"COM{i}", $"LPT{i}"]),
    ];

    /// <summary>What is wrong with a name, or null.</summary>
    /// <param name="name">With forward slashes.</param>
    public static string? Complaint(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > 512)
            return "is empty or longer than 512 characters";
        if (name.Any(c => c < ' ' || c is '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|' or '\u007f'))
            return "holds a character that is not safe in a file name";
        foreach (var part in name.Split('/'))
        {
            if (part.Length == 0)
                return "is absolute or holds an empty part";
            if (part is "." or "..")
                return "leaves its folder";
            if (part[^1] is '.' or ' ' || part[0] == ' ')
                return "holds a part that begins or ends with a space or ends with a full stop";
            if (Devices.Contains(part.Split('.')[0].TrimEnd().ToUpperInvariant()))
                return "names a device";
        }
        return null;
    }
}
