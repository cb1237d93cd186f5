using EditUnlearn.Methods;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Methods;

/// <summary>SimNPO against its published formula on a tiny model, with and without margin and retain rows.</summary>
[Trait("Category", "Golden")]
public sealed class SimpleNegativePreferenceGoldenTests
{
    public static TheoryData<string> Cases => ModernGolden.CasesOf("simnpo");

    [GoldenTheory(ModernGolden.Name)]
    [MemberData(nameof(Cases))]
    public void Losses_gradients_weights_and_logits_agree(string name) =>
        ModernGolden.Agrees(
            name,
            s => new SimpleNegativePreference(
                s.Apply(
                    new SimpleNegativePreference.Options
                    {
                        Beta = s.Number("beta"),
                        Gamma = s.Number("gamma"),
                        RetainWeight = s.Number("retain_weight"),
                    }
                )
            )
            {
                Observer = s.Observer,
                Places = s.Places,
            }
        );
}
