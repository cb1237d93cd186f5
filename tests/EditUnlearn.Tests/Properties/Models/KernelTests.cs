using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Kernels;
using EditUnlearn.Models.Training;
using EditUnlearn.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Properties.Models;

/// <summary>
/// The kernels do what the library does, forwards and backwards, and their bits depend on nothing but the numbers.
/// </summary>
public sealed class KernelTests
{
    public static TheoryData<int, int, int> Shapes =>
        new()
        {
            { 1, 1, 1 },
            { 1, 70, 33 },
            { 5, 16, 8 },
            { 6, 64, 9 },
            { 7, 65, 31 },
            { 13, 129, 1030 },
            { 130, 48, 70 },
        };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Products_are_the_librarys_whichever_way_the_matrices_lie(int m, int n, int k)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Random(m, k, "a"), Random(k, n, "b"));
        var expected = matmul(a.to(ScalarType.Float64), b.to(ScalarType.Float64)).to(ScalarType.Float32);
        foreach (var turned in new[] { (false, false), (true, false), (false, true), (true, true) })
        {
            var c = ones(m, n);
            Multiply(a, b, c, turned.Item1, turned.Item2, add: true);
            Tensors.Near(expected + 1, c, 1e-6, $"{turned}");
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Wide_and_narrow_vectors_give_the_same_bits(int m, int n, int k)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Random(m, k, "a"), Random(k, n, "b"));
        var (wide, narrow) = (zeros(m, n), zeros(m, n));
        Multiply(a, b, wide, false, true, add: false);
        var before = MatrixProduct.Wide;
        try
        {
            MatrixProduct.Wide = false;
            Multiply(a, b, narrow, false, true, add: false);
        }
        finally
        {
            MatrixProduct.Wide = before;
        }
        Assert.True(Tensors.SameBits(wide, narrow));
    }

    [Theory]
    [InlineData(7, 1030, 1100, 2)]
    [InlineData(600, 70, 200, 3)]
    [InlineData(260, 260, 130, 2)]
    [InlineData(1, 4100, 2100, 4)]
    public void Products_on_several_threads_have_the_bits_of_one(int m, int n, int k, int threads)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(1, ProductThreads.Count);
        var (a, w) = (Random(m, k, "a"), Random(n, k, "w"));
        using var packed = Linear.Pack(w, back: false);
        foreach (var add in new[] { false, true })
        {
            Tensor Product(bool turned)
            {
                var c = ones(m, n);
                Multiply(a, w.t(), c, turned, true, add);
                return c;
            }
            Tensor[] All() => [Product(false), Product(true), Linear.OwnProduct(a, w, packed)];
            var alone = All();
            using var spread = ProductThreads.Use(threads);
            Assert.True(ProductThreads.Spreads((long)m * n * k), "too small to be spread");
            // Threads that this one starts do not spread again what is spread.
            var elsewhere = 0;
            var other = new Thread(() => elsewhere = ProductThreads.Count);
            other.Start();
            other.Join();
            Assert.Equal(1, elsewhere);
            Assert.All(alone.Zip(All()), p => Assert.True(Tensors.SameBits(p.First, p.Second)));
        }
        Assert.Equal(1, ProductThreads.Count);
    }

    [Fact]
    public void A_row_of_a_product_has_the_bits_it_has_alone()
    {
        using var scope = NewDisposeScope();
        var (a, b) = (Random(40, 50, "a"), Random(50, 70, "b"));
        var all = zeros(40, 70);
        Multiply(a, b, all, false, true, add: false);
        for (var r = 0; r < 40; r += 7)
        {
            var alone = zeros(1, 70);
            Multiply(a.narrow(0, r, 1).contiguous(), b, alone, false, true, add: false);
            Assert.True(Tensors.SameBits(all.narrow(0, r, 1), alone), $"row {r}");
        }
    }

    [Fact]
    public void A_row_of_a_batch_has_the_bits_it_has_alone_with_padding_on_either_side()
    {
        using var model = TinyModels.Lively();
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var draw = new Seed(3).Stream("ids");
        for (var trial = 0; trial < 10; trial++)
        {
            long[] row = [1, .. Enumerable.Range(0, 4 + trial).Select(_ => 3L + draw.Below(90))];
            var alone = model.Forward(tensor(row).unsqueeze(0))[0];
            var width = row.Length + 5;
            var ids = zeros(3, width, ScalarType.Int64);
            var real = ones(3, width, ScalarType.Int64);
            for (var t = 0; t < width; t++)
                (ids[0, t], ids[2, t]) = (3 + draw.Below(90), 3 + draw.Below(90));
            ids[1].narrow(0, 5, row.Length).copy_(tensor(row));
            // Behind its company, without a mask: padding on the right is not looked at.
            var right = ids.clone();
            right[1].narrow(0, 0, row.Length).copy_(tensor(row));
            Assert.True(Tensors.SameBits(alone, model.Forward(right)[1].narrow(0, 0, row.Length)));
            real[1].narrow(0, 0, 5).zero_();
            var left = model.Blocks(model.Embed(ids), 0, 1, new ForwardOptions { AttentionMask = real });
            Assert.True(left.isfinite().all().ToBoolean());
        }
    }

    // What families do their own way, alone and together.
    private static readonly Dictionary<string, Func<ModelConfig, ModelConfig>> Ways = new(StringComparer.Ordinal)
    {
        ["plain"] = c => c,
        ["window"] = c => c with { SlidingWindow = 4 },
        ["window above"] = c => c with { SlidingWindow = 4, WindowedFrom = 1 },
        ["biases of q, k, v"] = c => c with { AttentionBias = true },
        ["all biases"] = c => c with { AttentionBias = true, OutputBias = true, MlpBias = true },
        ["norms of heads"] = c => c with { QkNorm = true },
        ["wide heads"] = c => c with { QkNorm = true, HeadDim = 12 },
        ["tied, linear"] = c => c with { TieWordEmbeddings = true, RopeScaling = new LinearRopeScaling(4) },
        ["several"] = c => c with { QkNorm = true, MlpBias = true, SlidingWindow = 3, WindowedFrom = 2, HeadDim = 10 },
    };

    public static TheoryData<string> Wirings => [.. Ways.Keys];

    [Theory]
    [MemberData(nameof(Wirings))]
    public void A_pass_and_its_gradients_are_the_librarys(string way)
    {
        using var model = TinyModels.Lively(Ways[way](TinyModels.Llama().Config));
        using var scope = NewDisposeScope();
        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3, 8, 22 },
                { 0, 0, 7, 2, 11, 6, 31 },
            }
        );
        var mask = tensor(
            new long[,]
            {
                { 1, 1, 1, 1, 1, 1, 1 },
                { 0, 0, 1, 1, 1, 1, 1 },
            }
        );
        foreach (
            var options in new ForwardOptions[]
            {
                new(),
                new() { AttentionMask = mask },
                new() { Positions = Positions.From(3) },
                new() { Positions = Positions.At(tensor(new long[] { 3, 12, 6, 10 })), AttentionMask = mask },
                new() { Positions = Positions.At(tensor(new long[] { 3, 12, 6, 10 })) },
            }
        )
            Same(model, ids, options);
    }

    // Rows that begin alike are laid end to end, their beginning once: nobody can tell, but for the time.
    [Theory]
    [InlineData(1, 9)]
    [InlineData(2, 12)]
    [InlineData(5, 30)]
    [InlineData(4, 150)] // more queries than are looked at together
    public void Packed_rows_have_the_bits_of_padded_ones_and_the_librarys_gradients(int rows, int width)
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        var draw = new Seed(5).Stream("packed");
        foreach (var head in new[] { 0, 1, width / 2, width - 1, width })
        {
            var ids = zeros(rows, width, ScalarType.Int64);
            var read = new List<long>();
            for (var b = 0; b < rows; b++)
            {
                for (var t = 0; t < width; t++)
                    ids[b, t] = t < head ? 3L + t % 40 : 50L + draw.Below(40);
                // Of each row some positions up to one of its own, of the second none; some of them twice.
                var last = (int)draw.Below(width);
                read.AddRange(b == 1 ? [] : [(long)b * width + last, (b * width) + draw.Below(last + 1)]);
            }
            var options = new ForwardOptions { Positions = Positions.At(tensor(read.ToArray())) };
            using (no_grad())
            {
                var whole = model.Hidden(ids).reshape(-1, model.Config.HiddenSize);
                var there = whole.index_select(0, options.Positions.Chosen!);
                Assert.True(Tensors.SameBits(there, model.Hidden(ids, options)));
                var packed = PackedRows.Of(model, ids, options)!.Value.Rows;
                Assert.InRange(packed.Ids.numel(), 1, rows * width);
                Assert.Equal(packed.Ids.numel(), packed.Segments.Sum(s => s.Count));
            }
            Same(model, ids, options);
        }
    }

    [Fact]
    public void Rows_that_begin_alike_are_computed_once_and_no_further_than_is_read()
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3, 0, 0 },
                { 1, 5, 9, 11, 6, 8, 22 },
                { 1, 5, 9, 11, 7, 8, 22 },
            }
        );
        var options = new ForwardOptions { Positions = Positions.At(tensor(new long[] { 3, 7 + 5, 14 + 1 })) };
        var (rows, packed) = PackedRows.Of(model, ids, options)!.Value;
        // The third row is read at its second position alone, so two are what all rows begin with.
        Assert.Equal(2, rows.Head);
        Assert.Equal([1, 5, 9, 14, 9, 11, 6, 8], rows.Ids.data<long>().ToArray());
        Assert.Equal([0, 1, 2, 3, 2, 3, 4, 5], rows.Places);
        Assert.Equal([3, 7, 1], packed.Positions!.Chosen!.data<long>().ToArray());

        Assert.Null(PackedRows.Of(model, ids, new ForwardOptions()));
        Assert.Null(PackedRows.Of(model, ids, options with { Tap = new ForwardTap() }));
        Assert.Null(PackedRows.Of(model, ids, options with { AttentionMask = ones(3, 7) }));
        Assert.Null(PackedRows.Of(model.OverLibrary(), ids, options));
        using var windowed = TinyModels.Lively(window: 4);
        Assert.Null(PackedRows.Of(windowed, ids, options));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Below_a_taps_first_block_rows_are_packed_and_no_bit_differs(int first)
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        List<IReadOnlyList<int>> prompts =
        [
            [1, 5, 9, 14, 3, 8, 22],
            [1, 5, 9, 11],
            [1, 5, 9, 11, 7, 8],
        ];
        var options = new GreedyDecoder.Options { MaxNewTokens = 5, StopIds = [] };
        IEnumerable<IReadOnlyList<int>> Said(Scaled tap) =>
            GreedyDecoder.Decode(model, prompts, options with { Tap = tap }).Select(s => s.Ids);
        Assert.Equal(Said(new Scaled(first, 0)), Said(new Scaled(first, first)));

        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3, 8, 22 },
                { 1, 5, 9, 11, 0, 0, 0 },
                { 1, 5, 9, 11, 7, 8, 0 },
            }
        );
        var read = tensor(new long[] { 2, 6, 7 + 3, 14 + 5 });
        Tensor Hidden(Scaled tap) => model.Hidden(ids, read, new ForwardOptions { Tap = tap });
        Assert.True(Tensors.SameBits(Hidden(new Scaled(first, 0)), Hidden(new Scaled(first, first))));
        // Of what is not read nothing is said, and what is said of the rest is what a pass over whole rows says.
        var before = model.Before(first, ids, new ForwardOptions { Positions = Positions.At(read) });
        var whole = model.Blocks(model.Embed(ids), 0, first);
        foreach (var (row, count) in ((int, int)[])[(0, 7), (1, 4), (2, 6)])
            Assert.True(Tensors.SameBits(whole[row].narrow(0, 0, count), before[row].narrow(0, 0, count)));
    }

    // Changes the memory's output from one block on, and says from which block on it looks.
    private sealed class Scaled(int from, int first) : ForwardTap
    {
        public override int First => first;

        public override Tensor MlpOut(int layer, Tensor key, Tensor value) => layer >= from ? value * 1.5f : value;
    }

    [Fact]
    public void A_pass_behind_a_past_has_the_librarys_gradients()
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = tensor(
            new long[,]
            {
                { 1, 5, 9, 14, 3, 8, 22 },
                { 1, 4, 7, 2, 11, 6, 31 },
            }
        );
        var h = model.Embed(ids);
        using var prefix = KvPrefix.Of(model, h.narrow(1, 0, 3), 0, 3);
        SameFrom(model, h.narrow(1, 3, 4).contiguous(), new ForwardOptions { Past = prefix });
        using var tails = Continuations.Of(model.OverLibrary(), h, 0, [1, 3], [7, 6]);
        SameFrom(model, tails.Stream, new ForwardOptions { Past = tails });
        SameFrom(
            model,
            tails.Stream,
            new ForwardOptions { Past = tails, Positions = Positions.At(tensor(new long[] { 0, 2, 7 })) }
        );
    }

    [Theory]
    [InlineData(new[] { 1, 3, 0 }, new[] { 7, 5, 2 })]
    [InlineData(new[] { 6, 6, 6 }, new[] { 7, 7, 7 })]
    [InlineData(new[] { 0, 0, 0 }, new[] { 7, 1, 3 })]
    public void Tails_end_to_end_have_the_bits_of_padded_ones(int[] starts, int[] lengths)
    {
        using var model = TinyModels.Lively();
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = tensor(Enumerable.Range(0, 21).Select(i => (long)(3 + i * 11 % 40)).ToArray()).view(3, 7);
        var h = model.Embed(ids);
        using var padded = Continuations.Of(model, h, 0, starts, lengths, packed: false);
        using var packed = Continuations.Of(model, h, 0, starts, lengths, packed: true);
        Same([0, 1, 2]);
        padded.Keep([2, 0]);
        packed.Keep([2, 0]);
        Same([2, 0]);

        // Of every row its last position, and the first of one more.
        void Same(int[] rows)
        {
            Tensor Read(Continuations tails) =>
                tensor([
                    .. rows.Select((r, i) => (long)tails.Starts[i] + lengths[r] - starts[r] - 1),
                    tails.Starts[1],
                ]);
            TrackedPass Pass(Continuations tails) =>
                TrackedPass.ToLogits(
                    model,
                    tails.Stream,
                    0,
                    new ForwardOptions { Past = tails, Positions = Positions.At(Read(tails)) }
                );
            using var one = Pass(padded);
            using var two = Pass(packed);
            Assert.True(Tensors.SameBits(one.Output, two.Output));
            var slope = Random(rows.Length + 1, (int)one.Output.shape[1], "slope");
            var (a, b) = (one.Backward(slope)!.view(-1, 32), two.Backward(slope)!.view(-1, 32));
            foreach (var (i, row) in rows.Index())
            {
                var count = lengths[row] - starts[row];
                Assert.True(
                    Tensors.SameBits(a.narrow(0, padded.Starts[i], count), b.narrow(0, packed.Starts[i], count))
                );
            }
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(7)]
    public void A_label_beyond_the_vocabulary_is_refused(long label)
    {
        using var scope = NewDisposeScope();
        var labels = tensor(new[] { 0, label });
        Assert.Throws<ArgumentOutOfRangeException>(() => CrossEntropy.Of(Random(2, 7, "logits"), labels));
    }

    [Fact]
    public void Native_products_of_the_library_are_ours_but_for_rounding()
    {
        using var scope = NewDisposeScope();
        var (x, dy) = (Random(9, 24, "x"), Random(9, 17, "dy"));
        Tensor Weight() => Random(17, 24, "w").requires_grad_(true);
        var (own, library) = (Weight(), Weight());
        using (no_grad())
            Tensors.Near(nn.functional.linear(x, library), Linear.OwnProduct(x, own), 1e-6, "forwards");
        foreach (var add in new[] { false, true })
        {
            var (a, b) = (ones(9, 24), ones(9, 24));
            Linear.Back(dy, own, x, a, add);
            Linear.LibraryBack(dy, library, x, b, add);
            Tensors.Near(b, a, 1e-6, "backwards");
            Tensors.Near(library.grad!, own.grad!, 1e-6, "the weight's gradient");
        }
        var (ours, theirs) = ProductProbe.Measure();
        Assert.True(ours > 0 && theirs > 0);
    }

    [Theory]
    [InlineData(-90f)]
    [InlineData(-20f)]
    [InlineData(-1e-3f)]
    [InlineData(0f)]
    [InlineData(0.7f)]
    [InlineData(30f)]
    [InlineData(88.3f)]
    [InlineData(89f)]
    [InlineData(float.NaN)]
    public void The_exponential_is_exact_to_two_units_of_the_last_place(float x)
    {
        for (var i = 0; i < 100; i++, x = x * 0.999f + 0.01f)
        {
            var ours = Lanes.Exp(System.Runtime.Intrinsics.Vector256.Create(x))[3];
            var exact = (float)Math.Exp(x);
            if (x < -87.3366f || float.IsNaN(x) || x > 88.3763f)
                Assert.Equal(
                    x < 0 ? 0
                        : x > 0 ? float.PositiveInfinity
                        : float.NaN,
                    ours
                );
            else if (x > -87.336f && x < 88.376f)
                Assert.InRange(ours, exact * (1 - 2.4e-7f), exact * (1 + 2.4e-7f));
        }
    }

    // With dropout both ways draw the same masks; without it, rows are packed where the kernels can.
    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    public void An_adapter_gets_the_librarys_loss_and_gradients(double dropout)
    {
        using var scope = NewDisposeScope();
        var model = TinyModels.Lively();
        TokenRow Row(int n, int prompt) =>
            new([1, .. Enumerable.Range(0, n).Select(i => 3 + (i * 7 + n) % 90)], prompt);
        using var batch = RowBatch.Of([Row(9, 4), Row(6, 3), Row(12, 5)]);
        var options = new TrainableModel.Options
        {
            Trainable = Trainable.Lora,
            Lora = new LoraAdapter.Options { Dropout = dropout },
        };
        Tensor[] Of(CausalLm start)
        {
            using var trained = TrainableModel.Of(start, options, new Seed(3));
            using (no_grad())
            {
                var count = (int)trained.Parameters.Weights.numel();
                trained.Parameters.Weights.add_(0.1 * Random(1, count, "factors").view(-1));
            }
            trained.Parameters.ZeroGradient();
            using var named = trained.TrainingPass("1");
            var nll = trained.Nll(batch);
            trained.Backward(nll.mean());
            return
            [
                nll.detach().clone().MoveToOuterDisposeScope(),
                trained.Parameters.Gradient.clone().MoveToOuterDisposeScope(),
            ];
        }
        var (library, ours) = (Of(model.OverLibrary()), Of(model));
        Tensors.Near(library[0], ours[0], 2e-5, "losses");
        Assert.True(library[1].abs().max().ToDouble() > 1e-3);
        Tensors.Near(library[1], ours[1], 5e-5, "gradients of the factors");
    }

    // Logits, the gradient of what went in, and those of all weights.
    private static void Same(CausalLm model, Tensor ids, ForwardOptions options)
    {
        using var scope = NewDisposeScope();
        Tensor Gradient(Tensor of)
        {
            var there = of.grad!.clone();
            of.grad = null!;
            return there;
        }
        foreach (var weight in model.Weights.Values)
            weight.requires_grad = true;
        var library = model.OverLibrary();
        var expected = library.Logits(library.Hidden(ids, options), options);
        var slope = Random((int)(expected.numel() / 97), 97, "slope").view(expected.shape);
        expected.backward([slope]);
        var gradients = model.Weights.ToDictionary(w => w.Key, w => Gradient(w.Value));

        using var pass = TrackedPass.LogitsOf(model, ids, options);
        Tensors.Near(expected.detach(), pass.Output, 2e-5, "logits");
        pass.Backward(slope, input: false);
        foreach (var (name, gradient) in gradients)
            Tensors.Near(gradient, Gradient(model.Weight(name)), 5e-5, name);
        foreach (var weight in model.Weights.Values)
            weight.requires_grad = false;
        using var quiet = no_grad();
        SameFrom(model, model.Embed(ids), options);
    }

    private static void SameFrom(CausalLm model, Tensor h, ForwardOptions options)
    {
        using var tracked = enable_grad();
        using var library = TrackedPass.ToLogits(model.OverLibrary(), h, 0, options);
        using var ours = TrackedPass.ToLogits(model, h, 0, options);
        Tensors.Near(library.Output.detach(), ours.Output, 2e-5, "logits");
        var slope = Random((int)(ours.Output.numel() / 97), 97, "slope").view(ours.Output.shape);
        Tensors.Near(library.Backward(slope)!, ours.Backward(slope)!, 5e-5, "gradient of the stream");
    }

    private static void Multiply(Tensor a, Tensor b, Tensor c, bool turnA, bool turnB, bool add)
    {
        Matrix Lie(Tensor t, bool turned)
        {
            var laid = (turned ? t.t() : t).contiguous();
            var matrix = Memory.Rows(laid, laid.shape[1]);
            return turned ? matrix.Transposed : matrix;
        }
        MatrixProduct.Compute(
            a.shape[0],
            b.shape[1],
            a.shape[1],
            Lie(a, turnA),
            Lie(b, turnB),
            Memory.Rows(c, c.shape[1]),
            add
        );
    }

    private static Tensor Random(int rows, int columns, string name)
    {
        var draw = new Seed(11).Stream(name);
        return tensor(
            Enumerable.Range(0, rows * columns).Select(_ => (float)draw.NextGaussian()).ToArray(),
            [rows, columns]
        );
    }
}
