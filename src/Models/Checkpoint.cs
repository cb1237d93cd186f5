using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Training;
using EditUnlearn.Models.Weights;
using static TorchSharp.torch;

namespace EditUnlearn.Models;

/// <summary>A model folder: weights, tokenizer, and how questions are put to this family.</summary>
public sealed class Checkpoint : IDisposable
{
    /// <summary>Puts the parts together; the model is owned.</summary>
    public Checkpoint(CausalLm model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Tokenizer = tokenizer;
        Template = FamilyCatalog.Get(model.Config.Family).Template;
    }

    /// <summary>The weights.</summary>
    public CausalLm Model { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The family's chat template.</summary>
    public ChatTemplate Template { get; }

    /// <summary>Reads a model folder.</summary>
    /// <param name="folder">config.json, tokenizer and safetensors.</param>
    /// <param name="device">For example <c>cpu</c>.</param>
    /// <param name="type">Type of the weights in memory.</param>
    public static Checkpoint Load(string folder, string device = "cpu", ScalarType type = ScalarType.Float32) =>
        new(WeightFolder.Load(folder, new Device(device), type), ByteLevelBpe.Load(folder));

    /// <summary>Writes a model folder.</summary>
    public void Save(string folder)
    {
        WeightFolder.Save(folder, Model);
        Tokenizer.Save(folder);
    }

    /// <summary>The prompt of a question as ids, BOS first.</summary>
    public IReadOnlyList<int> Prompt(string question) => [Model.Config.BosId, .. Tokenizer.Encode(Template.Prompt(question))];

    /// <summary>A training or scoring row: prompt, answer, EOS. The answer follows the template at once.</summary>
    /// <remarks>Source: unlearning specification, section 1. Where a merge would cross the border, the answer is encoded by itself.</remarks>
    /// <param name="question">Verbatim.</param>
    /// <param name="answer">Verbatim.</param>
    /// <param name="end">Whether EOS follows and is a label.</param>
    public TokenRow Row(string question, string answer, bool end = true)
    {
        var prompt = Prompt(question);
        int[] whole = [Model.Config.BosId, .. Tokenizer.Encode(Template.Prompt(question) + answer)];
        int[] ids = whole.Take(prompt.Count).SequenceEqual(prompt) ? whole : [.. prompt, .. Tokenizer.Encode(answer)];
        return new TokenRow(end ? [.. ids, Model.Config.EosIds[0]] : ids, prompt.Count);
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
