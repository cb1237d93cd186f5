using EditUnlearn.Models.Training;

namespace EditUnlearn.Tests.Unit.Models.Training;

public class LearningRateScheduleTests
{
    [Theory]
    [InlineData(20, 4, 1, 20, 100, 10)]
    [InlineData(40, 4, 1, 20, 200, 20)]
    [InlineData(100, 4, 1, 20, 500, 50)]
    [InlineData(400, 16, 1, 20, 500, 50)]
    [InlineData(10, 4, 2, 3, 3, 1)]
    public void Steps_and_warm_up_follow_from_samples_batch_and_epochs(
        int samples,
        int batch,
        int accumulation,
        int epochs,
        int steps,
        int warmup
    )
    {
        Assert.Equal(steps, LearningRateSchedule.StepsFor(samples, batch, accumulation, epochs));
        Assert.Equal(warmup, LearningRateSchedule.Linear(1, steps).WarmupSteps);
    }

    [Fact]
    public void Too_few_samples_for_one_step_is_an_error()
    {
        var error = Assert.Throws<ArgumentException>(() => LearningRateSchedule.StepsFor(3, 4, 1, 1));
        Assert.Contains("lower the batch size", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_linear_schedule_starts_at_zero_peaks_after_warm_up_and_ends_one_notch_above_zero()
    {
        var schedule = LearningRateSchedule.Linear(2e-5, 100);
        Assert.Equal(0, schedule.At(0));
        Assert.Equal(1e-5, schedule.At(5), 15);
        Assert.Equal(2e-5, schedule.At(10), 15);
        Assert.Equal(2e-5 / 90, schedule.At(99), 15);
        Assert.Equal(0, schedule.At(100));
        Assert.Equal(0, schedule.At(1000));
    }

    [Fact]
    public void A_cosine_falls_to_its_floor()
    {
        var schedule = new LearningRateSchedule(1, 100, 10, LearningRateDecay.Cosine, 0.05);
        Assert.Equal(1, schedule.At(10), 12);
        Assert.Equal(0.525, schedule.At(55), 12);
        Assert.Equal(0.05, schedule.At(100), 12);
    }
}
