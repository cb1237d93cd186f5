using EditUnlearn.Models;
using EditUnlearn.Models.Kernels;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Unit.Models;

/// <summary>Packed weights live as long as somebody multiplies by them, whoever made them.</summary>
public sealed class HeldWeightsTests
{
    [Fact]
    public void A_copy_outlives_the_holder_that_made_it_while_somebody_has_it()
    {
        using var model = TinyModels.Lively();
        var name = CausalLm.DownProjName(1);
        var held = model.Hold();
        var packed = model.Packed(name, null, back: false)!;
        var (weight, x) = (model.Weight(name), randn(5, model.Weight(name).shape[1]));
        var expected = Linear.OwnProduct(x, weight);
        held.Dispose();
        // Whoever asks for memory now would get what was freed.
        using var other = full(weight.numel() * 2, 7f);
        Assert.Equal(Numbers(expected), Numbers(Linear.OwnProduct(x, weight, packed)));
        packed.Dispose();
        Assert.Null(model.Packed(name, null, back: false));
    }

    [Fact]
    public void A_changed_weight_is_packed_anew_and_the_old_copy_stays_with_those_who_have_it()
    {
        using var model = TinyModels.Lively();
        using var held = model.Hold();
        var name = CausalLm.DownProjName(1);
        var weight = model.Weight(name);
        var x = randn(5, weight.shape[1]);
        using var old = model.Packed(name, null, back: false)!;
        var before = Linear.OwnProduct(x, weight);
        using (no_grad())
            weight.mul_(2);
        model.Changed(name);
        using var fresh = model.Packed(name, null, back: false)!;
        Assert.Equal(Numbers(before), Numbers(Linear.OwnProduct(x, weight, old)));
        Assert.Equal(Numbers(Linear.OwnProduct(x, weight)), Numbers(Linear.OwnProduct(x, weight, fresh)));
    }

    [Fact]
    public async Task Threads_that_open_and_close_do_not_disturb_those_that_compute()
    {
        using var model = TinyModels.Lively(words: 997);
        using var ids = Tensors.Ids([.. Enumerable.Range(1, 12)]);
        var expected = Logits(model, ids);
        using var done = new CancellationTokenSource();
        var openers = Enumerable
            .Range(0, 2)
            .Select(_ =>
                Task.Run(() =>
                {
                    while (!done.IsCancellationRequested)
                        using (model.Hold())
                            Logits(model, ids);
                })
            )
            .ToList();
        for (var i = 0; i < 300; i++)
            Assert.Equal(expected, Logits(model, ids));
        await done.CancelAsync();
        await Task.WhenAll(openers);
    }

    private static float[] Logits(CausalLm model, Tensor ids)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        return Numbers(model.Forward(ids));
    }

    private static float[] Numbers(Tensor t) => t.detach().data<float>().ToArray();
}
