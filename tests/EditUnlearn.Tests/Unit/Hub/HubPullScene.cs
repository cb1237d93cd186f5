using System.Collections.Concurrent;
using EditUnlearn.Foundation;
using EditUnlearn.Hub;
using EditUnlearn.Tests.Support;
using static EditUnlearn.Tests.Support.HubServer;

namespace EditUnlearn.Tests.Unit.Hub;

/// <summary>A repository on a server on loopback, and a pull of it.</summary>
public abstract class HubPullScene : IDisposable
{
    protected const string Route = "models/org/tiny";
    protected const string Commit = "0123456789abcdef0123456789abcdef01234567";
    protected const string Weights = "model.safetensors";
    protected static readonly RepositoryId Tiny = RepositoryId.Parse(RepositoryType.Model, "org/tiny");

    protected HubServer Server { get; } = new();

    protected TemporaryFolder Folder { get; } = new();

    protected ConcurrentQueue<TimeSpan> Pauses { get; } = new();

    protected ConcurrentQueue<string> Notes { get; } = new();

    protected byte[] Content { get; } = Bytes(300_000, 1);

    protected HubPullScene() =>
        Server.Repositories[Route] = (
            Commit,
            new()
            {
                [Weights] = Content,
                ["config.json"] = "{}"u8.ToArray(),
                ["nested/folder/vocab.json"] = "[]"u8.ToArray(),
                ["README.md"] = "read me"u8.ToArray(),
                ["pytorch_model.bin"] = Bytes(50, 2),
                ["empty.txt"] = [],
            }
        );

    public void Dispose()
    {
        Server.Dispose();
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected HubSettings Settings =>
        new()
        {
            Endpoint = Server.Endpoint,
            Cache = Folder["hub"],
            Token = "hf_secret",
            DownloadTimeout = TimeSpan.FromSeconds(5),
            EtagTimeout = TimeSpan.FromSeconds(5),
        };

    protected string Blob => Path.Combine(Folder["hub"], Tiny.Folder, "blobs", Sha256(Content));

    protected string Snapshot => Path.Combine(Folder["hub"], Tiny.Folder, "snapshots", Commit);

    protected static byte[] Bytes(int count, ulong seed)
    {
        var draw = new Seed(seed).Stream("hub");
        return [.. Enumerable.Range(0, count).Select(_ => (byte)draw.Below(256))];
    }

    protected static bool IsFile(Request request) => request.Path.EndsWith(Weights, StringComparison.Ordinal);

    protected async Task<PullResult> Pull(
        HubSettings? settings = null,
        PullRequest? request = null,
        Func<string, long>? free = null,
        CancellationToken cancelled = default
    )
    {
        var retry = new RetryPolicy
        {
            Wait = (pause, stop) =>
            {
                Pauses.Enqueue(pause);
                return Task.Delay(1, stop);
            },
        };
        using var hub = new HubPull(settings ?? Settings, new Observer(Notes), retry, freeBytes: free);
        return await hub.RunAsync(
            request ?? new PullRequest(Tiny, "main", NamePatterns.ForModels) { LockFile = Folder[PullLock.FileName] },
            cancelled
        );
    }

    private sealed class Observer(ConcurrentQueue<string> notes) : IPullObserver
    {
        public void Planned(int files, long bytes) { }

        public void Started(string file, long bytes, long there) => notes.Enqueue($"{file} at {there}");

        public void Advanced(string file, long bytes) { }

        public void Finished(string file) { }

        public void Note(string text) => notes.Enqueue(text);
    }

    protected void WholeAndClean()
    {
        Assert.Equal(Content, File.ReadAllBytes(Path.Combine(Snapshot, Weights)));
        Assert.Empty(Directory.EnumerateFiles(Folder["hub"], "*.incomplete*", SearchOption.AllDirectories));
    }
}
