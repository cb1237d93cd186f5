using EditUnlearn.Foundation;
using EditUnlearn.Methods;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Chat;
using EditUnlearn.Models.Patches;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Models.Weights;
using EditUnlearn.Tests.Support;
using static TorchSharp.torch;

namespace EditUnlearn.Tests.Fuzzing;

/// <summary>Readers of checkpoints, patches and statistics.</summary>
public static partial class FuzzTargets
{
    private const string ModelName = "fuzzed";

    private static readonly ModelConfig TokenizerConfig = TinyModels.Llama().Config with { VocabSize = 1 << 16 };
    private static readonly CausalLm Model = TinyModels.Lively();
    private static readonly int[] Layers = [0, 2];

    private static FuzzTarget Weights() =>
        new(
            "weights, index and config",
            [
                .. Written(f => TinyCheckpoints.Write(f.Path, layers: 1))
                    .Where(f => f.Form is FuzzedForm.Safetensors or FuzzedForm.Json),
            ],
            f => Freed(() => WeightFolder.Load(f.Path, CPU, ScalarType.BFloat16)),
            Weight: 3
        );

    private static FuzzTarget Tokenizer(string name, string file, FuzzedForm form, byte[] whole) =>
        new(name, [new(file, form, whole)], Tokenize);

    private static FuzzTarget TokenizerSettings() =>
        new(
            "settings of a tokenizer",
            [
                Json(
                    "tokenizer_config.json",
                    """
                    {"add_bos_token": true, "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>",
                     "added_tokens_decoder": {"0": {"content": "<unk>", "special": true},
                                              "290": {"content": "<m>", "special": false}}}
                    """
                ),
                Json("special_tokens_map.json", """{"bos_token": "<s>", "additional_special_tokens": ["<m>"]}"""),
                Json("added_tokens.json", """{"<pad>": 289, "<x>": 288}"""),
            ],
            f =>
            {
                File.WriteAllBytes(f["tokenizer.model"], SmallModel);
                Tokenize(f);
            }
        );

    private static readonly byte[] SmallModel = TinyTokenizers.Model(TinyTokenizers.Pieces(TinyTokenizers.Words()));

    private static void Tokenize(TemporaryFolder folder)
    {
        var tokenizer = TokenizerFolder.Load(folder.Path, TokenizerConfig);
        var ids = tokenizer.EncodeWithOffsets("abab aad\u00E9 \U0001F600 12 <s> <m>\n").Select(s => s.Id).ToList();
        if (ids.Exists(i => i < 0 || i >= tokenizer.VocabSize))
            throw new InvalidDataException("an id is not in the vocabulary");
        tokenizer.Decode(ids.Append(-1).Append(int.MaxValue));
    }

    private static FuzzTarget ChatTemplateText() =>
        new(
            "chat template",
            [
                Text(
                    "chat_template.jinja",
                    """
                    {%- macro head(role) %}{{- '<|' ~ role ~ '|>\n' }}{%- endmacro %}
                    {%- set ns = namespace(n=0, seen=[]) %}
                    {%- for m in messages if m.role != 'x' %}
                    {%- if loop.first and m['role'] == 'system' %}{{ raise_exception('no ' ~ m.role) }}{% endif %}
                    {%- set ns.n = ns.n + 1 %}{% set ns.seen = ns.seen + [m.role] %}
                    {{- head(m.role) + m.content | trim + '<|end|>' }}
                    {%- else %}none{%- endfor %}
                    {{ messages | map(attribute='content') | map('upper') | list | tojson }}
                    {%- if add_generation_prompt %}{{ head('assistant') }}{% endif %}
                    """
                ),
            ],
            f =>
            {
                File.WriteAllBytes(f["tokenizer.model"], SmallModel);
                PublishedTemplate.Read(TokenizerFiles.Read(f.Path))?.Render([("user", "Who?")], prompt: true);
            }
        );

    private static FuzzTarget ChatTemplateFile() =>
        new(
            "template file of one's own",
            [
                Json(
                    "own.json",
                    """
                    {"name": "own", "source": "", "pattern": "<|u|>{q}<|a|>", "marks": ["<|u|>", "<|a|>"],
                     "bos": "config", "stop": ["</s>"]}
                    """
                ),
            ],
            f => TemplateCatalog.Find(f["own.json"]).Prompt("?")
        );

