using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Unit.Pipeline;

public sealed class PlanTests
{
    private const string Study = """
        default-profile: mini
        stages:
          source:
            for: { model: models }
            with: { number: $model.size, label: "model-$model costs $$1" }
          train:
            for: { model: models, method: [x, y] }
            in: { data: source }
            with: { seed: $seed, rates: $rates, options: { some-thing: 1 } }
          join:
            in: { parts: "train[*, x]" }
        --- mini
        seed: 17
        models: { a: { size: 1 }, b: { size: 2 } }
        rates: { peak: 2e-5, steps: 40 }
        --- quick
        based-on: mini
        rates: { steps: 3 }
        models: { b: { abstract: true } }
        """;

    private static Plan Build(string yaml, string? profile = null, params string[] sets) =>
        PlanBuilder.Build(
            StudyText.Parse(yaml, Checkout.Root),
            new FakeStages().Catalog,
            new PlanRequest(profile, sets)
        );

    private static string Problems(string yaml, string? profile = null, params string[] sets) =>
        Assert.Throws<InputException>(() => Build(yaml, profile, sets)).Message;

    private static void Says(string expected, string yaml, string? profile = null, params string[] sets) =>
        Assert.Contains(expected, Problems(yaml, profile, sets), StringComparison.Ordinal);

    private static string[] CellsOf(Plan plan) => [.. plan.Cells.Select(c => c.Id.Text)];

    private static string[] InputsOf(Plan plan, string cell) =>
        [
            .. plan
                .Cells.Single(c => c.Id.Text == cell)
                .Inputs.Select(i => i is CellOutputInput o ? $"{o.Cell}/{o.Output}" : ((FileInput)i).Path),
        ];

    [Fact]
    public void A_matrix_is_expanded_and_inputs_follow_axes_of_the_same_name()
    {
        var plan = Build(Study);
        Assert.Equal(
            ["source[a]", "source[b]", "train[a,x]", "train[a,y]", "train[b,x]", "train[b,y]", "join"],
            CellsOf(plan)
        );
        Assert.Equal(["source[b]/number.txt"], InputsOf(plan, "train[b,x]"));
        Assert.Equal(["train[a,x]/model.txt", "train[b,x]/model.txt"], InputsOf(plan, "join"));
        var source = Assert.IsType<FakeStages.Source.Params>(plan.Cells[1].Parameters);
        Assert.Equal((2, "model-b costs $1"), (source.Number, source.Label));
        var train = Assert.IsType<FakeStages.Train.Params>(plan.Cells[2].Parameters);
        Assert.Equal((17ul, 2e-5, 40), (train.Seed, train.Rates.Peak, train.Rates.Steps));
        Assert.Equal(1, (int?)train.Options?["someThing"]);
    }

    [Fact]
    public void A_profile_and_the_command_line_change_values_and_nothing_else()
    {
        var plan = Build(Study, "quick", "rates.steps=5");
        Assert.Equal(["source[a]", "train[a,x]", "train[a,y]", "join"], CellsOf(plan));
        Assert.Equal(5, ((FakeStages.Train.Params)plan.Cells[1].Parameters).Rates.Steps);
        Assert.Equal("--set rates.steps=5", plan.Settings.Single(s => s.Path == "rates.steps").Place.ToString());
        var origin = plan.Cells[1].Origins["rates.steps"];
        Assert.Equal("--set rates.steps=5", origin.Place.ToString());
        Assert.Equal(
            ["3 profiles/quick.yaml:2", "40 profiles/mini.yaml:3"],
            origin.Overridden.Select(o => $"{o.Value} {o.Place}")
        );
    }

