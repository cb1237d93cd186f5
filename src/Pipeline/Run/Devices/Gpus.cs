using System.Globalization;
using EditUnlearn.Foundation;

namespace EditUnlearn.Pipeline;

/// <summary>A GPU that stages may be put on.</summary>
/// <param name="Id">As <c>CUDA_VISIBLE_DEVICES</c> names it: a number or a UUID.</param>
/// <param name="Bytes">Memory that stages on it may need together; null while unknown.</param>
public sealed record GpuDevice(string Id, long? Bytes);

/// <summary>Which GPUs a run may use.</summary>
/// <remarks>
/// Every stage runs in a process that sees its own GPU alone, under the number 0: no code has to hand numbers around,
/// and a key holds <c>cuda</c> whichever GPU it was.
/// </remarks>
public static class Gpus
{
    // A driver and other programs want some of a GPU too.
    private const double UsableShare = 0.95;

    /// <summary>Which GPUs this process may use, and those of them that are wanted.</summary>
    /// <param name="wanted"><c>2</c>: so many; <c>id=0,3</c>: these; null: all.</param>
    /// <param name="bytes">Budget of each; null for most of what the driver says it has.</param>
    /// <param name="environment">Reads a variable.</param>
    /// <exception cref="InputException"><paramref name="wanted"/> cannot be read.</exception>
    /// <exception cref="ResourceUnavailableException">More or others are wanted than there are.</exception>
    public static IReadOnlyList<GpuDevice> Choose(string? wanted, long? bytes, Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        var known = Driver.Devices();
        var given = Visible(environment);
        var visible = given ?? [.. known.Select(d => d.Uuid)];
        return
        [
            .. Wanted(wanted, visible)
                .Select(id => new GpuDevice(
                    id,
                    bytes ?? Usable(known.FirstOrDefault(d => Means(id, d)))
                )),
        ];
    }

    /// <summary>What manifests say of the GPUs of this machine: kinds and driver; empty without any.</summary>
    public static IReadOnlyDictionary<string, string> Versions() => Driver.Versions();

    private static long? Usable(Driver.Device? device) =>
        device is null ? null : (long)(device.Bytes * UsableShare);

    // What the user or Slurm allows; null where nobody has said anything.
    private static IReadOnlyList<string>? Visible(Func<string, string?> environment)
    {
        if (environment("CUDA_VISIBLE_DEVICES") is { } given)
            // As CUDA reads it: what stands behind something that is no device is not seen.
            return [.. Listed(given).TakeWhile(id => !id.StartsWith('-')).Distinct()];
        return environment("SLURM_STEP_GPUS") is { Length: > 0 } step ? Listed(step)
            : environment("SLURM_JOB_GPUS") is { Length: > 0 } job ? Listed(job)
            : null;
    }

    // 0,2-3 as well as UUIDs, which hold hyphens themselves.
    private static List<string> Listed(string text)
    {
        var ids = new List<string>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (
                part.Split('-') is [var first, var last]
                && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var from)
                && int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var to)
            )
                for (var id = from; id <= to; id++)
                    ids.Add(id.ToString(CultureInfo.InvariantCulture));
            else
                ids.Add(part);
        return ids;
    }

    private static IReadOnlyList<string> Wanted(string? wanted, IReadOnlyList<string> visible)
    {
        const string ById = "id=";
        if (wanted is null)
            return visible;
        if (wanted.StartsWith(ById, StringComparison.Ordinal))
        {
            var ids = Listed(wanted[ById.Length..]);
            if (ids.Count == 0 || ids.Distinct().Count() < ids.Count)
                throw Unreadable(wanted);
            var absent = ids.Except(visible).ToList();
            return absent.Count == 0 ? ids : throw NotThere($"{ById}{string.Join(',', absent)}", visible);
        }
        if (!int.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1)
            throw Unreadable(wanted);
        return count <= visible.Count ? [.. visible.Take(count)] : throw NotThere(wanted, visible);
    }

    private static InputException Unreadable(string wanted) =>
        new("--gpus", $"cannot read '{wanted}'", "a number of GPUs, such as 2, or which ones: id=0,3");

    private static ResourceUnavailableException NotThere(string wanted, IReadOnlyList<string> visible) =>
        new(
            $"--gpus {wanted}: "
                + (visible.Count == 0 ? "there is no GPU" : $"there are only {string.Join(", ", visible)}")
                + "\n  hint: CUDA_VISIBLE_DEVICES and a Slurm job decide which GPUs are seen; doctor shows them"
        );

    private static bool Means(string id, Driver.Device device) =>
        device.Index == id || device.Uuid.StartsWith(id, StringComparison.Ordinal);

    /// <summary>Asks the driver's own tool; says nothing where there is none.</summary>
    internal static class Driver
    {
        /// <summary>One GPU.</summary>
        internal sealed record Device(string Index, string Uuid, long Bytes);

        public static IReadOnlyList<Device> Devices() =>
            [
                .. Rows("--query-gpu=index,uuid,memory.total")
                    .Where(r => r.Length == 3 && Mebibytes(r[2]) is not null)
                    .Select(r => new Device(r[0], r[1], Mebibytes(r[2])!.Value)),
            ];

        public static IReadOnlyDictionary<string, string> Versions()
        {
            var rows = Rows("--query-gpu=name,driver_version").Where(r => r.Length == 2).ToList();
            return rows.Count == 0
                ? new Dictionary<string, string>()
                : new Dictionary<string, string>
                {
                    ["gpu"] = string.Join("; ", rows.Select(r => r[0]).Distinct()),
                    ["gpu-driver"] = string.Join("; ", rows.Select(r => r[1]).Distinct()),
                };
        }

        /// <summary>Memory that a process holds on all GPUs together; null where the driver does not tell.</summary>
        public static long? UsedBy(int process)
        {
            var own = process.ToString(CultureInfo.InvariantCulture);
            var held = Rows("--query-compute-apps=pid,used_memory")
                .Where(r => r.Length == 2 && r[0] == own)
                .Select(r => Mebibytes(r[1]))
                .OfType<long>()
                .ToList();
            return held.Count > 0 ? held.Sum() : null;
        }

        private static long? Mebibytes(string text) =>
            long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n << 20 : null;

        private static List<string[]> Rows(string query) =>
            ProgramOutput.Of("nvidia-smi", [query, "--format=csv,noheader,nounits"]) is { } text
                ?
                [
                    .. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                        .Select(l => l.Split(',', StringSplitOptions.TrimEntries)),
                ]
                : [];
    }
}

/// <summary>What a process holds on its GPU at its peak, asked for while it runs.</summary>
/// <remarks>
/// libtorch keeps what it once had, so that a look every few seconds and one at the end sees the peak of its
/// reservations.
/// </remarks>
internal sealed class GpuWatch : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _end = new();
    private readonly int _process;
    private readonly Task _loop;
    private long? _peak;

    public GpuWatch(int process)
    {
        _process = process;
        _loop = Task.Run(LookAsync);
    }

    /// <summary>Looks once more; the process must still be there.</summary>
    public long? Peak()
    {
        Look();
        return _peak;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _end.Dispose();
    }

    private async Task LookAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            await Task.Delay(Interval, _end.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!_end.IsCancellationRequested)
                Look();
        }
    }

    private void Look()
    {
        if (Gpus.Driver.UsedBy(_process) is { } held)
            lock (_end)
                _peak = Math.Max(_peak ?? 0, held);
    }
}
