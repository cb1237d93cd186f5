using EditUnlearn.Methods;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>NPO against its published formula on a tiny model, with and without retain rows.</summary>
[Trait("Category", "Golden")]
public sealed class NegativePreferenceGoldenTests
{
    public static TheoryData<string> Cases => ModernGolden.CasesOf("npo");

    [GoldenTheory(ModernGolden.Name)]
    [MemberData(nameof(Cases))]
    public void Losses_gradients_weights_and_logits_agree(string name) =>
        ModernGolden.Agrees(
            name,
            s => new NegativePreference(
                s.Apply(
                    new NegativePreference.Options
                    {
                        Beta = s.Number("beta"),
                        RetainWeight = s.Number("retain_weight"),
                        Reference = s.Reference,
                    }
                )
            )
            {
                Observer = s.Observer,
                Places = s.Places,
            }
        );
}
