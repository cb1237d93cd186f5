using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

public sealed class PlanTests
{
    private const string Study = """
        default-profile: mini
        settings:
          seed: 17
          models: [a, b]
          sizes: { a: 1, b: 2 }
          rates: { peak: 2e-5, steps: 40 }
        profiles:
          mini: {}
          quick: { rates: { steps: 3 }, models: [a] }
        stages:
          source:
            for: { model: $models }
            with: { number: $sizes.$model, label: "model-$model costs $$1" }
          train:
            for: { model: $models, method: [x, y] }
            exclude: [{ model: b, method: y }]
            in: { data: source }
            with: { seed: $seed, rates: $rates, options: { $nothing: 1 } }
          join:
            in: { parts: { from: train, where: { method: x } } }
        """;

    private static Plan Build(string yaml, string? profile = null, params string[] sets) =>
        PlanBuilder.Build(
            PipelineFile.Parse(yaml, "pipeline.yaml", Checkout.Root),
            new FakeStages().Catalog,
            new PlanRequest(profile, sets)
        );

    private static string Problems(string yaml, string? profile = null, params string[] sets) =>
        Assert.Throws<InputException>(() => Build(yaml, profile, sets)).Message;

    [Fact]
    public void A_matrix_is_expanded_and_inputs_follow_axes_of_the_same_name()
    {
        var plan = Build(Study);
        Assert.Equal(
            ["source[a]", "source[b]", "train[a,x]", "train[a,y]", "train[b,x]", "join"],
            plan.Cells.Select(c => c.Id.Text)
        );
        Assert.Equal("source[b]", Assert.IsType<CellOutputInput>(plan.Cells[4].Inputs.Single()).Cell.Text);
        Assert.Equal(
            ["train[a,x]", "train[b,x]"],
            plan.Cells[5].Inputs.Cast<CellOutputInput>().Select(i => i.Cell.Text)
        );
        var source = Assert.IsType<FakeStages.Source.Params>(plan.Cells[1].Parameters);
        Assert.Equal((2, "model-b costs $1"), (source.Number, source.Label));
        var train = Assert.IsType<FakeStages.Train.Params>(plan.Cells[2].Parameters);
        Assert.Equal((17ul, 2e-5, 40), (train.Seed, train.Rates.Peak, train.Rates.Steps));
    }

    [Fact]
    public void A_profile_and_the_command_line_change_values_and_nothing_else()
    {
        var plan = Build(Study, "quick", "rates.steps=5");
        Assert.Equal(["source[a]", "train[a,x]", "train[a,y]", "join"], plan.Cells.Select(c => c.Id.Text));
        Assert.Equal(5, ((FakeStages.Train.Params)plan.Cells[1].Parameters).Rates.Steps);
        Assert.Equal("--set rates.steps=5", plan.Settings.Single(s => s.Path == "rates.steps").Place.ToString());
    }

