using System.Collections.Concurrent;
using System.Text.Json;
using EditUnlearn.Methods.Shared;
using EditUnlearn.Models;
using EditUnlearn.Models.Families;
using EditUnlearn.Models.Tokenizers;
using EditUnlearn.Tests.Support;

namespace EditUnlearn.Tests.Golden.Models;

/// <summary>Every case of every golden of the real tokenizers: ids, offsets, marks, borders, decoding. Exact.</summary>
[Trait("Category", "Golden")]
public sealed class TokenizerGoldenTests
{
    private const string Part = "tokenizers";
    private static readonly ConcurrentDictionary<string, Lazy<Golden>> Loaded = new();

    public static TheoryData<string> Files() =>
        [
            .. Goldens
                .Files(Checkout.Goldens, Part + "/*.json")
                .Where(HasTokenizer)
                .Select(f => Path.GetFileName(f)!)
                .Order(StringComparer.Ordinal),
        ];

    [TokenizerTheory]
    [MemberData(nameof(Files))]
    public void Ids_and_offsets_of_every_text_agree(string file) =>
        Check(
            file,
            c =>
            {
                var spans = Spans(c, c.Text);
                if (!spans.Select(s => s.Id).SequenceEqual(c.Ids))
                    return $"ids {Show(spans.Select(s => s.Id))}, not {Show(c.Ids)}";
                if (!spans.Select(s => (s.Start, s.End)).SequenceEqual(c.Offsets))
                    return $"offsets {Show(spans.Select(s => (s.Start, s.End)))}, not {Show(c.Offsets)}";
                if (!c.ParsesSpecial && !c.Golden.Tokenizer.Encode(c.Text).SequenceEqual(c.Ids))
                    return "ids without offsets differ";
                int[] withBos = [c.Golden.Encoder.BosId!.Value, .. spans.Select(s => s.Id)];
                return withBos.SequenceEqual(c.Numbers("ids_with_bos")) ? null : $"with BOS {Show(withBos)}";
            }
        );

    [TokenizerTheory]
    [MemberData(nameof(Files))]
    public void Every_text_comes_back(string file) =>
        Check(
            file,
            c =>
            {
                var special = c.Golden.Tokenizer.Specials.Ids;
                // The vocabulary cannot tell its own sign for the space from a space.
                var text = c.Golden.IsSentencePiece ? c.Text.Replace('\u2581', ' ') : c.Text;
                if (c.ParsesSpecial || special.Values.Any(c.Ids.Contains))
                    return null;
                var back = c.Golden.Tokenizer.Decode(c.Ids);
                return back == text ? null : $"decoded '{back}'";
            }
        );

    [TokenizerTheory]
    [MemberData(nameof(Files))]
    public void Templates_agree(string file) =>
        Check(
            file,
            c =>
            {
                if (c.String("question") is not { } question)
                    return null;
                var encoder = c.Group == "plain-prompt" ? c.Golden.Plain : c.Golden.Encoder;
                if (encoder.Template.Prompt(question) + c.String("answer") != c.Text)
                    return $"the template gives '{encoder.Template.Prompt(question)}'";
                var ids = c.String("answer") is { } answer
                    ? encoder.Row(question, answer, end: false).Ids
                    : encoder.Prompt(question);
                return ids.SequenceEqual(c.Numbers("ids_with_bos"))
                    ? null
                    : $"ids {Show(ids)}, not {Show(c.Numbers("ids_with_bos"))}";
            }
        );

    [TokenizerTheory]
    [MemberData(nameof(Files))]
    public void Borders_of_prompt_and_target_agree(string file) =>
        Check(file, c => c.Group == "boundary" ? Border(c) : null);

