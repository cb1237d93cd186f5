using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Models;

/// <summary>A model folder: weights, tokenizer, and how questions are put to this family.</summary>
public sealed class Checkpoint : IDisposable
{
    private readonly RowEncoder _encoder;

    /// <summary>Puts the parts together; the model is owned.</summary>
    public Checkpoint(CausalLm model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Tokenizer = tokenizer;
        Template = FamilyCatalog.Get(model.Config.Family).Template;
        _encoder = new RowEncoder(tokenizer, Template, model.Config);
    }

    /// <summary>The weights.</summary>
    public CausalLm Model { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The family's chat template.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Reads a model folder.</summary>
    /// <param name="folder">config.json, tokenizer and safetensors.</param>
    /// <param name="compute">Where the weights go and in which type; null for the processor and float32.</param>
    public static Checkpoint Load(string folder, Compute? compute = null)
    {
        var (device, type) = compute ?? Compute.OnCpu;
        return new(WeightFolder.Load(folder, device, type), ByteLevelBpe.Load(folder));
    }

    /// <summary>Writes a model folder.</summary>
    public void Save(string folder)
    {
        WeightFolder.Save(folder, Model);
        Tokenizer.Save(folder);
    }

    /// <inheritdoc cref="RowEncoder.Prompt"/>
    public IReadOnlyList<int> Prompt(string question) => _encoder.Prompt(question);

    /// <inheritdoc cref="RowEncoder.Row"/>
    public TokenRow Row(string question, string answer, bool end = true) => _encoder.Row(question, answer, end);

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
