namespace EditUnlearn.Models.Weights;

/// <summary>
/// Fields of config.json that need no code of their own: those without effect here, and those that must be neutral.
/// </summary>
internal static class ConfigFields
{
    /// <summary>
    /// Said by real checkpoints, whatever their value, without effect on inference or on training here.
    /// </summary>
    public static IReadOnlySet<string> WithoutEffect { get; } =
        new HashSet<string>(StringComparer.Ordinal)
        {
            // Bookkeeping.
            "_name_or_path",
            "name_or_path",
            "transformers_version",
            "finetuning_task",
            "task_specific_params",
            "tokenizer_class",
            "problem_type",
            "id2label",
            "label2id",
            "unsloth_version",
            "unsloth_fixed",
            "model_name",
            "is_llama_config",
            "transformers.js_config",
            // How some other program runs the model.
            "use_cache",
            "initializer_range",
            "_attn_implementation",
            "_attn_implementation_autoset",
            "_attn_implementation_internal",
            "attn_implementation",
            "_flash_attn_2_enabled",
            "output_attentions",
            "output_hidden_states",
            "output_router_logits",
            "return_dict",
            "torchscript",
            "use_bfloat16",
            "tf_legacy_loss",
            "chunk_size_feed_forward",
            "is_decoder",
            "pad_token_id",
            "sep_token_id",
            // Settings of sampling, from before generation_config.json; answers here are greedy.
            "max_length",
            "min_length",
            "max_new_tokens",
            "do_sample",
            "early_stopping",
            "temperature",
            "top_k",
            "top_p",
            "typical_p",
            "num_beams",
            "num_beam_groups",
            "diversity_penalty",
            "length_penalty",
            "num_return_sequences",
            "output_scores",
            "return_dict_in_generate",
            "remove_invalid_values",
        };

    /// <summary>
    /// Known fields that would change what the model computes; accepted while they say "no": null, false, 0, an empty
    /// list or object.
    /// </summary>
    public static IReadOnlyDictionary<string, string> MustBeNeutral { get; } =
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["attention_dropout"] = "dropout inside attention is not supported",
            ["hidden_dropout"] = "dropout is not supported",
            ["rope_interleaved"] = "the interleaved layout of rotary pairs is not supported",
            ["pruned_heads"] = "pruned heads are not supported",
            ["is_encoder_decoder"] = "only decoders are supported",
            ["add_cross_attention"] = "only decoders are supported",
            ["cross_attention_hidden_size"] = "only decoders are supported",
            ["tie_encoder_decoder"] = "only decoders are supported",
            ["decoder_start_token_id"] = "only decoders are supported",
            ["prefix"] = "a text before every input is not supported",
            ["repetition_penalty"] = "answers are greedy, without penalties",
            ["no_repeat_ngram_size"] = "answers are greedy, without penalties",
            ["encoder_no_repeat_ngram_size"] = "answers are greedy, without penalties",
            ["encoder_repetition_penalty"] = "answers are greedy, without penalties",
            ["bad_words_ids"] = "no token is forbidden in an answer",
            ["suppress_tokens"] = "no token is forbidden in an answer",
            ["begin_suppress_tokens"] = "no token is forbidden in an answer",
            ["forced_bos_token_id"] = "no token is forced into an answer",
            ["forced_eos_token_id"] = "no token is forced into an answer",
            ["exponential_decay_length_penalty"] = "answers are greedy, without penalties",
            // What variants of the architecture add; their authors' own code reads it.
            ["attn_logit_softcapping"] = "capped scores of attention are not supported",
            ["final_logit_softcapping"] = "capped logits are not supported",
            ["logit_scale"] = "scaled logits are not supported",
            ["scale_emb"] = "scaled embeddings are not supported",
            ["scale_depth"] = "a scaled residual stream is not supported",
            ["dim_model_base"] = "scaled logits are not supported",
            ["attention_multiplier"] = "scores of attention divided by another number are not supported",
            ["query_pre_attn_scalar"] = "scores of attention divided by another number are not supported",
            ["clip_qkv"] = "clipped queries, keys and values are not supported",
            ["use_qk_norm"] = "norms of queries and keys are those of the family Qwen3 alone",
            ["qk_layernorm"] = "norms of queries and keys are those of the family Qwen3 alone",
            ["qk_norm"] = "norms of queries and keys are those of the family Qwen3 alone",
            ["no_rope_layers"] = "blocks without rotary angles are not supported",
            ["no_rope_layer_interval"] = "blocks without rotary angles are not supported",
            ["alibi"] = "attention by distance is not supported",
            ["parallel_attn"] = "blocks whose MLP runs beside attention are not supported",
            ["use_parallel_residual"] = "blocks whose MLP runs beside attention are not supported",
            ["lm_head_bias"] = "a bias of the output map is not supported",
            ["resid_pdrop"] = "dropout is not supported",
            ["embd_pdrop"] = "dropout is not supported",
            ["residual_dropout"] = "dropout is not supported",
            ["num_experts"] = "mixtures of experts are not supported",
            ["n_routed_experts"] = "mixtures of experts are not supported",
            ["num_nextn_predict_layers"] = "blocks that predict further tokens are not supported",
            ["cache_implementation"] = "attention that forgets positions is not supported",
            ["attention_chunk_size"] = "attention within chunks is not supported",
            ["embedding_multiplier"] = "scaled embeddings are not supported",
            ["logits_scaling"] = "scaled logits are not supported",
            ["residual_multiplier"] = "a scaled residual stream is not supported",
            ["use_mrope"] = "rotary angles of several kinds of positions are not supported",
        };

    /// <summary>Neutral values of <see cref="MustBeNeutral"/> fields other than nothing.</summary>
    public static IReadOnlyDictionary<string, double> NeutralNumbers { get; } =
        new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["repetition_penalty"] = 1,
            ["encoder_repetition_penalty"] = 1,
            ["embedding_multiplier"] = 1,
            ["attention_multiplier"] = 1,
            ["logit_scale"] = 1,
            ["scale_emb"] = 1,
            ["logits_scaling"] = 1,
            ["residual_multiplier"] = 1,
        };

    /// <summary>Fields refused whatever they say, with the reason and what to do.</summary>
    public static IReadOnlyDictionary<string, (string Why, string Hint)> Refused { get; } =
        new Dictionary<string, (string, string)>(StringComparer.Ordinal)
        {
            ["quantization_config"] = (
                "says the weights are quantised, which is not supported",
                "take the revision in bfloat16 or float16 that it was made from"
            ),
            ["compression_config"] = (
                "says the weights are compressed, which is not supported",
                "take the revision in bfloat16 or float16 that it was made from"
            ),
            ["auto_map"] = (
                "points at Python code that defines the model; no code of a checkpoint is run",
                "take a checkpoint of a plain Llama, Mistral or Qwen architecture"
            ),
            ["num_local_experts"] = (
                "says the MLP is a mixture of experts, which is not supported",
                "take a dense checkpoint"
            ),
            ["adapter_config"] = ("says this is an adapter", "merge the adapter into its base model first"),
        };
}
