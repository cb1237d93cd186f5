namespace EditUnlearn.Hub;

/// <summary>Told how a download goes. Called from several threads.</summary>
public interface IPullObserver
{
    /// <summary>What will be fetched.</summary>
    /// <param name="files">How many files.</param>
    /// <param name="bytes">How many bytes are not there yet.</param>
    void Planned(int files, long bytes);

    /// <summary>A file begins, perhaps where an earlier attempt stopped.</summary>
    /// <param name="file">Its name.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="there">How many of them are there already.</param>
    void Started(string file, long bytes, long there);

    /// <summary>Bytes have arrived; a negative number takes back what has to be fetched again.</summary>
    void Advanced(string file, long bytes);

    /// <summary>A file is whole, checked and in its place.</summary>
    void Finished(string file);

    /// <summary>Something the user may want to know: a retry, a wait, files that are left out.</summary>
    void Note(string text);
}

/// <summary>Listens to nothing.</summary>
internal sealed class SilentObserver : IPullObserver
{
    /// <inheritdoc/>
    public void Planned(int files, long bytes) { }

    /// <inheritdoc/>
    public void Started(string file, long bytes, long there) { }

    /// <inheritdoc/>
    public void Advanced(string file, long bytes) { }

    /// <inheritdoc/>
    public void Finished(string file) { }

    /// <inheritdoc/>
    public void Note(string text) { }
}
