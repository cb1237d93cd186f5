using System.Text.Json.Nodes;

namespace EditUnlearn.Benchmarks.Beside;

/// <summary>The toolkit's parameters under our names.</summary>
internal static class ToolkitNames
{
    private static readonly Dictionary<string, (string Theirs, string Ours)[]> Names = new(StringComparer.Ordinal)
    {
        ["rome"] = [("layers", "layers")],
        ["memit"] = [("layers", "layers"), ("mom2_update_weight", "lambda")],
        ["alphaedit"] = [("layers", "layers"), ("nullspace_threshold", "nullSpaceThreshold"), ("L2", "ridge")],
        ["grace"] = [("layer", "layer"), ("edit_lr", "learningRate"), ("n_iter", "steps"), ("eps", "radius")],
        ["wise"] =
        [
            ("layer", "layer"),
            ("edit_lr", "learningRate"),
            ("n_iter", "steps"),
            ("alpha", "alpha"),
            ("beta", "beta"),
            ("gamma", "gamma"),
            ("act_ratio", "actRatio"),
            ("mask_ratio", "maskRatio"),
            ("norm_constraint", "normConstraint"),
        ],
    };

    private static readonly (string Theirs, string Ours)[] Value =
    [
        ("v_num_grad_steps", "steps"),
        ("v_lr", "learningRate"),
        ("v_weight_decay", "weightDecay"),
        ("clamp_norm_factor", "clampNormFactor"),
        ("kl_factor", "klFactor"),
    ];

    /// <summary>What differs from our reference preset in a run of the study.</summary>
    /// <param name="method">Name in the catalogue.</param>
    /// <param name="plan">The run.</param>
    /// <param name="edits">How many facts; MEMIT writes them all at once.</param>
    public static JsonObject Options(string method, EditingPlan plan, int edits)
    {
        var options = Renamed(plan.Parameters, Names[method]);
        options["format"] = plan.Raw ? "raw" : "chat";
        switch (method)
        {
            case "grace":
                options["join"] = " ";
                break;
            case "wise":
                options["join"] = " ";
                options["contexts"] = plan.Templates.Count - 1;
                options["routeBatch"] = 1; // asked one question at a time
                break;
            default:
                options["contexts"] = plan.Templates.Count - 1;
                options["value"] = Renamed(plan.Parameters, Value);
                break;
        }
        if (method == "memit")
            options["batchSize"] = edits;
        return options;
    }

    private static JsonObject Renamed(JsonObject theirs, (string Theirs, string Ours)[] names)
    {
        var ours = new JsonObject();
        foreach (var (from, to) in names)
            ours[to] = theirs[from]!.DeepClone();
        return ours;
    }
}
