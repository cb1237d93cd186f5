using EditUnlearn.Foundation;

namespace EditUnlearn.Hub;

/// <summary>What a repository of the hub holds.</summary>
public enum RepositoryType
{
    /// <summary>A model.</summary>
    Model,

    /// <summary>A data set.</summary>
    Dataset,
}

/// <summary>A repository of the hub: <c>org/name</c>, or for a few old ones just <c>name</c>.</summary>
/// <param name="Type">Model or data set.</param>
/// <param name="Name"><c>org/name</c>.</param>
public sealed record RepositoryId(RepositoryType Type, string Name)
{
    /// <summary>Checks and wraps a name.</summary>
    /// <exception cref="InputException">It cannot be a repository's name.</exception>
    public static RepositoryId Parse(RepositoryType type, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var parts = name.Split('/');
        bool Fits(string part) =>
            part.Length is > 0 and <= 96
            && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')
            && part[0] is not ('-' or '.')
            && part[^1] is not ('-' or '.')
            && !part.Contains("..", StringComparison.Ordinal)
            && !part.Contains("--", StringComparison.Ordinal);
        return parts.Length is 1 or 2 && parts.All(Fits)
            ? new RepositoryId(type, name)
            : throw new InputException(
                name,
                "is not the name of a repository",
                "for example meta-llama/Llama-2-7b-chat-hf"
            );
    }

    /// <summary>Its folder in the cache: <c>models--org--name</c>.</summary>
    public string Folder => $"{Plural}--{Name.Replace("/", "--", StringComparison.Ordinal)}";

    /// <summary>Where its files are: <c>org/name</c>, <c>datasets/org/name</c>.</summary>
    public string Route => Type == RepositoryType.Dataset ? $"datasets/{Name}" : Name;

    /// <summary>Where the hub describes it: <c>api/models/org/name</c>.</summary>
    public string ApiRoute => $"api/{Plural}/{Name}";

    /// <summary>Its page, for people.</summary>
    public Uri Page(Uri endpoint) => new(endpoint, Route);

    /// <inheritdoc/>
    public override string ToString() => Route;

    private string Plural => Type == RepositoryType.Dataset ? "datasets" : "models";
}
