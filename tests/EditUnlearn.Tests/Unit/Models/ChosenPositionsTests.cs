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
        var embedded = model.Embed(ids);
        Assert.Equal(
            [3L, model.Config.HiddenSize],
            model.Blocks(embedded, 3, 3, new ForwardOptions { Only = positions }).shape
        );
        Assert.Throws<ArgumentException>(() =>
            model.Blocks(embedded, 0, 3, new ForwardOptions { Only = positions, KeepFrom = 2 })
        );
    }

    private sealed class Watching : ForwardTap;
}
