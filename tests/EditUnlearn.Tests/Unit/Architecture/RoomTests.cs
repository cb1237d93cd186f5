using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Architecture;

/// <summary>Which room may know which (docs/decisions/0002-rooms.md), and what each shows to the others.</summary>
public sealed class RoomTests
{
    [Fact]
    public void Every_room_has_its_line_in_the_decision() => Assert.Equal(Rooms.Names, Allowed().Keys.Order());

    [Fact]
    public void Projects_and_assemblies_refer_to_the_rooms_of_their_line_and_to_no_other()
    {
        var allowed = Allowed();
        foreach (var room in Rooms.Names)
        {
            var projects = Rooms.ProjectReferences(room);
            var assemblies = Rooms.AssemblyReferences(room);
            Assert.True(
                projects.Concat(assemblies).All(allowed[room].Contains),
                $"{room} refers to {string.Join(", ", projects.Concat(assemblies).Except(allowed[room]))}, which its "
                    + "line in docs/decisions/0002-rooms.md does not hold"
            );
            Assert.True(
                allowed[room].All(a => projects.Contains(a) || assemblies.Contains(a)),
                $"{room} does not refer to {string.Join(", ", allowed[room].Except(projects).Except(assemblies))}, "
                    + "which its line in docs/decisions/0002-rooms.md holds"
            );
        }
    }

    [Fact]
    public void Arrows_make_no_circle()
    {
        var allowed = Allowed();
        var done = new HashSet<string>(StringComparer.Ordinal);
        while (allowed.Keys.FirstOrDefault(r => !done.Contains(r) && allowed[r].All(done.Contains)) is { } next)
            done.Add(next);
        Assert.Empty(allowed.Keys.Except(done));
    }

    [Fact]
    public void Types_that_no_other_room_uses_are_internal()
    {
        var needless = Rooms.Names.SelectMany(Rooms.NeedlesslyPublic).ToList();
        Assert.True(needless.Count == 0, "make internal:\n" + string.Join('\n', needless));
    }

    private static Dictionary<string, string[]> Allowed() =>
        File.ReadLines(Path.Combine(Checkout.Root, "docs", "decisions", "0002-rooms.md"))
            .Where(l =>
                l.StartsWith("| ", StringComparison.Ordinal) && !l.StartsWith("| room", StringComparison.Ordinal)
            )
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries))
            .ToDictionary(
                c => c[1],
                c => c[2].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                StringComparer.Ordinal
            );
}
