using System.Diagnostics;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

/// <summary>The lock in git: what merges, what conflicts, what a clone without results can tell.</summary>
public sealed class LockFilesTests : IDisposable
{
    private const string Study = """
        stages:
          source: { for: { k: [a, b, c, d, e, f] }, with: { number: $n } }
          train:
            for: { k: [a, b, c, d, e, f] }
            in: { data: source }
            with: { seed: $seed, rates: { steps: $steps } }
          join: { in: { parts: train } }
        --- default
        { n: 1, seed: 3, steps: 10, device: cpu }
        """;
    private readonly TemporaryFolder _folder = new();
    private readonly FakeStages _fakes = new();

    public void Dispose() => _folder.Dispose();

    private Plan Plan(params string[] sets) =>
        PlanBuilder.Build(StudyText.Parse(Study, _folder.Path), _fakes.Catalog, new PlanRequest(null, sets));

    private KeyResolver Keys(Plan plan) =>
        new(plan, new CodeIdentity(AppContext.BaseDirectory), new FileHashes(_folder["files.json"]));

    // A lock of results that need not be there: hashes are invented, keys follow from them.
    private Dictionary<CellId, LockEntry> Made(Plan plan, Func<CellId, string> content)
    {
        var (keys, made) = (Keys(plan), new Dictionary<CellId, LockEntry>());
        foreach (var cell in plan.Cells)
            made.Add(
                cell.Id,
                new LockEntry(
                    keys.Of(cell, id => made[id].Outputs).Key,
                    cell.Stage.Info.Outputs.ToDictionary(o => o, o => CodeIdentity.Sha256(content(cell.Id) + o))
                )
            );
        return made;
    }

    [Theory]
    [InlineData("n=2", "source[a]")]
    [InlineData("seed=4", "train[a]")]
    [InlineData("steps=11", "train[f]")]
    [InlineData("device=cuda", "train[c]")]
    public void A_study_without_results_is_told_from_the_one_that_was_locked(string set, string drifted)
    {
        var plan = Plan();
        Assert.Equal((13, 0), LockFiles.Write(plan, Made(plan, id => id.Text)));
        Assert.Equal((0, 0), LockFiles.Write(plan, Made(plan, id => id.Text)));
        Assert.Empty(LockFiles.Compare(plan, Keys(plan)));
        var other = Plan(set);
        Assert.Contains(LockFiles.Compare(other, Keys(other)), d => d.Cell.Text == drifted);
        File.Delete(_folder["locks/default/join.json"]);
        Assert.Equal(["join"], LockFiles.Compare(plan, Keys(plan)).Select(d => d.Cell.Text));
        File.WriteAllText(_folder["locks/default/train/a.json"], "<<<<<<< ours\n{}\n");
        Assert.Contains(
            "is not a lock",
            Assert.Throws<InputException>(() => LockFiles.Compare(plan, Keys(plan))).Message,
            StringComparison.Ordinal
        );
    }

    [ProgramFact("git")]
    public void Branches_that_change_different_stages_merge() => Merge(8);

    [SlowFact("some hundred calls of git")]
    [Trait("Category", "Slow")]
    public void A_hundred_pairs_of_branches_that_change_different_stages_merge() => Merge(100);

    private void Merge(int pairs)
    {
        var plan = Plan();
        var made = Made(plan, id => id.Text);
        LockFiles.Write(plan, made);
        Git("init", "-q", "-b", "main");
        Git("add", "-A");
        Git("commit", "-qm", "lock");
        var draw = new Seed(24).Stream("merge");
        for (var i = 0; i < pairs; i++)
        {
            var cells = plan.Cells.Select(c => c.Id).ToList();
            draw.Shuffle(cells);
            var cut = 1 + draw.Below(cells.Count - 2);
            Branch($"a{i}", cells[..cut]);
            Branch($"b{i}", cells[cut..(cut + 1 + draw.Below(cells.Count - cut))]);
            Assert.Equal(0, Git("merge", "-q", "-m", "merge", $"a{i}"));
            Assert.Equal(0, Git("checkout", "-q", "main"));
        }

        // The same stage in both: a conflict in one small file.
        Branch("same-a", [plan.Cells[0].Id]);
        Branch("same-b", [plan.Cells[0].Id]);
        Assert.NotEqual(0, Git("merge", "-q", "-m", "merge", "same-a"));
        Assert.Equal("locks/default/source/a.json\n", Said("diff", "--name-only", "--diff-filter=U"));
        LockFiles.Write(plan, made); // as repro and lock would
        Assert.Empty(LockFiles.Compare(plan, Keys(plan)));

        void Branch(string name, List<CellId> changed)
        {
            Git("checkout", "-q", "-b", name, "main");
            LockFiles.Write(
                plan,
                made.ToDictionary(
                    m => m.Key,
                    m =>
                        changed.Contains(m.Key)
                            ? m.Value with { Key = CodeIdentity.Sha256(name + m.Key.Text) }
                            : m.Value
                )
            );
            Git("commit", "-qam", name);
        }
    }

    private int Git(params string[] arguments)
    {
        using var git = Started(arguments);
        git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return git.ExitCode;
    }

    private string Said(params string[] arguments)
    {
        using var git = Started(arguments);
        var said = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        return said;
    }

    private Process Started(string[] arguments) =>
        Process.Start(
            new ProcessStartInfo("git", ["-c", "user.name=a", "-c", "user.email=a@b", .. arguments])
            {
                WorkingDirectory = _folder.Path,
                RedirectStandardOutput = true,
            }
        )!;
}
