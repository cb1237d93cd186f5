using EditUnlearn.Models;

namespace EditUnlearn.Benchmarks.Speed;

/// <summary>One line of the table.</summary>
/// <param name="Name">Printed.</param>
/// <param name="Run">Does the work once on a model; called once before it is timed.</param>
/// <param name="Peer">
/// CPU seconds of a tuned PyTorch peer (EasyEdit's methods and a plain training loop, one thread) for the same work, on
/// another machine of the team: with AVX-512 kernels, and with AVX2 ones. Null where it was not measured.
/// </param>
/// <param name="Must">Least ratio of the peer's time to ours that was asked for.</param>
/// <param name="Flops">Floating-point operations in products that the work cannot do without; null where nobody
/// counted.</param>
/// <param name="Tokens">Tokens of the work, for those that are told in tokens a second.</param>
internal sealed record SpeedJob(
    string Name,
    Action<CausalLm> Run,
    (double? Avx512, double? Avx2) Peer,
    double Must,
    double? Flops = null,
    long? Tokens = null
)
{
    /// <summary>The model of the job, where it is not the common one.</summary>
    public Func<CausalLm>? Model { get; init; }
}
