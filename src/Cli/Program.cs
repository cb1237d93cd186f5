using EditUnlearn.Cli;
using EditUnlearn.Cli.Commands;

// A worker talks JSON lines with the scheduler that started it; it needs no command line.
if (args is [WorkerCommand.Verb, ..])
    return WorkerCommand.Run();

if (args is [SlurmJobCommand.Verb, var job])
    return SlurmJobCommand.Run(job);

if (args is [NativeNumerics.Verb, ..])
    return NativeNumerics.Probe();

if (args is [CompletionCommand.Verb, .. var words])
    return CompletionCommand.Answer(words);

if (NoOp.Answer(args) is { } done)
    return done;

if (Verbs.Complaint(args) is { } complaint)
{
    EditUnlearn.Cli.Terminal.Screen.Error(complaint);
    return ExitCodes.Usage;
}

// Kept out of this method, which would load all of it.
return await CommandLine.RunAsync(args).ConfigureAwait(false);