    [Fact]
    public void A_profile_may_replace_a_map_instead_of_merging_into_it()
    {
        const string maps = """
            stages:
              source: { with: { number: 1 } }
            --- low
            sizes: { a: 1, b: 2 }
            --- merged
            based-on: low
            sizes: { a: 9 }
            --- replaced
            based-on: low
            sizes: !replace { a: 9 }
            --- other
            based-on: low
            sizes: !other { a: 9 }
            """;
        string[] Sizes(string profile) => [.. Build(maps, profile).Settings.Select(s => $"{s.Path}={s.Value}")];
        Assert.Equal(["sizes.a=9", "sizes.b=2"], Sizes("merged"));
        Assert.Equal(["sizes.a=9"], Sizes("replaced"));
        Says("profiles/other.yaml(2,8): the tag !other is not supported", maps, "other");
    }

    [Fact]
    public void A_profile_may_be_based_on_another_and_may_be_there_for_others_only()
    {
        const string chain = """
            stages:
              source: { with: { number: $number } }
            --- low
            abstract: true
            number: 1
            --- high
            based-on: low
            number: 2
            --- loop
            based-on: pool
            --- pool
            based-on: loop
            --- lost
            based-on: hihg
            --- two
            based-on: [low, high]
            """;
        Assert.Equal(2, ((FakeStages.Source.Params)Build(chain, "high").Cells[0].Parameters).Number);
        Assert.Equal(["high", "loop", "lost", "pool", "two"], StudyText.Parse(chain, Checkout.Root).Profiles);
        Says("the profile 'low' is abstract: other profiles are based on it", chain, "low");
        Says("the profile 'loop' is based on itself", chain, "loop");
        Says("profiles/lost.yaml(1,11): there is no profile 'hihg'\n  hint: did you mean 'high'?", chain, "lost");
        Says("'based-on' must name one profile, not a list", chain, "two");
        Says("there is no profile 'hgih'\n  hint: did you mean 'high'?", chain, "hgih");
    }

    private const string Uneven = """
        stages:
          source:
            for:
              set:
                of: sets
                only: $models.*.sets
            with:
              number: $set.number
          train:
            for:
              model: models
              set:
                of: sets
                only: $model.sets
              method:
                of: methods
                only: $set.methods?
                where:
                  kind: $set.kinds?
            in:
              data: source
            with:
              seed: 1
              rates: {}
              options: $method.on[$set]?
        --- default
        big: 7
        models:
          a: { sets: [small, large] }
          b: { sets: [small, third] }
        sets:
          any: { abstract: true, number: 1 }
          small: { based-on: any }
          large: { based-on: any, number: $big, methods: [x, z] }
          third: { based-on: large, methods: null, kinds: [slow, odd] }
        methods:
          x: { kind: fast }
          y: { kind: slow, on: { third: { deep: { a-b: 2 } } } }
          z: { kind: slow }
        """;

    [Fact]
    public void An_axis_carries_the_values_of_its_map_and_later_axes_choose_by_earlier_ones()
    {
        var plan = Build(Uneven);
        Assert.Equal(
            [
                "source[small]",
                "source[large]",
                "source[third]",
                "train[a,small,x]",
                "train[a,small,y]",
                "train[a,small,z]",
                "train[a,large,x]",
                "train[a,large,z]",
                "train[b,small,x]",
                "train[b,small,y]",
                "train[b,small,z]",
                "train[b,third,y]",
                "train[b,third,z]",
            ],
            CellsOf(plan)
        );
        Assert.Equal(
            [1, 7, 7],
            plan.Cells.Select(c => c.Parameters).OfType<FakeStages.Source.Params>().Select(p => p.Number)
        );
        Assert.Equal(["small", "large", "third"], plan.Stages[1].Axes[1].Value);
        var y = (FakeStages.Train.Params)plan.Cells.Single(c => c.Id.Text == "train[b,third,y]").Parameters;
        Assert.Equal("""{"deep":{"aB":2}}""", y.Options!.ToJsonString());
    }

