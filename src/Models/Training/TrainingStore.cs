using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EditUnlearn.Foundation;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models.Training;

/// <summary>Keeps the state of a training run in a folder, so that a killed run goes on where it was.</summary>
/// <remarks>
/// Values first, under a name of their own; then <c>latest.json</c>, which names them and their hash, by one rename;
/// then the older values go. Killed at any instant, the folder holds the older state or the newer one. What does not
/// fit its hash, its form or the run's identity is left aside with a note, never used in part.
/// </remarks>
public sealed class TrainingStore
{
    private const string Format = "training/1",
        Latest = "latest.json";
    private const int MaxDescriptionBytes = 1 << 16;
    private readonly string _folder,
        _identity;
    private readonly Interval _interval;
    private readonly Action<string>? _note;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _lastSave,
        _saveTook;
    private int _lastStep;

    /// <summary>Opens the store of one run.</summary>
    /// <param name="folder">Belongs to this run alone; made when first written.</param>
    /// <param name="identity">Of everything the run depends on; a state of another identity is not used.</param>
    /// <param name="interval">How often; null for <see cref="Interval.Default"/>.</param>
    /// <param name="note">Told what was found and what was left aside.</param>
    public TrainingStore(string folder, string identity, Interval? interval = null, Action<string>? note = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(identity);
        (_folder, _identity, _interval, _note) = (
            folder,
            Hex(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(identity))),
            interval ?? Interval.Default,
            note
        );
    }

    /// <summary>How often a state is stored: whichever comes first. No result depends on it.</summary>
    /// <param name="Steps">Updates between two states; 0 for by time alone.</param>
    /// <param name="Seconds">Time between two states; it grows where storing takes more than a twentieth of it. 0 for
    /// by steps alone.</param>
    public sealed record Interval(int Steps, double Seconds)
    {
        /// <summary>
        /// Every 30 s; <c>EU_CHECKPOINT_STEPS</c> and <c>EU_CHECKPOINT_SECONDS</c> change it for this process and its
        /// workers.
        /// </summary>
        public static Interval Default =>
            new((int)Variable("EU_CHECKPOINT_STEPS", 0), Variable("EU_CHECKPOINT_SECONDS", 30));

        private static double Variable(string name, double otherwise) =>
            double.TryParse(
                Environment.GetEnvironmentVariable(name),
                NumberStyles.Float,
                CultureInfo.InvariantCulture,
                out var value
            )
            && double.IsFinite(value)
            && value is >= 0 and <= int.MaxValue
                ? value
                : otherwise;
    }

    private sealed record Description(string Format, string Identity, int Step, string File, string Sha256);

    /// <summary>Whether it is time to store the state after <paramref name="step"/> updates.</summary>
    public bool IsDue(int step)
    {
        if (_interval.Steps > 0 && step - _lastStep >= _interval.Steps)
            return true;
        return _interval.Seconds > 0
            && (_clock.Elapsed - _lastSave).TotalSeconds >= Math.Max(_interval.Seconds, 20 * _saveTook.TotalSeconds);
    }

    /// <summary>Stores a state.</summary>
    /// <param name="step">Updates taken.</param>
    /// <param name="tensors">Everything the run needs to go on.</param>
    public void Save(int step, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        var started = _clock.Elapsed;
        Directory.CreateDirectory(_folder);
        var name = string.Create(CultureInfo.InvariantCulture, $"step-{step:00000000}.safetensors");
        var path = Path.Combine(_folder, name);
        SafetensorsWriter.Write(path + ".tmp", tensors);
        var description = new Description(Format, _identity, step, name, HashOf(path + ".tmp"));
        File.Move(path + ".tmp", path, overwrite: true);
        AtomicFile.Write(Path.Combine(_folder, Latest), JsonSerializer.SerializeToUtf8Bytes(description));
        foreach (var old in Directory.EnumerateFiles(_folder, "step-*"))
            if (Path.GetFileName(old) != name)
                File.Delete(old);
        (_lastStep, _lastSave, _saveTook) = (step, _clock.Elapsed, _clock.Elapsed - started);
    }

    /// <summary>The stored state, or null where there is none that can be used.</summary>
    /// <returns>Updates taken, and the file with the tensors.</returns>
    public (int Step, SafetensorsFile Tensors)? Load()
    {
        var latest = Path.Combine(_folder, Latest);
        if (!File.Exists(latest))
            return null;
        try
        {
            if (new FileInfo(latest).Length > MaxDescriptionBytes)
                return Aside("its description is too long to be one");
            var found = JsonSerializer.Deserialize<Description>(File.ReadAllBytes(latest));
            if (found is not { Format: Format, File: not null, Sha256: not null })
                return Aside("its description is not in format " + Format);
            if (found.Identity != _identity)
                return Aside("it belongs to another run");
            if (found.Step < 1 || Path.GetFileName(found.File) != found.File)
                return Aside("its description is not one of ours");
            var path = Path.Combine(_folder, found.File);
            if (!File.Exists(path))
                return Aside($"{found.File} is gone");
            if (HashOf(path) != found.Sha256)
                return Aside($"{found.File} holds other bytes than were written");
            (_lastStep, _lastSave) = (found.Step, _clock.Elapsed);
            return (found.Step, SafetensorsFile.Open(path));
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or IOException
                        or UnauthorizedAccessException
                        or DamagedFileException
                        or NotSupportedException
            )
        {
            return Aside(e.Message);
        }
    }

    /// <summary>Tells why a state was not used.</summary>
    /// <returns>Always null.</returns>
    public (int Step, SafetensorsFile Tensors)? Aside(string reason)
    {
        _note?.Invoke($"a stored state was left aside: {reason}; the work starts from the beginning");
        return null;
    }

    /// <summary>Tells that a state is used.</summary>
    /// <param name="step">Updates taken.</param>
    /// <param name="unit">What they are called.</param>
    public void Used(int step, string unit = "step") =>
        _note?.Invoke(
            string.Create(CultureInfo.InvariantCulture, $"going on after {unit} {step} of an earlier attempt")
        );

    private static string HashOf(string path)
    {
        using var file = File.OpenRead(path);
        return Hex(SHA256.HashData(file));
    }

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
