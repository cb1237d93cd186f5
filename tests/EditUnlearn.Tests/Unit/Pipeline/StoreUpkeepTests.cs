using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>Checking and cleaning the store, also while somebody else works on it.</summary>
public sealed class StoreUpkeepTests : IDisposable
{
    private readonly MiniStudy _study = new(
        """
        stages:
          source:
            for: { k: [p, q] }
            with:
              number: $numbers[$k]
              label: $k
          train: { for: { k: [p, q] }, in: { data: source }, with: { seed: $seed, rates: {} } }
          join: { in: { parts: train } }
        --- default
        { numbers: { p: 1, q: 2 }, seed: 3 }
        """
    );

    public void Dispose() => _study.Dispose();

    private static readonly DateTimeOffset Later = DateTimeOffset.UtcNow.AddDays(30);

    private CleaningPolicy Policy(params string[] inForce) => new() { InForce = inForce.ToHashSet(), Now = Later };

    private string[] InForce(params string[] sets)
    {
        var plan = _study.Plan(sets);
        return
        [
            .. Status
                .Of(plan, _study.Store(), _study.Keys(plan))
                .Where(s => s.State == CellState.UpToDate)
                .Select(s => s.Key!),
        ];
    }

    [Fact]
    public async Task The_time_a_cell_will_take_is_its_own_last_one_or_that_of_its_kind_on_such_a_device_or_a_guess()
    {
        ResultStore With(double guess) =>
            new(_study.Store().Artifacts)
            {
                Guesses = new Dictionary<string, double> { ["train"] = guess, ["absent"] = 3 },
            };
        var train = new CellId("train", [new("k", "q")]);
        Assert.Equal(7, With(7).ExpectedSeconds(train, "train", "cpu"));
        Assert.Null(_study.Store().ExpectedSeconds(train, "train", "cpu"));
        await _study.RunAsync();
        var seen = _study.Store().ReadManifest(_study.Store().LastKey(train)!)!;
        Assert.Equal("cpu", seen.Device);
        Assert.Equal(seen.Seconds, With(7).ExpectedSeconds(train, "train", "cpu"));
        Assert.Equal(7, With(7).ExpectedSeconds(train, "train", "cuda:1")); // a GPU is another matter
        Assert.Equal(3, With(7).ExpectedSeconds(new CellId("absent", []), "absent", "cpu"));

        // Under another profile the guess for that profile comes first, and what was seen here only where there is
        // none.
        ResultStore Of(string profile, double? guess) =>
            new(_study.Store().Artifacts)
            {
                Profile = profile,
                Guesses = guess is { } g ? new Dictionary<string, double> { ["train"] = g } : [],
            };
        Assert.Equal(7, Of("mini", 7).ExpectedSeconds(train, "train", "cpu"));
        Assert.Equal(seen.Seconds, Of("mini", null).ExpectedSeconds(train, "train", "cpu"));
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("truncate")]
    [InlineData("delete")]
    [InlineData("swap")]
    [InlineData("manifest")]
    public async Task Damage_of_any_kind_is_found_put_aside_and_only_that_is_made_again(string kind)
    {
        await _study.RunAsync();
        var store = _study.Store();
        var folder = store.ResultFolder(store.LastKey(new CellId("train", [new("k", "q")]))!);
        var file = Path.Combine(folder, kind == "manifest" ? "manifest.json" : "model.txt");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var bytes = File.ReadAllBytes(file);
        switch (kind)
        {
            case "flip": // in place: every other name of the stored file is damaged with it
                using (var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite))
                    stream.WriteByte((byte)(bytes[0] ^ 1));
                break;
            case "truncate":
                using (var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite))
                    stream.SetLength(bytes.Length - 1);
                break;
            case "delete":
                File.Delete(file);
                break;
            case "swap":
                File.Delete(file);
                File.WriteAllBytes(file, [.. bytes.Reverse()]);
                break;
            default:
                File.Delete(file);
                File.WriteAllText(file, "{ torn");
                break;
        }
        var seen = (Done: 0L, Total: 0L);
        var result = StoreCheck.Run(_study.Store(), quarantine: true, (done, total) => seen = (done, total));
        Assert.Equal(seen.Total, seen.Done);
        Assert.Equal(5, result.Results);
        var damage = Assert.Single(result.Damage);
        Assert.True(damage.Removed);
        Assert.Contains(
            kind == "manifest" ? "manifest.json: is not a manifest" : "train[q]/model.txt: ",
            damage.Message,
            StringComparison.Ordinal
        );
        await _study.RunAsync();
        Assert.Equal(["train[q]"], _study.Fakes.Ran);
        Assert.Empty(StoreCheck.Run(_study.Store(), quarantine: true).Damage);
        Assert.Equal(bytes, kind == "manifest" ? bytes : File.ReadAllBytes(Path.Combine(folder, "model.txt")));
        Assert.Empty((await _study.RunAsync()).Cells.Where(c => c.Outcome == Outcome.Executed));
    }

    [Fact]
    public async Task Forced_a_damaged_result_of_the_same_length_is_replaced_with_good_bytes()
    {
        await _study.RunAsync();
        var store = _study.Store();
        var file = Path.Combine(store.ResultFolder(store.LastKey(new CellId("train", [new("k", "q")]))!), "model.txt");
        var bytes = File.ReadAllBytes(file);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite))
            stream.WriteByte((byte)(bytes[0] ^ 1));
        var forced = await _study.RunAsync(
            new RunOptions
            {
                Jobs = 1,
                Force = new HashSet<CellId> { new("train", [new("k", "q")]) },
            }
        );
        Assert.DoesNotContain(forced.Cells, c => c.Nondeterministic);
        Assert.Equal(bytes, File.ReadAllBytes(file));
        Assert.Empty(StoreCheck.Run(_study.Store(), quarantine: false).Damage);
    }

    [Fact]
    public async Task A_stored_file_of_no_result_is_checked_by_its_name()
    {
        await _study.RunAsync();
        Directory.CreateDirectory(_study["artifacts/.store/objects/ab"]);
        File.WriteAllText(_study[$"artifacts/.store/objects/ab/{new string('a', 64)}"], "other");
        var damage = Assert.Single(StoreCheck.Run(_study.Store(), quarantine: true).Damage);
        Assert.Null(damage.Cell);
        Assert.Contains("no result has it", damage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cleaning_takes_old_results_that_no_settings_use_and_frees_what_nobody_shares()
    {
        await _study.RunAsync();
        await _study.RunAsync(null, "seed=4");
        var inForce = InForce("seed=4");
        Assert.Equal(5, inForce.Length);
        var cleaning = StoreCleaner.Plan(_study.Store(), Policy(inForce));
        Assert.Equal(["join", "train[p]", "train[q]"], cleaning.Results.Select(r => r.Manifest.Cell));
        Assert.Equal(5, cleaning.Kept);
        Assert.Empty(StoreCleaner.Plan(_study.Store(), Policy(inForce) with { Keep = TimeSpan.FromDays(40) }).Results);

        var before = StoreListing.BytesOnDisk(StoreListing.Of(_study.Store()));
        using (StoreUse.TryExclusive(_study.Store()))
            StoreCleaner.Remove(_study.Store(), cleaning);
        Assert.Equal(before - cleaning.ResultBytes, StoreListing.BytesOnDisk(StoreListing.Of(_study.Store())));
        var objects = Directory
            .EnumerateFiles(_study["artifacts/.store/objects"], "*", SearchOption.AllDirectories)
            .Sum(f => new FileInfo(f).Length);
        Assert.Equal(before - cleaning.ResultBytes, objects);
        Assert.Empty(StoreCheck.Run(_study.Store(), quarantine: false).Damage);
        await _study.RunAsync(null, "seed=4");
        Assert.Empty(_study.Fakes.Ran);
        await _study.RunAsync();
        // the two trainings start together
        Assert.Equal(["join", "train[p]", "train[q]"], _study.Fakes.Ran.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("scratch")]
    [InlineData("slurm")] // jobs whose run never came back for them
    [InlineData("quarantine/results")]
    public async Task Cleaning_takes_what_old_attempts_left_and_leaves_what_is_younger(string part)
    {
        await _study.RunAsync();
        var (old, young) = ($"artifacts/.store/{part}/old", $"artifacts/.store/{part}/young");
        foreach (var folder in (string[])[old, young])
        {
            Directory.CreateDirectory(_study[folder]);
            File.WriteAllText(_study[folder + "/x"], "12345");
        }
        Directory.SetLastWriteTimeUtc(_study[old], DateTime.UtcNow.AddDays(-20));
        using (StoreUse.TryExclusive(_study.Store()))
            StoreCleaner.Remove(
                _study.Store(),
                StoreCleaner.Plan(_study.Store(), new CleaningPolicy { Now = DateTimeOffset.UtcNow })
            );
        Assert.False(Directory.Exists(_study[old]));
        Assert.True(File.Exists(_study[young + "/x"]));
    }

    [Fact]
    public async Task A_size_limit_takes_the_oldest_first_and_stops_where_it_is_kept_to()
    {
        for (var seed = 1; seed <= 4; seed++)
            await _study.RunAsync(null, $"seed={seed}");
        var all = StoreListing.BytesOnDisk(StoreListing.Of(_study.Store()));
        var cleaning = StoreCleaner.Plan(
            _study.Store(),
            new CleaningPolicy
            {
                InForce = InForce("seed=4").ToHashSet(),
                Now = DateTimeOffset.UtcNow,
                MaxBytes = all - 1,
            }
        );
        Assert.Single(cleaning.Results);
        Assert.True(cleaning.KeptBytes <= all - 1);
        Assert.DoesNotContain(cleaning.Results, r => InForce("seed=4").Contains(r.Manifest.Key));
        // What is in force is not sacrificed to a limit.
        Assert.Equal(
            5,
            StoreCleaner
                .Plan(
                    _study.Store(),
                    new CleaningPolicy
                    {
                        InForce = InForce("seed=4").ToHashSet(),
                        Now = DateTimeOffset.UtcNow,
                        MaxBytes = 0,
                    }
                )
                .Kept
        );
        Assert.Equal(
            0,
            StoreCleaner
                .Plan(
                    _study.Store(),
                    new CleaningPolicy
                    {
                        InForce = InForce("seed=4").ToHashSet(),
                        Now = DateTimeOffset.UtcNow,
                        MaxBytes = 0,
                        Everything = true,
                    }
                )
                .Kept
        );
    }

    [Fact]
    public async Task Nothing_reachable_is_ever_removed_whatever_the_history()
    {
        var draw = new Seed(11).Stream("histories");
        for (var history = 0; history < 12; history++)
        {
            for (var step = 0; step < 2; step++)
                await _study.RunAsync(null, $"seed={draw.Below(4)}", $"numbers.p={draw.Below(2)}");
            string[] current = [$"seed={draw.Below(4)}", $"numbers.p={draw.Below(2)}"];
            await _study.RunAsync(null, current);
            var wanted = InForce(current);
            using (StoreUse.TryExclusive(_study.Store()))
                StoreCleaner.Remove(_study.Store(), StoreCleaner.Plan(_study.Store(), Policy(wanted)));
            Assert.Equal(wanted, InForce(current));
            Assert.Empty(StoreCheck.Run(_study.Store(), quarantine: false).Damage);
            Assert.Equal(5, _study.Store().Keys().Count);
            // The readable view points to what is there.
            Assert.StartsWith(
                "train[p]=",
                File.ReadAllText(_study["artifacts/join/joined.txt"]),
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public async Task A_run_and_a_cleaning_never_meet()
    {
        _study.Fakes.Before["join"] = _ =>
        {
            Assert.Null(StoreUse.TryExclusive(_study.Store()));
            Assert.Contains(
                $"process {Environment.ProcessId} on ",
                Assert.Single(StoreUse.Runs(_study.Store())),
                StringComparison.Ordinal
            );
        };
        Assert.Equal(5, (await _study.RunAsync()).Count(Outcome.Executed));
        Assert.Empty(StoreUse.Runs(_study.Store()));
        Task<RunResult> run;
        using (StoreUse.TryExclusive(_study.Store()))
        {
            run = _study.RunAsync();
            await Task.Delay(200);
            Assert.False(run.IsCompleted);
        }
        Assert.Equal(5, (await run).Count(Outcome.UpToDate));
        // Two runs side by side are fine.
        using (await StoreUse.ShareAsync(_study.Store(), CancellationToken.None))
            Assert.Equal(5, (await _study.RunAsync()).Count(Outcome.UpToDate));
    }

    [Fact]
    public async Task A_stage_that_gives_other_bytes_under_the_same_key_is_reported_and_its_first_result_stays()
    {
        var times = 0;
        _study.Fakes.Before["source"] = io =>
        {
            Directory.CreateDirectory(io.Output("more"));
            File.WriteAllText(Path.Combine(io.Output("more"), "when.txt"), $"{times++}");
        };
        await _study.RunAsync();
        var first = File.ReadAllText(_study["artifacts/source/p/more/when.txt"]);
        var again = await _study.RunAsync(
            new RunOptions { Jobs = 1, Force = _study.Plan().Cells.Select(c => c.Id).ToHashSet() }
        );
        Assert.Equal(
            ["source[p]", "source[q]"],
            again.Cells.Where(c => c.Nondeterministic).Select(c => c.Cell.Text).Order(StringComparer.Ordinal)
        );
        Assert.Equal(first, File.ReadAllText(_study["artifacts/source/p/more/when.txt"]));
        Assert.Empty((await _study.RunAsync()).Cells.Where(c => c.Outcome == Outcome.Executed));
    }
}