    [Fact]
    public void A_profile_may_replace_a_map_instead_of_merging_into_it()
    {
        var merged = Study.Replace("quick: { rates:", "quick: { sizes: { a: 9 }, rates:", StringComparison.Ordinal);
        Assert.Equal(
            ["a", "b"],
            Build(merged, "quick")
                .Settings.Where(s => s.Path.StartsWith("sizes.", StringComparison.Ordinal))
                .Select(s => s.Path[6..])
        );
        var replaced = Build(
            merged.Replace("sizes: { a: 9 }", "sizes: !replace { a: 9 }", StringComparison.Ordinal),
            "quick"
        );
        Assert.Equal(
            "sizes.a",
            replaced.Settings.Single(s => s.Path.StartsWith("sizes.", StringComparison.Ordinal)).Path
        );
        Assert.Contains(
            "the tag !other is not supported",
            Problems(merged.Replace("sizes: { a: 9 }", "sizes: !other { a: 9 }", StringComparison.Ordinal), "quick"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_profile_may_be_based_on_another()
    {
        var based = Study.Replace(
            "  quick: {",
            "  quicker: { based-on: quick, seed: 7 }\n  loop: { based-on: pool }\n  pool: { based-on: loop }\n  "
                + "lost: { based-on: quik }\n  two: { based-on: [quick, mini] }\n  quick: {",
            StringComparison.Ordinal
        );
        var quick = Build(based, "quick").Settings.ToDictionary(s => s.Path, s => s.Value?.ToJsonString());
        var quicker = Build(based, "quicker").Settings.ToDictionary(s => s.Path, s => s.Value?.ToJsonString());
        Assert.Equal("7", quicker["seed"]);
        Assert.Equal(quick.Where(s => s.Key != "seed"), quicker.Where(s => s.Key != "seed"));
        Assert.Contains("the profile 'loop' is based on itself", Problems(based, "loop"), StringComparison.Ordinal);
        Assert.Contains(
            "there is no profile 'quik'\n  hint: did you mean 'quick'?",
            Problems(based, "lost"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'based-on' must name one profile, not a list",
            Problems(based, "two"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Labels_of_an_axis_may_depend_on_the_axes_before_it_and_settings_on_settings()
    {
        const string uneven = """
            settings:
              models: [a, b]
              sets: { a: [small, large], b: [small] }
              sizes: { small: { number: 1, methods: $every }, large: { number: $big, methods: [x] } }
              every: [x, y]
              big: 7
            stages:
              source: { for: { set: $sets }, with: { number: $sizes.$set.number } }
              train: { for: { model: $models, set: $sets.$model, method: $sizes.$set.methods }, in: { data: source }, with: { seed: 1, rates: {} } }
            """;
        var plan = Build(uneven);
        Assert.Equal(
            [
                "source[small]",
                "source[large]",
                "train[a,small,x]",
                "train[a,small,y]",
                "train[a,large,x]",
                "train[b,small,x]",
                "train[b,small,y]",
            ],
            plan.Cells.Select(c => c.Id.Text)
        );
        Assert.Equal(7, ((FakeStages.Source.Params)plan.Cells[1].Parameters).Number);
        Assert.Equal(["small", "large"], plan.Stages[1].Axes[1].Value);
        Assert.Contains(
            "there is no setting 'sets.c'",
            Problems(uneven, null, "models=[a, c]"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the settings refer to each other in a circle",
            Problems(uneven, null, "big=$sizes.large.number"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_setting_on_the_way_of_a_path_may_name_another()
    {
        const string adjusted = """
            settings:
              sets: { plain: {}, other: { options: $gentle }, wrong: { options: $seed }, round: { options: $sets.round.options.deep } }
              names: [plain, other]
              gentle: { train: { steps: 5 } }
              seed: 1
            stages:
              source: { for: { set: $names }, with: { number: 1 } }
              train: { for: { set: $names }, in: { data: source }, with: { seed: 1, rates: {}, options: $sets.$set.options.train? } }
            """;
        Assert.Equal(
            [null, 5],
            Build(adjusted)
                .Cells.Select(c => c.Parameters)
                .OfType<FakeStages.Train.Params>()
                .Select(p => (int?)p.Options?["steps"])
        );
        Assert.Contains(
            "'sets.wrong.options' is a single value and has no 'train'",
            Problems(adjusted, null, "names=[wrong]"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the settings refer to each other in a circle",
            Problems(adjusted, null, "names=[round]"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void The_order_of_keys_does_not_change_the_parameters()
    {
        var turned = Study.Replace("peak: 2e-5, steps: 40", "steps: 40, peak: 2e-5", StringComparison.Ordinal);
        Assert.Equal(
            Build(Study).Cells.Select(c => c.ParametersJson.ToJsonString()),
            Build(turned).Cells.Select(c => c.ParametersJson.ToJsonString())
        );
    }

    [Fact]
    public void Everything_that_is_wrong_is_reported_together_with_place_and_hint() =>
        Snapshot.Matches(
            Problems(
                """
                default-profile: mini
                setings: {}
                settings:
                  models: [a, a, "b c"]
                  steps: many
                  number: -1
                profiles:
                  mini: { stepz: 5 }
                stages:
                  source:
                    for: { model: $modells }
                    with: { numbr: 1, number: $number }
                  train:
                    run: trian
                  second:
                    run: train
                    inn: {}
                    in: { data: source/nomber.txt }
                    with: { seed: yes, rates: [1], layers: [1, two], mode: plain-sdg }
                  third:
                    run: train
                    in: { data: { file: data/no-such-file.jsonl }, dta: source }
                    with: { seed: 1, rates: { steps: $steps } }
                  join:
                    in: { parts: nowhere }
                """
            ) + "\n",
            "plan-problems.txt"
        );

    [Fact]
    public void Cycle_is_reported_as_a_path() =>
        Assert.Contains(
            "pipeline.yaml(2,3): the stages read each other in a circle: one -> two -> one",
            Problems(
                """
                stages:
                  one: { run: join, in: { parts: two } }
                  two: { run: join, in: { parts: one } }
                """
            ),
            StringComparison.Ordinal
        );

    [Fact]
    public void Several_cells_behind_an_input_that_takes_one_are_named() =>
        Assert.Contains(
            "2 cells stand behind the input 'data', which takes one: source[a], source[b]",
            Problems(
                """
                stages:
                  source: { for: { model: [a, b] }, with: { number: 1 } }
                  train: { in: { data: source }, with: { seed: 1, rates: {} } }
                """
            ),
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("stages: [", "not valid YAML")]
    [InlineData("a: &x 1\nb: *x", "anchors and aliases are not supported")]
    [InlineData("settings: { a: 1 }\nsettings: { b: 2 }", "stands twice")]
    [InlineData("stages: !!python/object:os.system x", "is not supported")]
    [InlineData("just text", "must be a map")]
    public void Yaml_that_hides_something_is_refused(string yaml, string expected) =>
        Assert.Contains(expected, Problems(yaml), StringComparison.Ordinal);

    [Fact]
    public void Deep_nesting_is_refused_quickly() =>
        Assert.Contains(
            "nested deeper",
            Problems(string.Concat(Enumerable.Repeat("[", 2000))),
            StringComparison.Ordinal
        );

    [Fact]
    public void An_unknown_profile_or_setting_of_the_command_line_is_named()
    {
        Assert.Contains(
            "there is no profile 'quik'\n  hint: did you mean 'quick'?",
            Problems(Study, "quik"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "there is no setting 'rates.step' to change\n  hint: did you mean 'steps'?",
            Problems(Study, null, "rates.step=3"),
            StringComparison.Ordinal
        );
        Assert.Contains("is not of the form path=value", Problems(Study, null, "rates"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_nothing_asks_for_is_named_where_its_neighbours_are_read()
    {
        const string study = """
            settings:
              names: [a, b]
              sets: { a: { size: 1, optons: { train: { steps: 5 } } }, b: { size: 2, options: $gentle } }
              gentle: { train: { steps: 5 } }
              rates: { peak: 1e-5, nonsense: 1 }
              left-over: { whole: 3 }
            stages:
              source: { for: { set: $names }, with: { number: $sizes.$set.size, label: "$$sets.none" } }
              train: { when: { rates.peak: 1e-5 }, for: { set: $names }, in: { data: source }, with: { seed: 1, rates: $rates, options: $sets.$set.options.train? } }
            """;
        var problems = Problems(study.Replace("$sizes.", "$sets.", StringComparison.Ordinal));
        Assert.Contains(
            "pipeline.yaml(3,25): no stage reads 'sets.a.optons'\n  hint: did you mean 'options'?",
            problems,
            StringComparison.Ordinal
        );
        // what may be in a map that is passed whole is its reader's business
        Assert.Contains("'nonsense' is not a parameter here", problems, StringComparison.Ordinal);
        Assert.Equal(2, problems.Split("pipeline.yaml(").Length - 1);
        Assert.Contains(
            "--set sets.b.colour=red: no stage reads 'sets.b.colour'",
            Problems(study, null, "sets.b.colour=red"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Targets_name_cells_by_stage_label_or_file()
    {
        var plan = Build(Study);
        string[] Named(params string[] targets) => [.. Targets.Named(plan, targets).Select(c => c.Id.Text)];
        Assert.Equal(["train[a,x]", "train[a,y]", "train[b,x]"], Named("train"));
        Assert.Equal(["train[a,x]", "train[b,x]"], Named("train[*,x]"));
        Assert.Equal(["train[a,y]"], Named("train[y]"));
        Assert.Equal(["join"], Named("join/joined.txt"));
        Assert.Contains(
            "did you mean 'train'?",
            Assert.Throws<InputException>(() => Named("trian")).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            ["source[a]", "source[b]", "train[a,x]", "train[b,x]", "join"],
            Targets.WithUpstream(plan, Targets.Named(plan, ["join"])).Select(c => c.Id.Text)
        );
        Assert.Equal(
            ["source[b]", "train[b,x]", "join"],
            Targets.WithDownstream(plan, Targets.Named(plan, ["source[b]"])).Select(c => c.Id.Text)
        );
    }

    [Fact]
    public void The_graph_is_drawn_by_stage() =>
        Snapshot.Matches(
            Dag.Text(Build(Study), full: false)
                + "\n"
                + Dag.Mermaid(Build(Study), full: false)
                + "\n"
                + Dag.Dot(Build(Study), full: true),
            "dag.txt"
        );

    private const string TwoWays = """
        settings: { made-by: source, files: [a.txt, b.txt], fetch: get it, absent: null }
        profiles:
          found: { made-by: folder }
          none: { made-by: nobody }
        stages:
          source: { when: { made-by: source }, with: { number: 1 } }
          folder: { run: source, when: { made-by: [folder, other] }, in: { text: { file: model, obtain: $fetch } }, with: { number: 2 } }
          join: { in: { parts: $made-by } }
        """;

    [Fact]
    public void A_stage_is_left_out_where_its_setting_says_so()
    {
        Assert.Equal(["source", "join"], Build(TwoWays).Cells.Select(c => c.Id.Text));
        Assert.Equal(["folder", "join"], Build(TwoWays, "found").Cells.Select(c => c.Id.Text));
        Assert.Contains("there is no stage 'nobody'", Problems(TwoWays, "none"), StringComparison.Ordinal);
        Assert.Contains(
            "there is no setting 'made-buy'\n  hint: did you mean 'made-by'?",
            Problems(
                TwoWays.Replace("when: { made-by: source }", "when: { made-buy: source }", StringComparison.Ordinal)
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'files' must be a setting with a single value",
            Problems(TwoWays.Replace("when: { made-by: source }", "when: { files: source }", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_stage_that_is_left_out_stands_behind_no_input()
    {
        var optional = TwoWays + "\n  more: { run: source, in: { text: folder }, with: { number: 3 } }";
        Assert.Empty(Build(optional).Cells.Single(c => c.Id.Text == "more").Inputs);
        Assert.Single(Build(optional, "found").Cells.Single(c => c.Id.Text == "more").Inputs);
        var needed = TwoWays + "\n  more: { run: train, in: { data: folder }, with: { seed: 1, rates: {} } }";
        Assert.Contains(
            "the stage 'folder' is left out of this profile by its 'when', but 'more' reads it",
            Problems(needed),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_file_from_outside_may_be_absent_and_says_how_to_get_it()
    {
        var input = Assert.IsType<FileInput>(Build(TwoWays, "found").Cells[0].Inputs.Single());
        Assert.Equal(new FileInput("text", "model", "get it"), input);
        Assert.Contains(
            "there is no file 'model'",
            Problems(TwoWays.Replace(", obtain: $fetch", "", StringComparison.Ordinal), "found"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "there is no file 'model'",
            Problems(TwoWays.Replace("obtain: $fetch", "obtain: $fetched?", StringComparison.Ordinal), "found"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_list_of_files_stands_behind_an_input_that_takes_many()
    {
        var many = TwoWays.Replace(
            "parts: $made-by",
            "parts: { file: $files, obtain: $fetch }",
            StringComparison.Ordinal
        );
        Assert.Equal(["a.txt", "b.txt"], Build(many).Cells[^1].Inputs.Cast<FileInput>().Select(f => f.Path));
        Assert.Contains(
            "2 cells stand behind the input 'text'",
            Problems(TwoWays.Replace("file: model", "file: $files", StringComparison.Ordinal), "found"),
            StringComparison.Ordinal
        );
        Assert.Empty(
            Build(TwoWays.Replace("file: model", "file: $model?", StringComparison.Ordinal), "found").Cells[0].Inputs
        );
    }
}