    private static FuzzTarget WeightPatches() =>
        new(
            "patch of weights",
            Written(f =>
            {
                using var patch = new WeightPatch([
                    new(TensorNames.DownProj(1), new LowRankChange(ones(32, 1), ones(56, 1))),
                    new(TensorNames.DownProj(0), new FullChange(ones(32, 56))),
                ]);
                patch.Save(f.Path);
            }),
            Patched
        );

    private static FuzzTarget Codebooks() =>
        new("codebook", Written(f => Save(f, new Grace(new Grace.Options { Layer = 1, Steps = 2 }))), Patched);

    private static FuzzTarget SideMemories() =>
        new(
            "side memory",
            Written(f =>
            {
                using var patch = new SideMemoryPatch(1, [new SideMemory(zeros(32, 56), 1)], new Routing());
                patch.Save(f.Path);
            }),
            Patched
        );

    private static void Save(TemporaryFolder folder, IMethod method)
    {
        var inputs = new MethodInputs { Edits = [new EditRequest("a", [1, 5, 6, 7], 2, [8, 9], [], 0)] };
        using var patch = method.Edit(Model, inputs, new Seed(1));
        patch.Save(folder.Path);
    }

    private static void Patched(TemporaryFolder folder) => Freed(() => ModelPatch.Load(folder.Path));

    private static FuzzTarget Adapters() =>
        new(
            "adapter of peft",
            Written(f =>
            {
                File.WriteAllText(
                    f["adapter_config.json"],
                    """
                    {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "lora_dropout": 0.1, "bias": "none",
                     "target_modules": ["q_proj"], "use_rslora": false, "rank_pattern": {}, "alpha_pattern": {},
                     "base_model_name_or_path": "x", "task_type": "CAUSAL_LM"}
                    """
                );
                const string Map = "base_model.model.model.layers.0.self_attn.q_proj";
                SafetensorsWriter.Write(
                    f["adapter_model.safetensors"],
                    [new($"{Map}.lora_A.weight", ones(2, 32)), new($"{Map}.lora_B.weight", ones(32, 2))]
                );
            }),
            Patched
        );

    private static FuzzTarget Moments() =>
        new(
            "second moments",
            Written(f =>
            {
                using var scope = NewDisposeScope();
                var rows = TinyModels.Rows(4);
                var (moments, tokens) = SecondMoments.Collect(Model, rows, Layers);
                SecondMoments.Save(
                    f["m.safetensors"],
                    moments,
                    SecondMoments.Headers(Model, rows, Layers, tokens, 4096)
                );
            }),
            f =>
            {
                using var scope = NewDisposeScope();
                SecondMoments.Load(f["m.safetensors"], Model, Layers);
            }
        );

    private static FuzzTarget Projectors() =>
        new(
            "null-space projectors",
            Written(f =>
            {
                using var scope = NewDisposeScope();
                var rows = TinyModels.Rows(4);
                var (moments, tokens) = SecondMoments.Collect(Model, rows, Layers);
                var headers = SecondMoments.Headers(Model, rows, Layers, tokens, 4096);
                NullSpace.Save(
                    f["p.safetensors"],
                    Layers.Select((l, i) => (NullSpace.Of(moments[l], 0.5, EigenvalueUnit.Mean), headers[i]))
                );
            }),
            f =>
            {
                using var scope = NewDisposeScope();
                NullSpace.Load(f["p.safetensors"], Model, Layers);
            }
        );

    private static FuzzTarget Contexts() =>
        new(
            "context prefixes",
            Written(f =>
                ContextFile.Write(
                    f["c.json"],
                    ModelName,
                    new Dictionary<ContextRecipe, IReadOnlyList<ContextPrefix>>
                    {
                        [ContextRecipe.Memit] = [ContextPrefix.None, new("The \"sun\".", [4, 5]), new("I.", [6])],
                    }
                )
            ),
            f => ContextFile.Read(f["c.json"], ModelName, ContextRecipe.Memit, 2)
        );
}
