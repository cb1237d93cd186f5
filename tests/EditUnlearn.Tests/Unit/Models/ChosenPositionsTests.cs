using EditUnlearn.Models;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models;

/// <summary>A pass that finishes only some positions gives what a whole pass gives there.</summary>
public sealed class ChosenPositionsTests
{
    [Fact]
    public void States_at_chosen_positions_are_those_of_the_whole_pass_with_a_tap_and_without()
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3 },
                { 1, 7, 2, 11, 6 },
            }
        );
        var positions = tensor(new long[] { 8, 2, 4 }); // row 1 position 3, row 0 positions 2 and 4
        var whole = model.Hidden(ids).reshape(-1, model.Config.HiddenSize).index_select(0, positions);
        Tensors.Near(whole, model.Hidden(ids, positions), 1e-5, "chosen");
        Tensors.Near(
            whole,
            model.Hidden(ids, positions, new ForwardOptions { Tap = new Watching() }),
            1e-5,
            "chosen, with a tap"
        );
        Assert.Equal(
            [3L, model.Config.HiddenSize],
            model.Blocks(model.Embed(ids), 3, 3, new ForwardOptions { Positions = Positions.At(positions) }).shape
        );
    }

    [Fact]
    public void Positions_from_one_on_are_the_ends_of_all_rows_behind_any_past()
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3 },
                { 1, 7, 2, 11, 6 },
            }
        );
        var ends = new ForwardOptions { Positions = Positions.From(2) };
        var whole = model.Hidden(ids);
        Tensors.Near(whole.narrow(1, 2, 3), model.Hidden(ids, ends), 1e-5, "no past");
        var embedded = model.Embed(ids);
        Assert.Equal([2L, 3L, model.Config.HiddenSize], model.Blocks(embedded, 3, 3, ends).shape);

        // Rows go on from positions 1 and 2, so the last two columns of their ends are positions 3, 4 and 3 (and none).
        var library = model.OverLibrary();
        using var tails = Continuations.Of(library, embedded, 0, [1, 2], [5, 5]);
        var all = library.Blocks(tails.Stream, 0, 3, new ForwardOptions { Past = tails });
        var late = library.Blocks(tails.Stream, 0, 3, ends with { Past = tails });
        Tensors.Near(all.narrow(1, 2, 2), late, 1e-5, "continuations");
    }

    private sealed class Watching : ForwardTap;
}
