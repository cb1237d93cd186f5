using EditUnlearn.Foundation;
using EditUnlearn.Models.Chat;
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
    /// <param name="model">Weights.</param>
    /// <param name="tokenizer">Of the same model.</param>
    /// <param name="template">How questions are put; null for the family's way.</param>
    /// <exception cref="InputException">The template does not fit the vocabulary.</exception>
    public Checkpoint(CausalLm model, ITokenizer tokenizer, ChatTemplate? template = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Model = model;
        Tokenizer = tokenizer;
        _encoder = new RowEncoder(tokenizer, template ?? FamilyCatalog.Get(model.Config.Family).Template, model.Config);
    }

    /// <summary>The weights.</summary>
    public CausalLm Model { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The chat template, as it is used with this vocabulary.</summary>
    public ChatTemplate Template => _encoder.Template;

    /// <summary>What a user should know about the choice of the template; null for nothing.</summary>
    public string? TemplateNote { get; private init; }

    /// <inheritdoc cref="RowEncoder.BosId"/>
    public int? BosId => _encoder.BosId;

    /// <inheritdoc cref="RowEncoder.EndId"/>
    public int EndId => _encoder.EndId;

    /// <inheritdoc cref="RowEncoder.StopIds"/>
    public IReadOnlyList<int> StopIds => _encoder.StopIds;

    /// <inheritdoc cref="RowEncoder.CrossedBoundaries"/>
    public long CrossedBoundaries => _encoder.CrossedBoundaries;

    /// <summary>Reads a model folder.</summary>
    /// <param name="folder">config.json, tokenizer and safetensors.</param>
    /// <param name="compute">Where the weights go and in which type; null for the processor and float32.</param>
    /// <param name="template">A chat template by name or file; <c>own</c> for the folder's, <c>family</c> for the one
    /// the study asks the family in; null for the folder's own where it has one, else the family's.</param>
    /// <param name="officialTemplate">Whether the publisher's pattern with its default system text is taken instead of
    /// the study's.</param>
    /// <param name="options">How the weights are loaded, and who is told.</param>
    /// <exception cref="InputException">Something is missing, not supported or does not fit together.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static Checkpoint Load(
        string folder,
        Compute? compute = null,
        string? template = null,
        bool officialTemplate = false,
        LoadOptions? options = null
    )
    {
        // What can be wrong in a small file is found before gigabytes of weights are read.
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var (config, _) = ConfigFile.Read(Path.Combine(folder, ConfigFile.Name));
        var tokenizer = TokenizerFolder.Load(folder, config);
        var files = TokenizerFiles.Read(folder);
        var choice = TemplateChoice.Of(template, officialTemplate, files, FamilyCatalog.Get(config.Family), tokenizer);
        _ = new RowEncoder(tokenizer, choice.Template, config);
        var (device, type) = compute ?? Compute.OnCpu;
        return new(WeightFolder.Load(folder, device, type, options), tokenizer, choice.Template)
        {
            TemplateNote = choice.Note ?? (options?.Family is null && choice.Assumed ? Doubt(folder, config) : null),
        };
    }

    // Many models of type llama are made from nothing that Meta published. One without a template is asked as Llama 2,
    // and only its vocabulary says that this may be wrong; our miniatures, which have no such file, were trained so.
    private static string? Doubt(string folder, ModelConfig config) =>
        config.Family == Llama2.Family.Name
        && config.VocabSize is not (>= 32000 and <= 32128)
        && File.Exists(Path.Combine(folder, TokenizerFiles.Config))
            ? "the folder holds no chat template, and config.json has model_type llama without marks of Llama 3 and "
                + $"{config.VocabSize} words, which is not Llama 2's vocabulary; it is asked as Llama 2 is, which may "
                + "not fit: --template takes another"
            : null;

    /// <summary>Writes a model folder.</summary>
    public void Save(string folder)
    {
        WeightFolder.Save(folder, Model);
        Tokenizer.Save(folder);
    }

    /// <inheritdoc cref="RowEncoder.Prompt"/>
    public IReadOnlyList<int> Prompt(string question) => _encoder.Prompt(question);

    /// <inheritdoc cref="RowEncoder.Row(string, string, bool)"/>
    public TokenRow Row(string question, string answer, bool end = true) => _encoder.Row(question, answer, end);

    /// <inheritdoc cref="RowEncoder.PromptWithOffsets"/>
    public IReadOnlyList<TokenSpan> PromptWithOffsets(string question, bool raw = false) =>
        _encoder.PromptWithOffsets(question, raw);

    /// <inheritdoc cref="RowEncoder.Row(string, string, bool, bool)"/>
    public TokenRow Row(string question, string answer, bool end, bool raw) => _encoder.Row(question, answer, end, raw);

    /// <summary>
    /// What a model said, as evaluation takes it: decoded as a whole, without special tokens, trimmed.
    /// </summary>
    public string Decode(IEnumerable<int> ids) => Tokenizer.Decode(ids).Trim();

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();
}
