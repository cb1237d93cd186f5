using System.Text.Json;
using System.Text.Json.Serialization;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// The state of a run of edits, kept between edits, so that a killed run goes on behind the last one kept. Tensors as
/// they are, the rest as JSON in a tensor of bytes: numbers come back bit for bit.
/// </summary>
/// <param name="store">Of the run; null to keep nothing.</param>
internal sealed class EditCheckpoint(TrainingStore? store)
{
    private const string Rest = "rest";
    private static readonly JsonSerializerOptions Json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Goes back to where an earlier attempt was.</summary>
    /// <typeparam name="T">The part of the state that is no tensor.</typeparam>
    /// <param name="restore">Puts a state in force; its tensors belong to the caller's dispose scope.</param>
    /// <returns>Edits that need not be made again; 0 where there is no state that can be used.</returns>
    public int Resume<T>(Action<SafetensorsFile, T> restore)
    {
        if (store?.Load() is not { } found)
            return 0;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        // Read before anything is changed: the hash of the whole file was right.
        var rest = JsonSerializer.Deserialize<T>(found.Tensors.Read(Rest).data<byte>().ToArray(), Json)!;
        restore(found.Tensors, rest);
        store.Used(found.Step, "edit");
        return found.Step;
    }

    /// <summary>Keeps the state where it is time to.</summary>
    /// <param name="done">Edits made.</param>
    /// <param name="state">Tensors by name, and the rest; asked only where it is time.</param>
    public void Keep<T>(int done, Func<(IEnumerable<KeyValuePair<string, Tensor>> Tensors, T Other)> state)
    {
        if (store is null || !store.IsDue(done))
            return;
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var (tensors, other) = state();
        using var bytes = tensor(JsonSerializer.SerializeToUtf8Bytes(other, Json));
        store.Save(done, [.. tensors, new(Rest, bytes)]);
    }
}