    [Fact]
    public void What_is_wrong_with_a_label_is_said_where_the_label_stands()
    {
        Says(
            "profiles/default.yaml(4,15): there is no 'smal' in 'sets'\n  hint: did you mean 'small'?",
            Uneven.Replace("b: { sets: [small,", "b: { sets: [smal,", StringComparison.Ordinal)
        );
        Says("'any' is abstract: others of 'sets' are based on it", Uneven, null, "models.a.sets=[any]");
        Says("'small' stands here twice", Uneven, null, "models.a.sets=[small, small]");
        Says(
            "there is no 'anny' beside 'small' to be based on\n  hint: did you mean 'any'?",
            Uneven.Replace("small: { based-on: any }", "small: { based-on: anny }", StringComparison.Ordinal)
        );
        Says(
            "'large' is based on itself",
            Uneven.Replace(
                "any: { abstract: true,",
                "any: { abstract: true, based-on: third,",
                StringComparison.Ordinal
            )
        );
        Says("the settings refer to each other in a circle", Uneven, null, "big=$sets.large.number");
        Says(
            "there is no setting 'set.numbr'\n  hint: did you mean 'number'?",
            Uneven
                .Replace("number: $set.numbr", "", StringComparison.Ordinal)
                .Replace("number: $set.number", "number: $set.numbr", StringComparison.Ordinal)
        );
        Says(
            "the axis 'k' is a list of labels and has no 'size'",
            "stages:\n  source: { for: { k: [p] }, with: { number: $k.size } }"
        );
    }

    private const string Names = """
        stages:
          small:
            run: source
            with: { number: 1 }
          large:
            run: source
            for: { model: models }
            with: { number: 2 }
          ready:
            for: { model: models, version: versions }
            is: $version.cell
          train:
            for: { model: models, version: versions }
            in: { data: ready }
            with: { seed: 1, rates: {} }
          more:
            run: join
            in: { parts: "ready[b, *]/more" }
        --- default
        models: { a: {}, b: {} }
        versions: { plain: { cell: small }, taught: { cell: "large[$model]" } }
        """;

