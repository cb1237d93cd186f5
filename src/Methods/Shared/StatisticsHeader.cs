using System.Globalization;
using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Weights;

namespace EditUnlearn.Methods.Shared;

/// <summary>
/// What statistics of a memory were measured on. Stored with them, so that those of another model, layer or text are
/// refused instead of used.
/// </summary>
/// <remarks>
/// See docs/methods.md, "Keys and second moments"; the reference knows its files by the model's name alone (defects
/// S13 and A1).
/// </remarks>
/// <param name="Layer">The block.</param>
/// <param name="Weights">Fingerprint of the weights the keys depend on.</param>
/// <param name="Text">Fingerprint of the token rows.</param>
/// <param name="Documents">Rows.</param>
/// <param name="Tokens">Tokens that count, BOS included.</param>
/// <param name="Truncation">Most tokens of one row.</param>
/// <param name="DType">Element type of the model that was measured.</param>
public sealed record StatisticsHeader(
    int Layer,
    string Weights,
    string Text,
    long Documents,
    long Tokens,
    int Truncation,
    string DType
)
{
    /// <summary>As free text of a tensor file, names led by <c>layerL.</c></summary>
    public IEnumerable<KeyValuePair<string, string>> ToMetadata()
    {
        string Number(long n) => n.ToString(CultureInfo.InvariantCulture);
        foreach (
            var (name, value) in new[]
            {
                ("weights", Weights),
                ("text", Text),
                ("documents", Number(Documents)),
                ("tokens", Number(Tokens)),
                ("truncation", Number(Truncation)),
                ("dtype", DType),
            }
        )
            yield return new($"layer{Layer}.{name}", value);
    }

    /// <summary>Reads the header of a layer.</summary>
    /// <exception cref="DamagedFileException">The file has none.</exception>
    public static StatisticsHeader From(SafetensorsFile file, string path, int layer)
    {
        ArgumentNullException.ThrowIfNull(file);
        string Of(string name) =>
            file.Metadata.TryGetValue($"layer{layer}.{name}", out var text)
                ? text
                : throw new DamagedFileException(
                    path,
                    $"does not say what layer {layer} was measured on: there is no layer{layer}.{name}"
                );
        long Number(string name) =>
            long.TryParse(Of(name), NumberStyles.None, CultureInfo.InvariantCulture, out var n)
                ? n
                : throw new DamagedFileException(
                    path,
                    $"has '{Of(name)}' for layer{layer}.{name}, which is not a number"
                );
        return new StatisticsHeader(
            layer,
            Of("weights"),
            Of("text"),
            Number("documents"),
            Number("tokens"),
            (int)Math.Min(int.MaxValue, Number("truncation")),
            Of("dtype")
        );
    }

    /// <summary>Refuses statistics of another model, or of another number of documents.</summary>
    /// <param name="model">The untouched model that is to be edited.</param>
    /// <param name="path">For the message.</param>
    /// <param name="what">For the message: <c>second moments</c>.</param>
    /// <param name="documents">How many documents they shall come from; null for any number.</param>
    /// <exception cref="InputException">The weights or the documents differ.</exception>
    public void CheckMadeFrom(CausalLm model, string path, string what, int? documents = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (documents is { } wanted && wanted != Documents)
            throw new InputException(
                path,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the {what} of layer {Layer} come from {Documents} documents, not from {wanted}"
                ),
                "another file, which is then made from the text, or the number it was made with (mom2-samples)"
            );
        if (Layer >= model.Config.Layers || Weights != WeightFingerprint.UpTo(model, Layer))
            throw new InputException(
                path,
                $"the {what} of layer {Layer} come from another model: the weights of its blocks 0 to {Layer} are "
                    + "not those of the model to be edited",
                "measure them again on this model (stages 'moments' and 'projector'; for a model of your own "
                    + "--moments-text)"
            );
    }
}