    // Preset C: cut in context. Preset R: the target encoded by itself, decoded without its last token, encoded again.
    private static string? Border(Case c)
    {
        var (tokenizer, encoder) = (c.Golden.Tokenizer, c.Golden.Encoder);
        var (prompt, target, join) = (c.String("prompt")!, c.String("target")!, c.String("join")!);
        if (!Spans(c, prompt).Select(s => s.Id).SequenceEqual(c.Numbers("prompt_ids")))
            return "prompt_ids";
        if (!tokenizer.Encode(target).SequenceEqual(c.Numbers("target_ids_alone")))
            return "target_ids_alone";
        if (!tokenizer.Encode(" " + target).SequenceEqual(c.Numbers("space_target_ids_alone")))
            return "space_target_ids_alone";
        if (prompt.Length + join.Length != c.Json.GetProperty("target_first_char").GetInt32())
            return "target_first_char";

        var around = encoder.Template.Pattern.Split(ChatTemplate.Slot);
        var chat =
            prompt.StartsWith(around[0], StringComparison.Ordinal)
            && prompt.EndsWith(around[1], StringComparison.Ordinal);
        var question = chat ? prompt[around[0].Length..^around[1].Length] : prompt;
        var row = encoder.Row(question, join + target, end: false, raw: !chat);
        if (row.LabelStart - 1 != c.Json.GetProperty("target_first_token").GetInt32())
            return $"the target begins at token {row.LabelStart - 1}";
        if (!row.Ids.Skip(row.LabelStart).SequenceEqual(c.Numbers("target_ids_in_context")))
            return $"in context {Show(row.Ids.Skip(row.LabelStart))}";
        var whole = Spans(c, c.Text).Select(s => s.Id);
        var isPrefix = whole.Take(row.LabelStart - 1).SequenceEqual(c.Numbers("prompt_ids"));
        if (
            isPrefix != c.Json.GetProperty("prompt_is_prefix").GetBoolean()
            || isPrefix == c.Json.GetProperty("crosses_boundary").GetBoolean()
        )
            return "prompt_is_prefix";

        if (!c.Json.TryGetProperty("round_trip", out var trip))
            return null;
        var t = tokenizer.Encode(" " + target);
        if (t.Count != trip.GetProperty("n").GetInt32())
            return "n";
        if (tokenizer.Decode(t.Take(t.Count - 1)) != trip.GetProperty("decoded").GetString())
            return $"decoded '{tokenizer.Decode(t.Take(t.Count - 1))}'";
        if (target.StartsWith(' '))
            return null;
        EditRequests.Options options = new()
        {
            TargetIds = TargetIdsMode.TextRoundTrip,
            Format = chat ? PromptFormat.Chat : PromptFormat.Raw,
        };
        var request = EditRequests.FromText(c.Golden.Checkpoint, c.Name, question, question, 0, target, options);
        if (!request.TargetIds.SequenceEqual(t))
            return "target of the request";
        if (
            !request
                .PromptIds.Skip(1)
                .Concat(request.Continuation!)
                .SequenceEqual(trip.GetProperty("row_ids").EnumerateArray().Select(i => i.GetInt32()))
        )
            return $"row {Show(request.PromptIds.Concat(request.Continuation!))}";
        return request.Continuation!.Count == trip.GetProperty("extra_tokens").GetInt32() ? null : "extra_tokens";
    }

    private static IReadOnlyList<TokenSpan> Spans(Case c, string text) =>
        c.ParsesSpecial ? c.Golden.Tokenizer.ParseSpecial(text) : c.Golden.Tokenizer.EncodeWithOffsets(text);

    private static void Check(string file, Func<Case, string?> difference)
    {
        var golden = Loaded.GetOrAdd(file, f => new(() => new Golden(f))).Value;
        Assert.NotEmpty(golden.Cases);
        var wrong = golden
            .Cases.Select(c => (c.Name, c.Text, What: difference(c)))
            .Where(p => p.What is not null)
            .ToList();
        Assert.True(
            wrong.Count == 0,
            $"{wrong.Count} of {golden.Cases.Count} cases of {file} differ:\n"
                + string.Join(
                    '\n',
                    wrong
                        .Take(10)
                        .Select(p =>
                            $"{p.Name}, {JsonSerializer.Serialize(p.Text[..Math.Min(80, p.Text.Length)])}: {p.What}"
                        )
                )
        );
    }

