namespace EditUnlearn.Hub;

/// <summary>A file of a repository as the hub describes it.</summary>
/// <param name="Path">With forward slashes; checked.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Digest">What its content hashes to; also its name in the cache.</param>
internal sealed record HubFile(string Path, long Bytes, ContentDigest Digest);

/// <summary>The files of one commit.</summary>
/// <param name="Commit">40 hexadecimal digits.</param>
/// <param name="Files">In order of path.</param>
internal sealed record RepositoryListing(string Commit, IReadOnlyList<HubFile> Files);

/// <summary>A file as the lock knows it.</summary>
/// <param name="Path">With forward slashes.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">Of its content.</param>
public sealed record LockedFile(string Path, long Bytes, string Sha256);
