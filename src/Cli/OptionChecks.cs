using EditUnlearn.Foundation;

namespace EditUnlearn.Cli;

/// <summary>What is wrong with the options of a command line, gathered so that all of it is said at once.</summary>
internal sealed class OptionChecks
{
    private readonly List<InputProblem> _problems = [];

    /// <summary>Notes a problem unless something holds.</summary>
    /// <param name="holds">What must be so.</param>
    /// <param name="option">As typed: <c>--seed</c>.</param>
    /// <param name="message">Without a full stop.</param>
    /// <param name="hint">What to do, or null.</param>
    public OptionChecks That(bool holds, string option, FormattableString message, string? hint = null)
    {
        if (!holds)
            _problems.Add(new InputProblem(option, 0, 0, FormattableString.Invariant(message), hint));
        return this;
    }

    /// <summary>A number has a smallest value.</summary>
    public OptionChecks AtLeast(string option, long value, long least) =>
        That(value >= least, option, $"must be at least {least}, not {value}");

    /// <summary>A number has bounds, both allowed.</summary>
    public OptionChecks Between(string option, double value, double least, double most) =>
        That(value >= least && value <= most, option, $"must lie between {least} and {most}, not {value}");

    /// <summary>
    /// A file can be written there: a long computation must not end with a folder that is not there. Null is no file.
    /// </summary>
    public OptionChecks File(string option, string? path)
    {
        if (path is null)
            return this;
        var parent = Path.GetDirectoryName(Path.GetFullPath(path));
        That(Directory.Exists(parent), option, $"the folder {parent} does not exist");
        return That(!Directory.Exists(path), option, $"{path} is a folder", "name a file in it");
    }

    /// <summary>Goes on only when nothing is wrong.</summary>
    /// <exception cref="InputException">All that is.</exception>
    public void Demand()
    {
        if (_problems.Count > 0)
            throw new InputException(_problems);
    }
}