    private static string Show<T>(IEnumerable<T> items) => "[" + string.Join(' ', items) + "]";

    private static bool HasTokenizer(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        return GoldenTokenizer.Find(json.RootElement) is not null;
    }

    /// <summary>Skips where golden files or the tokenizers they speak of are absent.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class TokenizerTheoryAttribute : TheoryAttribute, IReadsGoldens
    {
        public TokenizerTheoryAttribute() =>
            Skip =
                Goldens.Missing(Needs)
                ?? (
                    Goldens.Files(Checkout.Goldens, Needs).Any(HasTokenizer)
                        ? null
                        : $"absent: the tokenizers that {Part} speaks of (set EU_SHARED to the folder that holds them)"
                );

        /// <inheritdoc/>
        public string Needs => Part + "/*.json";
    }

    private sealed class Golden
    {
        public Golden(string file)
        {
            var head = Goldens.Json(Part, file);
            var path = GoldenTokenizer.Find(head)!;
            Assert.True(GoldenTokenizer.Is(head, path), $"{path} is not the tokenizer that {file} speaks of");
            IsSentencePiece = path.EndsWith(".model", StringComparison.Ordinal);
            var model = TinyModels.Llama();
            var config = model.Config with { VocabSize = 1 << 18, BosId = head.GetProperty("bos_id").GetInt32() };
            using var folder = new TemporaryFolder();
            File.Copy(path, folder[Path.GetFileName(path)]);
            Cases = [.. head.GetProperty("cases").EnumerateArray().Select(c => new Case(this, c))];
            Assert.Equal(head.GetProperty("count").GetInt32(), Cases.Count);
            (Tokenizer, Encoder) = FamilyCatalog
                .All.Select(f => Read(folder.Path, config with { Family = f.Name }, f.Template))
                .First(e => Fits(e.Encoder));
            Plain = new RowEncoder(Tokenizer, TemplateCatalog.Get("plain"), config);
            // The weights do not matter here; the tiny ones lend a checkpoint its form.
            Checkpoint = new Checkpoint(model, Tokenizer, Encoder.Template);
        }

        private static (ITokenizer Tokenizer, RowEncoder Encoder) Read(
            string folder,
            ModelConfig config,
            ChatTemplate template
        )
        {
            var tokenizer = TokenizerFolder.Load(folder, config);
            return (tokenizer, new RowEncoder(tokenizer, template, config));
        }

        // Which family a tokenizer belongs to shows in the first prompt: its template is that family's.
        private bool Fits(RowEncoder encoder)
        {
            var prompt = Cases.FirstOrDefault(c =>
                c.String("question") is not null && c.String("answer") is null && c.Group != "plain-prompt"
            );
            return prompt is null
                || (
                    encoder.Template.Prompt(prompt.String("question")!) == prompt.Text
                    && encoder.Prompt(prompt.String("question")!).SequenceEqual(prompt.Numbers("ids_with_bos"))
                );
        }

        public bool IsSentencePiece { get; }

        public ITokenizer Tokenizer { get; }

        public RowEncoder Encoder { get; }

        public RowEncoder Plain { get; }

        public Checkpoint Checkpoint { get; }

        public IReadOnlyList<Case> Cases { get; }
    }

    private sealed record Case(Golden Golden, JsonElement Json)
    {
        public string Name => String("name")!;

        public string Group => String("group")!;

        public string Text => String("text")!;

        public bool ParsesSpecial => Json.TryGetProperty("parse_special", out var set) && set.GetBoolean();

        public IReadOnlyList<int> Ids => Numbers("ids");

        public IEnumerable<(int, int)> Offsets =>
            Json.GetProperty("offsets").EnumerateArray().Select(o => (o[0].GetInt32(), o[1].GetInt32()));

        public string? String(string name) => Json.TryGetProperty(name, out var value) ? value.GetString() : null;

        public IReadOnlyList<int> Numbers(string name) =>
            [.. Json.GetProperty(name).EnumerateArray().Select(i => i.GetInt32())];
    }
}