    [Fact]
    public void Another_name_stands_for_cells_elsewhere()
    {
        var plan = Build(Names);
        Assert.DoesNotContain(plan.Cells, c => c.Id.Stage == "ready");
        Assert.Equal(["small/number.txt"], InputsOf(plan, "train[b,plain]"));
        Assert.Equal(["large[b]/number.txt"], InputsOf(plan, "train[b,taught]"));
        Assert.Equal(["small/more", "large[b]/more"], InputsOf(plan, "more"));
        Says(
            "there is no cell ready[xyzzy,plain]\n  hint: model: known: a, b",
            Names.Replace("data: ready }", "data: \"ready[xyzzy, plain]\" }", StringComparison.Ordinal)
        );
        Says(
            "'ready[b]' has 1 label(s) where the stage has 2 axes\n  hint: ready[model, version]",
            Names.Replace("ready[b, *]/more", "ready[b]", StringComparison.Ordinal)
        );
        Says(
            "'ready' is another name for itself",
            Names.Replace("cell: small", "cell: \"ready[a, plain]\"", StringComparison.Ordinal)
        );
        Says(
            "there is no stage 'smal'\n  hint: did you mean 'small'?",
            Names.Replace("cell: small", "cell: smal", StringComparison.Ordinal)
        );
        Says(
            "'run' has no meaning beside 'is'",
            Names.Replace("is: $version.cell", "is: $version.cell\n    run: source", StringComparison.Ordinal)
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
    public void Twenty_mistakes_of_different_kinds_are_twenty_messages_in_one_go()
    {
        const string broken = """
            default-profile: mini
            settings: {}
            stages:
              source:
                for: { model: modells }
                with: { numbr: 1, number: $number }
              train:
                run: trian
              second:
                run: train
                when: { models: a }
                in: { data: source/nomber.txt }
                with: { seed: yes, rates: [1], layers: [1, two], mode: plain-sdg }
              third:
                run: train
                in: { data: { file: data/no-such-file.jsonl }, dta: source }
                with: { seed: 1, rates: { steps: $steps }, options: { learningRate: 1 } }
              fourth:
                run: source
                for: { set: { of: sets, only: $wanted } }
                with: { number: $set.sise }
              join:
                in: { parts: nowhere }
              6th:
                run: source
                in: { text: { from: source } }
                with: { number: -1 }
            --- mini
            steps: many
            number: -1
            wanted: [small, abstract-one]
            sets:
              small: { based-on: nothing, size: 1 }
              abstract-one: { abstract: true, size: 2 }
              other: { colour: red, size: 3 }
            models: { a: {} }
            """;
        var problems = Assert.Throws<InputException>(() => Build(broken)).Problems;
        Assert.True(problems.Count >= 20, $"{problems.Count} problems");
        Assert.All(problems, p => Assert.True(p.Line > 0 && p.Column > 0, p.ToString()));
        Snapshot.Matches(string.Join('\n', problems) + "\n", "plan-problems.txt");
    }

    [Fact]
    public void A_mistake_that_shows_in_many_cells_is_said_once_and_stops_none_of_them() =>
        Assert.Equal(
            "profiles/default.yaml(1,8): 'rates.steps' must be a whole number, not 'many'",
            Problems(
                """
                stages:
                  source: { for: { k: [p, q, r] }, with: { number: 1 } }
                  train: { for: { k: [p, q, r] }, in: { data: source }, with: { seed: 1, rates: { steps: $steps } } }
                --- default
                steps: many
                """
            )
        );

    [Fact]
    public void Words_of_earlier_versions_are_answered_with_what_replaced_them()
    {
        Says(
            "pipeline.yaml(1,1): 'settings' was replaced\n  hint: values live in profiles/<name>.yaml",
            "settings: { a: 1 }\nstages: {}"
        );
        Says("'profiles' was replaced\n  hint: each profile is a file of its own", "profiles: {}\nstages: {}");
        const string old = """
            stages:
              source: { when: { a: b }, with: { number: 1 } }
              join: { exclude: [], in: { parts: { from: source, where: { k: p } } } }
            """;
        Says("'when' of a stage was replaced", old);
        Says("'exclude' of a stage was replaced", old);
        Says("'from' of an input was replaced\n  hint: write the name of the stage itself", old);
        Says("'where' of an input was replaced\n  hint: write the labels behind the stage", old);
        Says(
            "'learningRate' is not a key\n  hint: keys are written with hyphens: learning-rate",
            """
            stages:
              source: { with: { number: 1 } }
              train: { in: { data: source }, with: { seed: 1, rates: {}, options: { learningRate: 1 } } }
            """
        );
    }

    [Fact]
    public void Cycle_is_reported_as_a_path() =>
        Says(
            "pipeline.yaml(2,3): the stages read each other in a circle: one -> two -> one",
            """
            stages:
              one: { run: join, in: { parts: two } }
              two: { run: join, in: { parts: one } }
            """
        );

    [Fact]
    public void Several_cells_behind_an_input_that_takes_one_are_named() =>
        Says(
            "2 cells stand behind the input 'data', which takes one: source[a], source[b]",
            """
            stages:
              source: { for: { model: [a, b] }, with: { number: 1 } }
              train: { in: { data: source }, with: { seed: 1, rates: {} } }
            """
        );

    [Theory]
    [InlineData("stages: [", "not valid YAML")]
    [InlineData("a: &x 1\nb: *x", "anchors and aliases are not supported")]
    [InlineData("stages: { a: 1 }\nstages: { b: 2 }", "stands twice")]
    [InlineData("stages: !!python/object:os.system x", "is not supported")]
    [InlineData("just text", "must be a map")]
    [InlineData("default-profile: [a]\nstages: {}\n--- a\nx: 1", "'default-profile' must name one profile")]
    [InlineData("stages: {}\n--- a\n- x", "a profile must be a map of settings, not a list")]
    public void Yaml_that_hides_something_is_refused(string yaml, string expected) => Says(expected, yaml);

    [Fact]
    public void Deep_nesting_is_refused_quickly() => Says("nested deeper", string.Concat(Enumerable.Repeat("[", 2000)));

    [Fact]
    public void An_unknown_setting_of_the_command_line_is_named()
    {
        Says("there is no setting 'rates.step' to change\n  hint: did you mean 'steps'?", Study, null, "rates.step=3");
        Says("there is no setting 'rate' to change\n  hint: did you mean 'rates'?", Study, null, "rate=3");
        Says("is not of the form path=value", Study, null, "rates");
    }

    [Fact]
    public void A_key_that_nothing_asks_for_is_named_where_its_neighbours_are_read()
    {
        const string study = """
            stages:
              source:
                for: { set: sets }
                with: { number: $set.size, label: "$$sets.none" }
              train:
                for: { set: sets }
                in: { data: source }
                with: { seed: 1, rates: $rates, options: $set.options.train?, layers: $layers? }
            --- default
            sets: { a: { size: 1, optons: { train: { steps: 5 } } }, b: { size: 2, options: $gentle } }
            gentle: { train: { steps: 5 } }
            rates: { peak: 1e-5, nonsense: 1 }
            left-over: { whole: 3 }
            layerz: [1]
            """;
        var problems = Problems(study);
        Assert.Contains(
            "profiles/default.yaml(1,23): no stage reads 'sets.a.optons'\n  hint: did you mean 'options'?",
            problems,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "profiles/default.yaml(5,1): no stage reads 'layerz'\n  hint: did you mean 'layers'?",
            problems,
            StringComparison.Ordinal
        );
        // what may be in a map that is passed whole is its reader's business
        Assert.Contains("'nonsense' is not a parameter here", problems, StringComparison.Ordinal);
        Assert.Equal(3, problems.Split(".yaml(").Length - 1);
        Says("--set sets.b.colour=red: no stage reads 'sets.b.colour'", study, null, "sets.b.colour=red");
    }

    [Fact]
    public void Targets_name_cells_by_stage_label_or_file()
    {
        var plan = Build(Study);
        string[] Named(params string[] targets) => [.. Targets.Named(plan, targets).Select(c => c.Id.Text)];
        Assert.Equal(["train[a,x]", "train[a,y]", "train[b,x]", "train[b,y]"], Named("train"));
        Assert.Equal(["train[a,x]", "train[b,x]"], Named("train[*,x]"));
        Assert.Equal(["train[a,y]", "train[b,y]"], Named("train[y]"));
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
            ["source[b]", "train[b,x]", "train[b,y]", "join"],
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
        stages:
          made:
            run: source
            for: { model: { of: models, having: size } }
            with: { number: $model.size }
          folder:
            run: source
            for: { model: { of: models, having: folder } }
            in: { text: { file: $model.folder, obtain: $fetch } }
            with: { number: 2 }
          more:
            run: source
            in: { text: "folder[b]" }
            with: { number: 3 }
          join: { in: { parts: { file: $files, obtain: $fetch } } }
        --- default
        models: { a: { size: 1 }, b: { folder: model } }
        files: [a.txt, b.txt]
        fetch: get it
        --- all-made
        based-on: default
        models: { b: !replace { size: 3 } }
        """;

    [Fact]
    public void Axes_choose_the_labels_that_have_a_value_and_a_stage_without_cells_is_no_part_of_the_plan()
    {
        Assert.Equal(["made[a]", "folder[b]", "more", "join"], CellsOf(Build(TwoWays)));
        var made = Build(TwoWays, "all-made");
        Assert.Equal(["made[a]", "made[b]", "more", "join"], CellsOf(made));
        Assert.DoesNotContain(made.Stages, s => s.Name == "folder");
        Assert.Empty(InputsOf(made, "more"));
        Says(
            "no cell stands behind the input 'data' of needy",
            TwoWays.Replace(
                "stages:",
                "stages:\n  needy: { run: train, in: { data: \"folder[b]\" }, with: { seed: 1, rates: {} } }",
                StringComparison.Ordinal
            ),
            "all-made"
        );
    }

    [Fact]
    public void A_file_from_outside_may_be_absent_and_says_how_to_get_it()
    {
        var input = Assert.IsType<FileInput>(Build(TwoWays).Cells[1].Inputs.Single());
        Assert.Equal(new FileInput("text", "model", "get it"), input);
        Says(
            "there is no file 'model'",
            TwoWays.Replace("file: $model.folder, obtain: $fetch", "file: $model.folder", StringComparison.Ordinal)
        );
        Says(
            "there is no file 'model'",
            TwoWays.Replace("folder, obtain: $fetch", "folder, obtain: $fetched?", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void A_list_of_files_stands_behind_an_input_that_takes_many()
    {
        Assert.Equal(["a.txt", "b.txt"], InputsOf(Build(TwoWays), "join"));
        Says("2 cells stand behind the input 'text'", TwoWays, null, "models.b.folder=[a.txt, b.txt]");
        Assert.Empty(
            InputsOf(Build(TwoWays.Replace("file: $files", "file: $nothing?", StringComparison.Ordinal)), "join")
        );
    }

    [Fact]
    public void Inputs_that_the_parameters_make_no_use_of_are_left_out()
    {
        const string study = """
            stages:
              source: { with: { number: 1 } }
              picky:
                for: { k: [p, q] }
                in: { wanted: source }
                with:
                  use: $uses[$k]
            --- default
            uses: { p: true, q: false }
            """;
        var plan = PlanBuilder.Build(
            StudyText.Parse(study, Checkout.Root),
            new StageCatalog([.. new FakeStages().Catalog.All, new Picky()]),
            new PlanRequest()
        );
        Assert.Equal(["source/number.txt"], InputsOf(plan, "picky[p]"));
        Assert.Empty(InputsOf(plan, "picky[q]"));
    }

    private sealed class Picky : Stage<Picky.Params>
    {
        public sealed record Params(bool Use);

        public override StageInfo Info { get; } =
            new("picky", 1, "reads only what it is asked to read")
            {
                Inputs = [new("wanted", InputCount.Optional)],
                Outputs = ["x.txt"],
            };

        protected override bool Uses(Params parameters, string input) => parameters.Use;

        protected override void Run(Params parameters, StageIo io) => File.WriteAllText(io.Output("x.txt"), "x");
    }

    [Fact]
    public void What_the_program_lists_is_a_map_that_profiles_give_values()
    {
        var catalog = new StageCatalog(
            new FakeStages().Catalog.All,
            new KnownEntries("methods", [("x", [("kind", "fast")]), ("y", [("kind", "slow")])])
        );
        const string study = """
            stages:
              source:
                for: { method: methods }
                with: { number: $method.size?, label: $method.kind }
            --- default
            methods: { y: { size: 5 }, x: { size: 4 } }
            --- wrong
            based-on: default
            methods: { other: { size: 5 } }
            """;
        var plan = PlanBuilder.Build(StudyText.Parse(study, Checkout.Root), catalog, new PlanRequest());
        Assert.Equal(["source[x]", "source[y]"], CellsOf(plan));
        Assert.Equal([4, 5], plan.Cells.Select(c => ((FakeStages.Source.Params)c.Parameters).Number));
        Assert.Contains(
            "profiles/wrong.yaml(2,12): there is no setting 'methods.other' to change\n  hint: known: x, y",
            Assert
                .Throws<InputException>(() =>
                    PlanBuilder.Build(StudyText.Parse(study, Checkout.Root), catalog, new PlanRequest("wrong"))
                )
                .Message,
            StringComparison.Ordinal
        );
    }
}
