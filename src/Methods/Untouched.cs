using EditUnlearn.Foundation;
using EditUnlearn.Models;
using EditUnlearn.Models.Patches;

namespace EditUnlearn.Methods;

/// <summary>The model as it came: what every method is compared with.</summary>
/// <remarks>Its patch changes nothing, so answers are those of the untouched model bit for bit.</remarks>
internal sealed class Untouched : IMethod
{
    /// <summary>There is nothing to choose.</summary>
    public sealed record Options;

    /// <summary>The line in the catalogue.</summary>
    [CodeBoundary]
    public static class Declaration
    {
        /// <summary>Names and kind; there are no options and no presets.</summary>
        public static MethodEntry Entry { get; } =
            MethodEntry.Of<Untouched, Options>("none", "before", MethodKind.Untouched, _ => new Untouched()) with
            {
                InPaper = false,
            };
    }

    /// <inheritdoc/>
    public Needs Needs => Needs.None;

    /// <inheritdoc/>
    public ModelPatch Edit(CausalLm model, MethodInputs inputs, Seed seed) => new WeightPatch([]);
}
