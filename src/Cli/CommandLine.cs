using System.Runtime.InteropServices;
using Cocona;
using Cocona.Application;
using Cocona.Builder;
using EditUnlearn.Cli.Commands;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EditUnlearn.Cli;

/// <summary>The commands as Cocona reads them, and the exit code.</summary>
internal static class CommandLine
{
    /// <summary>Runs one command.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        // Cocona ends with 0 after a stop that took more than its shutdown timeout; the signal itself knows better.
        int? signalled = null;
        using var stopping = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Stop(c, ExitCodes.Terminated));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Stop(c, ExitCodes.Interrupted));

        // The default builder would watch the current folder recursively and read its appsettings.json; the bare one
        // does not.
        await new HostBuilder()
            .ConfigureServices(services =>
            {
                services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromMinutes(2));
                services.AddSingleton<ICoconaApplicationMetadataProvider, ToolMetadata>();
                services.AddSingleton(new Stopping(stopping.Token));
            })
            .ConfigureCocona(
                args,
                configureApplication: Add
            )
            .RunConsoleAsync(o => o.SuppressStatusMessages = true)
            .ConfigureAwait(false);

        if (signalled is { } code)
            return code;

        // Cocona answers 129 to --help and to unknown options, and 1 to arguments it cannot read, which here means a
        // failed stage.
        return Environment.ExitCode switch
        {
            129 => args.Any(a => a is "-h" or "--help" or "--version") ? ExitCodes.Done : ExitCodes.Usage,
            1 when !CommandOutcome.Reached => ExitCodes.Usage,
            var other => other,
        };

        void Stop(PosixSignalContext context, int exitCode)
        {
            signalled ??= exitCode;
            context.Cancel = true;
            stopping.Cancel();
        }
    }

    private static void Add(ICoconaCommandsBuilder app)
    {
        app.UseFilter(new ErrorFilter());
        app.AddCommands<ReproCommand>();
        app.AddCommands<InspectCommands>();
        app.AddCommands<CheckCommand>();
        app.AddCommands<ClaimsCommand>();
        app.AddCommands<DiffCommand>();
        app.AddCommands<ApplyCommand>();
        app.AddCommands<AskCommand>();
        app.AddCommands<EvalCommand>();
        app.AddSubCommand("model", x => x.AddCommands<ModelCommands>())
            .WithDescription("Look into a checkpoint: logits, generate, info, convert");
        app.AddCommands<PullCommand>();
        app.AddCommands<DoctorCommand>();
        app.AddCommands<ExplainCommand>();
        app.AddCommands<LockCommand>();
        app.AddCommands<CompletionCommand>();
        app.AddSubCommand("study", x => x.AddCommands<StudyCommand>())
            .WithDescription("The human study: write blind sheets, evaluate what comes back");
        app.AddSubCommand("cache", x => x.AddCommands<CacheCommands>())
            .WithDescription("What the store of results holds; check it, clean it up");
        app.AddSubCommand("dataset", x => x.AddCommands<DatasetCommands>())
            .WithDescription("Check a data set, let a model rephrase it, or generate contracts");
    }
}
