using EditUnlearn.Methods;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>RMU against its published formula on a tiny model: over real tokens and over padding.</summary>
[Trait("Category", "Golden")]
public sealed class RepresentationMisdirectionGoldenTests
{
    // Width of the padded batches; the longest row is shorter.
    private const int Width = 24;

    public static TheoryData<string> Cases => ModernGolden.CasesOf("rmu");

    [GoldenTheory(ModernGolden.Name)]
    [MemberData(nameof(Cases))]
    public void Losses_gradients_weights_and_logits_agree(string name) =>
        ModernGolden.Agrees(
            name,
            s => new RepresentationMisdirection(
                s.Apply(
                    new RepresentationMisdirection.Options
                    {
                        Layer = (int)s.Number("block"),
                        Coefficient = s.Number("coefficient"),
                        RetainWeight = s.Number("alpha"),
                        Positions =
                            s.Entry.GetProperty("positions").GetString() == "attention mask 1"
                                ? StreamPositions.RealTokens
                                : StreamPositions.PaddedCompat,
                        PaddedLength = Width,
                    }
                )
            )
            {
                Observer = s.Observer,
                Places = s.Places,
            }
        );
}
