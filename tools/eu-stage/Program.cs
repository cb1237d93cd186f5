using System.Diagnostics;
using System.Globalization;
using EditUnlearn.Launcher;

// The packed tool holds no stage code: a packed copy would go stale with the first edit. It finds the checkout around
// the current folder, builds src/Cli when a source file changed, and becomes that program.

const int UsageError = 2;

var checkout = Checkout.Around(Directory.GetCurrentDirectory());
if (checkout is null)
{
    Console.Error.WriteLine(
        "eu-stage: no EditUnlearn checkout here or in a folder above"
            + "\n  hint: change into the folder that holds EditUnlearn.sln"
    );
    return UsageError;
}

if (checkout.Complaint is { } complaint)
{
    Console.Error.WriteLine(complaint);
    return UsageError;
}

// EU_LIBTORCH is read by the program itself, which loads those libraries before its own.
var torch = Environment.GetEnvironmentVariable("EU_TORCH") is { Length: > 0 } chosen ? chosen : "cpu";
var dotnet =
    Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
if (
    Environment.GetEnvironmentVariable("EU_STAGE_NO_BUILD") is not { Length: > 0 }
    && !BringUpToDate(checkout, dotnet, torch)
)
    return 1;

return Handover.To(dotnet, checkout.Program, args);

static bool BringUpToDate(Checkout checkout, string dotnet, string torch)
{
    var stampFile = Path.Combine(checkout.StateFolder, "eu-stage.stamp");
    bool IsFresh(string stamp) =>
        File.Exists(checkout.Program) && File.Exists(stampFile) && File.ReadAllText(stampFile) == stamp;

    if (IsFresh(Freshness.Stamp(checkout, torch)))
        return true;

    Directory.CreateDirectory(checkout.StateFolder);
    using var building = WaitForLock(Path.Combine(checkout.StateFolder, "eu-stage.lock"));
    // Another call may have built meanwhile. The stamp is taken before the build: an edit made during it means another
    // build.
    var stamp = Freshness.Stamp(checkout, torch);
    if (IsFresh(stamp))
        return true;

    Console.Error.WriteLine("eu-stage: sources changed, building");
    var start = new ProcessStartInfo(dotnet) { UseShellExecute = false, RedirectStandardOutput = true };
    // Analysers and documentation do not change a byte of what is built; `dotnet build` and the gate have both.
    foreach (
        var a in (string[])
            [
                "build",
                checkout.Project,
                "-c",
                "Release",
                "-v",
                "q",
                "--nologo",
                $"-p:Torch={torch}",
                "-p:RunAnalyzers=false",
                "-p:GenerateDocumentationFile=false",
            ]
    )
        start.ArgumentList.Add(a);
    // `dotnet build -t:Repro` has just restored the solution, in the flavour that restores everywhere.
    if (Environment.GetEnvironmentVariable("EU_STAGE_RESTORED") == "1" && torch == "cpu")
        start.ArgumentList.Add("--no-restore");
    // Set by an outer MSBuild (build -t:Repro) for itself; here they would point at the wrong SDK state.
    foreach (
        var name in (string[])
            ["MSBUILD_EXE_PATH", "MSBuildExtensionsPath", "MSBuildSDKsPath", "MSBuildLoadMicrosoftTargetsReadOnly"]
    )
        start.Environment.Remove(name);
    using var build = Process.Start(start)!;
    var output = build.StandardOutput.ReadToEnd();
    build.WaitForExit();
    if (build.ExitCode != 0)
    {
        Console.Error.Write(output);
        Console.Error.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"eu-stage: the build failed with exit code {build.ExitCode}; nothing was run"
            )
        );
        return false;
    }
    File.WriteAllText(stampFile, stamp);
    return true;
}

static FileStream WaitForLock(string path)
{
    for (var announced = false; ; announced = true)
    {
        try
        {
            return new FileStream(
                path,
                FileMode.OpenOrCreate,
                FileAccess.ReadWrite,
                FileShare.None,
                1,
                FileOptions.None
            );
        }
        catch (IOException)
        {
            if (!announced)
                Console.Error.WriteLine("eu-stage: waiting for another build of this checkout");
            Thread.Sleep(100);
        }
    }
}
