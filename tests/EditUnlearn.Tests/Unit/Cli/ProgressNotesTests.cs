using EditUnlearn.Cli.Terminal;
using EditUnlearn.Pipeline;

namespace EditUnlearn.Tests.Unit.Cli;

/// <summary>What a log shows of a run that nobody watches.</summary>
public sealed class ProgressNotesTests
{
    private static readonly CellId Pretrain = new("pretrain", [new("model", "llama2")]),
        Facts = new("facts", []);

    [Fact]
    public void A_line_tells_what_is_done_how_long_it_takes_and_what_runs()
    {
        var picture = new RunBoard.Picture(
            3,
            479,
            TimeSpan.FromSeconds(70),
            TimeSpan.FromMinutes(14),
            [
                (Pretrain, 0.417, "loss 1.034, 9637 tokens/s", TimeSpan.FromSeconds(60)),
                (Facts, null, null, TimeSpan.Zero),
            ]
        );
        Assert.Equal(
            "3 of 479 stages, 1 m 10 s, about 14 m 00 s left: pretrain[llama2] 41 % (loss 1.034, 9637 tokens/s); facts",
            ProgressNotes.Line(picture)
        );
        Assert.Equal(
            "0 of 1 stages, 30 s",
            ProgressNotes.Line(new RunBoard.Picture(0, 1, TimeSpan.FromSeconds(30), null, []))
        );
    }

    [Theory]
    [InlineData("", "    ")]
    [InlineData("ab", "ab  ")]
    [InlineData("abcde", "abcde")]
    [InlineData("abcdef", "abcdef   ")]
    [InlineData("ab\nc", "ab  \nc   ")]
    public void A_line_above_a_moving_board_covers_what_stood_there(string text, string written) =>
        Assert.Equal(written, RunReporter.Covering(text, 5));

    [Fact]
    public async Task A_line_is_told_at_every_tick_and_none_after_the_end()
    {
        var (clock, board, told) = (new ByHand(), new RunBoard(TimeProvider.System), new List<string>());
        board.Planned(2);
        var first = new TaskCompletionSource();
        await using (
            var notes = new ProgressNotes(
                board,
                clock,
                line =>
                {
                    told.Add(line);
                    first.TrySetResult();
                }
            )
        )
        {
            Assert.Equal(ProgressNotes.Every, clock.Period);
            clock.Tick();
            await first.Task.WaitAsync(TimeSpan.FromSeconds(30));
        }
        clock.Tick();
        Assert.StartsWith("0 of 2 stages", Assert.Single(told), StringComparison.Ordinal);
    }

    private sealed class ByHand : TimeProvider, ITimer
    {
        private TimerCallback? _callback;
        private object? _state;

        public TimeSpan Period { get; private set; }

        public void Tick() => _callback?.Invoke(_state);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state, Period) = (callback, state, period);
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose() => _callback = null;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
