using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Stages;

/// <summary>A model repeats another with a seed of its own, and what was there before stays what it was.</summary>
public sealed class SeedAxisTests
{
    // What makes one number of many runs, and so differs with them.
    private static readonly string[] Reports =
    [
        "first-table",
        "known-table",
        "ratings",
        "tables",
        "tables-paper",
        "figures",
        "cases",
        "claims",
        "report",
    ];

    private static Plan Of(string profile, params string[] set) =>
        PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest(profile, set)
        );

    private static string KeyOf(Cell cell) =>
        CellKey.Of(cell, "code", [], "cpu", "float32") + string.Join(';', cell.Inputs);

    [Fact]
    public void What_one_seed_has_made_is_used_again_by_three()
    {
        var three = Of("mini-seeds").Cells.ToDictionary(c => c.Id.Text, KeyOf, StringComparer.Ordinal);
        var one = Of("mini").Cells.Where(c => !Reports.Contains(c.Id.Stage)).ToList();
        Assert.NotEmpty(one);
        Assert.All(one, c => Assert.Equal(KeyOf(c), three[c.Id.Text]));
    }

    [Fact]
    public void A_repeat_has_its_own_seed_in_all_that_rests_on_the_model_and_the_questions_of_the_study()
    {
        var cells = Of("mini-seeds").Cells;
        foreach (
            var cell in cells.Where(c => c.Id.Axis("model") is { } m && m.EndsWith("-18", StringComparison.Ordinal))
        )
        {
            if (cell.Parameters is ScoreStage.Params score)
                Assert.Equal((17ul, 18ul, cell.Id.Axis("model")![..^3]), (score.Seed, score.ModelSeed, score.Repeats));
            else if (cell.Id.Stage == "splits") // the questions of the study
                Assert.Equal(0, (int)cell.ParametersJson["seed"]!);
            else if (cell.ParametersJson["seed"] is { } seed)
                Assert.Equal(18, (int)seed);
        }
        Assert.All(
            cells.Where(c => c.Id.Stage is "data" or "rephrase"),
            c => Assert.Equal(17, (int)c.ParametersJson["seed"]!)
        );
        // Each model of the study three times over, on the same sets with the same methods.
        foreach (var model in (string[])["llama2", "mistral", "llama31"])
        {
            int Scores(string label) => cells.Count(c => c.Id.Stage == "score" && c.Id.Axis("model") == label);
            Assert.True(Scores(model) > 0);
            Assert.Equal((Scores(model), Scores(model)), (Scores(model + "-18"), Scores(model + "-19")));
        }
    }

    [Fact]
    public void A_repeat_of_nobody_is_a_mistake_with_a_hint()
    {
        var problem = Assert
            .Throws<InputException>(() => Of("mini-seeds", "models.llama2-18.repeats=llama3"))
            .Problems.First(p => p.Message.Contains("llama3", StringComparison.Ordinal));
        Assert.Contains("names 'llama3', which plays no part in the tables", problem.Message);
        Assert.Contains("did you mean", problem.Hint);
    }
}
