using System.Reflection;
using Cocona;
using EditUnlearn.Foundation;
using EditUnlearn.Pipeline;
using EditUnlearn.Stages;

namespace EditUnlearn.Cli.Commands;

/// <summary>
/// <c>completion</c>: what a shell needs to complete commands, options, and the names of stages, cells and profiles.
/// </summary>
internal sealed class CompletionCommand
{
    /// <summary>
    /// The hidden verb by which a shell asks; the words typed so far follow, the last one unfinished.
    /// </summary>
    public const string Verb = "complete";

    private static readonly string[] Shells = ["bash", "zsh", "fish", "pwsh"];

    /// <summary>Prints a script.</summary>
    [Command(
        "completion",
        Description = "Completion for a shell: eval \"$(dotnet eu-stage completion bash)\"; bash, zsh, fish or pwsh"
    )]
    public int Completion([Argument(Description = "bash, zsh, fish or pwsh")] string shell)
    {
        CommandOutcome.Reached = true;
        if (!Shells.Contains(shell))
            throw new InputException(
                shell,
                "is not a shell known here",
                Spelling.Nearest(shell, Shells) is { } near
                    ? $"did you mean '{near}'?"
                    : "known: " + string.Join(", ", Shells)
            );
        using var stream = typeof(CompletionCommand).Assembly.GetManifestResourceStream(
            $"EditUnlearn.Cli.Completion.{shell}"
        )!;
        using var reader = new StreamReader(stream);
        Console.Out.Write(reader.ReadToEnd().ReplaceLineEndings("\n"));
        return ExitCodes.Done;
    }

    /// <summary>
    /// Answers a shell: one candidate a line. Says nothing rather than fail: a broken pipeline must not break a prompt.
    /// </summary>
    public static int Answer(IReadOnlyList<string> words)
    {
        try
        {
            foreach (var candidate in Candidates(words, PlanOf))
                Console.Out.WriteLine(candidate);
        }
        catch (Exception e) when (e is InputException or IOException or UnauthorizedAccessException)
        {
            // No candidates.
        }
        return ExitCodes.Done;
    }

    /// <summary>What may stand in the place of the last word.</summary>
    /// <param name="words">After the name of the program; the last one is being typed and may be empty.</param>
    /// <param name="planOf">The plan of a profile, null for the default one.</param>
    public static IReadOnlyList<string> Candidates(
        IReadOnlyList<string> words,
        Func<string?, (Plan? Plan, IReadOnlyList<string> Profiles)> planOf
    )
    {
        var current = words.Count > 0 ? words[^1] : "";
        IReadOnlyList<string> Starting(IEnumerable<string> all) =>
            [
                .. all.Where(c => c.StartsWith(current, StringComparison.Ordinal))
                    .Distinct()
                    .Order(StringComparer.Ordinal),
            ];
        if (words.Count <= 1)
            return Starting(Verbs.Known.Concat(current.StartsWith('-') ? ["--help", "--version"] : []));
        var members = Members(words[0]);
        var group = members.Count > 0 && members.All(m => m.Name != words[0]);
        if (group && words.Count == 2)
            return Starting(members.Select(m => m.Name));
        if (members.Find(m => m.Name == (group ? words[1] : words[0])).Method is not { } command)
            return [];
        var options = command
            .GetParameters()
            .Select(p => (p.Name, Option: p.GetCustomAttribute<OptionAttribute>()))
            .Where(p => p.Option is not null)
            .ToList();
        if (current.StartsWith('-'))
            return Starting([.. options.Select(o => "--" + (o.Option!.Name ?? Kebab(o.Name!))), "--help"]);
        var profile = words.Zip(words.Skip(1)).FirstOrDefault(p => p.First == "--profile").Second
            is { Length: > 0 } given
            ? given
            : null;
        switch (words[^2])
        {
            case "--profile":
                return Starting(planOf(null).Profiles);
            case "--format":
                return Starting(["text", "mermaid", "dot"]);
            case "--executor":
                return Starting([ReproCommand.Local, ReproCommand.Slurm]);
            case "--set":
                return current.Contains('=', StringComparison.Ordinal)
                    ? []
                    : Starting(planOf(profile).Plan?.Settings.Select(s => s.Path + "=") ?? []);
        }
        if (words[0] == "completion")
            return Starting(Shells);
        // Paths are the shell's own business.
        return TakesTargets(command) && planOf(profile).Plan is { } plan ? Starting(Targets(plan, current)) : [];
    }

    private static bool TakesTargets(MethodInfo command) =>
        command
            .GetParameters()
            .Any(p =>
                p.GetCustomAttribute<ArgumentAttribute>() is not null && p.Name is "target" or "targets" or "answers"
            );

    // Cells only once a stage is chosen: a study has hundreds.
    private static IEnumerable<string> Targets(Plan plan, string current) =>
        current.Contains('[', StringComparison.Ordinal)
            ? plan.Cells.Select(c => c.Id.Text)
            : plan.Stages.SelectMany(s =>
                (string[])[s.Name, .. s.Axes.Count > 0 && current == s.Name ? [s.Name + "["] : Array.Empty<string>()]
            );

    // Commands of a verb, found where Cocona finds them: a class called like the verb is a group, others are commands
    // of their own name.
    private static List<(string Name, MethodInfo Method)> Members(string verb)
    {
        var all = typeof(CompletionCommand)
            .Assembly.GetTypes()
            .Where(t => t.Namespace == typeof(CompletionCommand).Namespace)
            .SelectMany(t =>
                t.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                    .Select(m => (Type: t, Method: m, m.GetCustomAttribute<CommandAttribute>()?.Name))
            )
            .Where(m => m.Name is not null)
            .ToList();
        var own = all.Where(m => m.Name == verb).ToList();
        return
        [
            .. (
                own.Count > 0
                    ? own
                    : all.Where(m =>
                        string.Equals(
                            m.Type.Name.Replace("Commands", "", StringComparison.Ordinal)
                                .Replace("Command", "", StringComparison.Ordinal),
                            verb,
                            StringComparison.OrdinalIgnoreCase
                        )
                    )
            ).Select(m => (m.Name!, m.Method)),
        ];
    }

    private static (Plan? Plan, IReadOnlyList<string> Profiles) PlanOf(string? profile)
    {
        var file = PipelineFile.Read(Path.Combine(Study.FindRoot(), PipelineFile.FileName));
        try
        {
            return (PlanBuilder.Build(file, StudyStages.Catalog, new PlanRequest(profile)), file.Profiles);
        }
        catch (InputException)
        {
            return (null, file.Profiles);
        }
    }

    private static string Kebab(string name) =>
        string.Concat(name.Select(c => char.IsUpper(c) ? "-" + char.ToLowerInvariant(c) : c.ToString()));
}
