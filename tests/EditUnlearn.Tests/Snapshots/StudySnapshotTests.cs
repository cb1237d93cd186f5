using System.Text;
using EditUnlearn.Artifacts;
using EditUnlearn.Evaluation.Metrics;
using EditUnlearn.Methods;
using EditUnlearn.Models.Families;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;
using EditUnlearn.Tests.Support;
using Parquet.Schema;
using Parquet.Serialization;

namespace EditUnlearn.Tests.Snapshots;

/// <summary>What a reader of results relies on: the plan, the schemas, the words of the tool.</summary>
public sealed class StudySnapshotTests
{
    [Theory]
    [InlineData("mini")]
    [InlineData("smoke")]
    [InlineData("paper")]
    [InlineData("mini-oracle")]
    public void The_plan_of_each_profile_is_as_accepted(string profile)
    {
        var plan = PlanBuilder.Build(
            PipelineFile.Read(Path.Combine(Checkout.Root, "pipeline.yaml")),
            StudyStages.Catalog,
            new PlanRequest(profile)
        );
        var text = new StringBuilder(Dag.Text(plan, full: true));
        foreach (var cell in plan.Cells)
            text.Append('\n').Append(cell.Id).Append(' ').Append(cell.ParametersJson.ToJsonString());
        Snapshot.Matches(text.Append('\n').ToString(), $"plan-{profile}.txt");
    }

    [Fact]
    public void Parquet_schemas_are_as_accepted()
    {
        var text = new StringBuilder();
        foreach (
            var type in (Type[])
                [
                    typeof(QaRow),
                    typeof(SplitRow),
                    typeof(TargetRow),
                    typeof(AnswerRow),
                    typeof(ScoreRow),
                    typeof(CellScore),
                    typeof(TableCell),
                    typeof(TrainingRow),
                    typeof(TrainingSummaryRow),
                    typeof(MergeRow),
                    typeof(RatingRow),
                    typeof(RatingMean),
                    typeof(RatingPair),
                    typeof(RatingAgreement),
                    typeof(ForgetQualityRow),
                    typeof(ForgetQualityMean),
                ]
        )
        {
            text.AppendLine(type.Name);
            foreach (var field in type.GetParquetSchema(forWriting: true).Fields)
                text.AppendLine(
                    $"  {field.Name} "
                        + $"{(field is DataField d ? d.ClrType.Name + (d.IsNullable ? "?" : "") : field.SchemaType)}"
                );
        }
        Snapshot.Matches(text.ToString(), "schemas.txt");
    }

    [Fact]
    public void The_help_is_as_accepted()
    {
        using var tool = new Tool();
        Snapshot.Matches(tool.Run("--help").Out + tool.Run("repro", "--help").Out, "help.txt");
    }

    [Theory]
    [InlineData("src/Stages", "Stage.cs")]
    [InlineData("src/Evaluation/Metrics", ".cs")]
    [InlineData("src/Models/Families", ".cs")]
    public void Every_file_of_a_catalogued_folder_is_listed(string folder, string ending)
    {
        var listed = StudyStages
            .Catalog.All.Select(s => s.GetType().Name)
            .Concat([
                "Rouge1",
                "Probability",
                "MeanReciprocalRank",
                "HitRate",
                "Refusal",
                "AnswerForm",
                "Metric",
                "MetricProfile",
                "Llama2",
                "Mistral",
                "Llama31",
                "Qwen2",
                "Qwen3",
                "Family",
            ])
            .ToHashSet(StringComparer.Ordinal);
        Assert.Empty(
            Directory
                .EnumerateFiles(Path.Combine(Checkout.Root, folder), "*" + ending)
                .Select(Path.GetFileNameWithoutExtension)
                .Where(n => n is not null && !listed.Contains(n))
        );
        Assert.Equal(MetricCatalog.All.Count, MetricCatalog.All.Select(m => m.Name).Distinct().Count());
        Assert.All(
            MetricProfile.All.SelectMany(p => p.Columns),
            c => Assert.Contains(MetricCatalog.All, m => m.Name == c.Value)
        );
        Assert.Equal(["llama2", "mistral", "llama31", "qwen2", "qwen3"], FamilyCatalog.All.Select(f => f.Name));
    }

    [Fact]
    public void Every_method_class_is_in_the_catalogue()
    {
        var classes = typeof(IMethod)
            .Assembly.GetTypes()
            .Where(t => t is { IsClass: true, IsAbstract: false } && typeof(IMethod).IsAssignableFrom(t));
        Assert.Empty(classes.Where(c => MethodCatalog.All.All(m => m.Method != c)).Select(c => c.Name));
        foreach (var method in MethodCatalog.All)
            foreach (var preset in method.PresetNames)
            {
                Assert.NotNull(MethodCatalog.Bind(method.Name, preset, null, out var problems));
                Assert.Empty(problems);
            }
    }
}
