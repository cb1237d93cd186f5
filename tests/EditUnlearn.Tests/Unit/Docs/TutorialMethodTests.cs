using EditUnlearn.Methods;
using EditUnlearn.Tests.Properties.Methods;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Docs;

/// <summary>The method that docs/tutorials/method-author.md adds: the page holds its file.</summary>
public sealed class TutorialMethodTests
{
    private static readonly string Page = Path.Combine(Checkout.Root, "docs", "tutorials", "method-author.md");
    private static readonly string File = Path.Combine(
        Checkout.Root,
        "tests/EditUnlearn.Tests/Unit/Docs/CappedDifference.cs"
    );

    [Fact]
    public void The_page_holds_the_file_that_is_compiled_here() =>
        Assert.Equal(
            System.IO.File.ReadAllText(File),
            Assert.Single(TutorialBlock.Fenced(Page), b => b.Kind == "csharp").Text
        );

    [Fact]
    public void It_obeys_the_contract_of_all_methods()
    {
        var method = MethodContract.Make(CappedDifference.Declaration.Entry);
        MethodContract.RestoresAndRepeats(method);
        MethodContract.SavesAndLoads(method);
        MethodContract.LeavesNoTensor(method);
        MethodContract.NeedsWhatItSays(method);
    }
}
