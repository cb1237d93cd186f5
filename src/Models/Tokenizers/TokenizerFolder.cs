using EditUnlearn.Foundation;
using EditUnlearn.Models.Tokenizers.Reading;

namespace EditUnlearn.Models.Tokenizers;

/// <summary>Reads the tokenizer of a Hugging Face model folder, whichever kind it is.</summary>
internal static class TokenizerFolder
{
    /// <summary>
    /// The tokenizer: <c>tokenizer.model</c> where there is one of the SentencePiece kind, else the byte-pair encoding
    /// of <c>tokenizer.json</c>.
    /// </summary>
    /// <remarks>
    /// Where both are there the former wins, since it holds the scores the models were trained with. Added tokens
    /// beyond the model's vocabulary, which some repositories list for padding, have no embedding and are left out.
    /// </remarks>
    /// <param name="folder">The model folder.</param>
    /// <param name="config">Its config: no id may lie beyond its vocabulary.</param>
    /// <exception cref="InputException">There is no tokenizer, one of an unsupported kind, or one that does not fit the
    /// model; everything at once.</exception>
    /// <exception cref="DamagedFileException">A file breaks its format.</exception>
    public static ITokenizer Load(string folder, ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (!Directory.Exists(folder))
            throw new InputException(folder, "there is no such folder");
        var files = TokenizerFiles.Read(folder);
        var (file, tokenizer) =
            files.Find(TokenizerFiles.Model) is { } bytes && !IsRankFile(bytes)
                ? (TokenizerFiles.Model, SentencePiece(files, bytes, config))
            : files.Find(TokenizerFiles.Json) is { } json ? (TokenizerFiles.Json, OfJson(files, json, config))
            : throw Absent(files);
        Check(files.PathOf(file), folder, tokenizer, config);
        return tokenizer;
    }

    private static ITokenizer SentencePiece(TokenizerFiles files, byte[] bytes, ModelConfig config)
    {
        var model = SentencePieceModel.Read(files.PathOf(TokenizerFiles.Model), bytes);
        string? Name(int? id) => id is { } i ? model.Pieces[i].Text : null;
        var own = model
            .Pieces.Index()
            .Where(p => p.Item.Kind is PieceKind.Control or PieceKind.Unknown)
            .Select(p => new AddedToken(p.Item.Text, p.Index, true));
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (id, piece) in model.Pieces.Index())
            known.Add(piece.Text, id);
        return new SentencePieceTokenizer(
            model,
            AddedTokensFiles.Read(files, config.VocabSize, own, known, Name(model.BosId), Name(model.EosId)),
            files
        );
    }

    private static JsonTokenizer OfJson(TokenizerFiles files, byte[] bytes, ModelConfig config)
    {
        var json = TokenizerJson.Read(files.PathOf(TokenizerFiles.Json), bytes);
        // What the file puts around a text is its BOS and its EOS where the folder names none.
        string? Name(IReadOnlyList<int> ids) =>
            ids is [var id] ? json.Added.FirstOrDefault(t => t.Special && t.Id == id).Name : null;
        var added = AddedTokensFiles.Read(
            files,
            config.VocabSize,
            json.Added,
            json.Model.Words,
            Name(json.Post.Before),
            Name(json.Post.After),
            honoursStrips: true
        );
        var reachable = json.Model.Reachable();
        var problems = added
            .Specials.Ids.Where(t => reachable.Contains(t.Value))
            .Select(t => new InputProblem(
                files.PathOf(TokenizerFiles.Json),
                0,
                0,
                $"its merges make the special token '{t.Key}' out of text",
                "such a text could end a turn; the tokenizer is damaged or meant to do harm"
            ))
            .ToList();
        return problems.Count > 0 ? throw new InputException(problems) : new JsonTokenizer(json, added, files);
    }

    private static void Check(string path, string folder, ITokenizer tokenizer, ModelConfig config)
    {
        var problems = new List<InputProblem>();
        if (tokenizer.VocabSize > config.VocabSize)
            problems.Add(
                new InputProblem(
                    path,
                    0,
                    0,
                    $"has {tokenizer.VocabSize} words, but vocab_size in config.json is {config.VocabSize}",
                    "tokenizer and weights belong to different models"
                )
            );
        foreach (
            var (name, id) in config.EosIds.Select(e => ("eos_token_id", e)).Prepend(("bos_token_id", config.BosId))
        )
            if (id >= config.VocabSize)
                problems.Add(
                    new InputProblem(
                        Path.Combine(folder, "config.json"),
                        0,
                        0,
                        $"{name} is {id}, beyond the vocabulary of {config.VocabSize}"
                    )
                );
        if (problems.Count > 0)
            throw new InputException(problems);
    }

    // Meta's own Llama-3 folders call a list of "base64 rank" lines tokenizer.model. A SentencePiece model begins with
    // its first piece, tag 0x0A.
    private static bool IsRankFile(byte[] bytes) =>
        bytes.Length > 0 && (char.IsAsciiLetterOrDigit((char)bytes[0]) || bytes[0] is (byte)'+' or (byte)'/');

    private static InputException Absent(TokenizerFiles files) =>
        files.Find(TokenizerFiles.Model) is not null
            ? new InputException(
                files.PathOf(TokenizerFiles.Model),
                "is a list of ranks, not a SentencePiece model",
                "put the checkpoint's tokenizer.json beside it"
            )
            : new InputException(
                files.Folder,
                $"holds no tokenizer: neither {TokenizerFiles.Model} nor {TokenizerFiles.Json}",
                "copy it from the checkpoint's repository; a model folder holds its tokenizer beside the weights"
            );
}
