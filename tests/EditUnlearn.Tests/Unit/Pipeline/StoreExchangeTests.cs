using System.Text;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Results that go to a folder and come back.</summary>
public sealed class StoreExchangeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ResultStore Store(string name) => new(_folder[name]);

    private static string Add(ResultStore store, int number)
    {
        var key = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(number))
        );
        var staging = Path.Combine(store.Folder, "scratch", key + ".1.out");
        Directory.CreateDirectory(Path.Combine(staging, "out"));
        File.WriteAllText(Path.Combine(staging, "out", "own.txt"), $"number {number}");
        File.WriteAllText(Path.Combine(staging, "out", "same.txt"), "the same in all");
        store.Publish(
            staging,
            new Manifest
            {
                Cell = $"cell[{number}]",
                Stage = "cell",
                Key = key,
                Code = "code",
                Parameters = [],
                Inputs = [],
                Outputs = [StoredOutput.Of(staging, "out")],
                Started = "2026-01-01T00:00:00Z",
            }
        );
        return key;
    }

    private Exchange Pull(ResultStore store) =>
        StoreExchange.Pull(store, _folder["remote"], StoreExchange.Look(_folder["remote"]).Manifests);

    [Fact]
    public void What_is_there_is_not_copied_again_and_shared_bytes_once()
    {
        var here = Store("here");
        var keys = Enumerable.Range(0, 3).Select(i => Add(here, i)).ToList();
        var sent = StoreExchange.Push(here, _folder["remote"], keys);
        Assert.Equal((3, 0, 3 * 8L + 15), (sent.Results, sent.Present, sent.Bytes));
        Assert.Equal((0, 3, 0L), Three(StoreExchange.Push(here, _folder["remote"], keys)));

        var there = Store("there");
        Assert.Equal((3, 0, 3 * 8L + 15), Three(Pull(there)));
        Assert.Equal((0, 3, 0L), Three(Pull(there)));
        Assert.Empty(there.Verify());
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(here.ResultFolder(keys[0]), "manifest.json")),
            File.ReadAllBytes(Path.Combine(there.ResultFolder(keys[0]), "manifest.json"))
        );
    }

    private static (int, int, long) Three(Exchange e) => (e.Results, e.Present, e.Bytes);

    [Fact]
    public void A_pull_that_was_cut_leaves_nothing_that_looks_complete_and_the_next_goes_on()
    {
        var here = Store("here");
        StoreExchange.Push(here, _folder["remote"], [.. Enumerable.Range(0, 5).Select(i => Add(here, i))]);
        var there = Store("there");
        var copied = 0L;
        for (var stopAt = 1; stopAt <= 5; stopAt++)
        {
            using var stop = new CancellationTokenSource();
            var manifests = StoreExchange.Look(_folder["remote"]).Manifests;
            Assert.Throws<OperationCanceledException>(() =>
                StoreExchange.Pull(
                    there,
                    _folder["remote"],
                    manifests,
                    (done, _) =>
                    {
                        if (done >= stopAt - 1)
                            stop.Cancel();
                    },
                    stop.Token
                )
            );
            Assert.Equal(stopAt - 1, there.Keys().Count);
            Assert.Empty(there.Verify());
        }
        var rest = Pull(there);
        Assert.Equal((1, 4), (rest.Results, rest.Present));
        copied += rest.Bytes;
        Assert.Equal(8, copied); // the shared bytes were there
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Bytes_that_went_bad_over_there_are_refused_and_the_rest_arrives(bool manifest)
    {
        var here = Store("here");
        var keys = Enumerable.Range(0, 2).Select(i => Add(here, i)).ToList();
        StoreExchange.Push(here, _folder["remote"], keys);
        var hash = here.ReadManifest(keys[0])!.Outputs[0].Files.Single(f => f.Path == "own.txt").Hash;
        var file = manifest
            ? _folder[$"remote/results/{keys[0]}.json"]
            : _folder[$"remote/objects/{hash[..2]}/{hash}"];
        var bytes = File.ReadAllBytes(file);
        // In the value of a field, and in the middle of the text.
        var at = manifest ? Encoding.UTF8.GetString(bytes).IndexOf("\"code\": ", StringComparison.Ordinal) + 10 : 3;
        bytes[at] ^= 1;
        File.Delete(file);
        File.WriteAllBytes(file, bytes);
        var there = Store("there");
        var (manifests, damage) = StoreExchange.Look(_folder["remote"]);
        var pulled = StoreExchange.Pull(there, _folder["remote"], manifests);
        Assert.Contains("holds other bytes", Assert.Single([.. damage, .. pulled.Damage]), StringComparison.Ordinal);
        Assert.Equal([keys[1]], there.Keys());
        Assert.Empty(there.Verify());
        // Sent again it is whole again.
        File.Delete(file);
        File.Delete(_folder[$"remote/results/{keys[0]}.json"]);
        StoreExchange.Push(here, _folder["remote"], keys);
        Assert.Equal(1, Pull(there).Results);
    }

    [Fact]
    public void A_folder_that_nobody_pushed_to_is_refused() =>
        Assert.Throws<InputException>(() => StoreExchange.Look(_folder["nowhere"]));
}
