package dev.wclayer.cli;

import dev.wclayer.Backend;
import dev.wclayer.LayerException;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command line without a command: the options that all commands share. */
@Command(
        name = "wclayer",
        description = "Stores, compares, mounts, imports and exports Windows container layers.",
        synopsisSubcommandLabel = "COMMAND",
        version = "wclayer 0.1.0",
        scope = ScopeType.INHERIT,
        mixinStandardHelpOptions = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        footerHeading = "%nExit status: 0 done; 1 a plain \"no\"; 2 wrong usage; 3 failed.%n",
        subcommands = {
            QuickstartCommand.class,
            CreateCommand.class,
            ApplyCommand.class,
            DiffCommand.class,
            ChangesCommand.class,
            DiffSizeCommand.class,
            DiffPathCommand.class,
            GetCommand.class,
            PutCommand.class,
            RemoveCommand.class,
            ExistsCommand.class,
            ListCommand.class,
            StatusCommand.class,
            MetadataCommand.class,
            BaseImagesCommand.class,
            CleanupCommand.class,
            LsCommand.class,
            StatCommand.class,
            CatCommand.class,
            LintCommand.class,
            VerifyCommand.class,
            RepairCommand.class,
            GcCommand.class,
            HostCheckCommand.class,
        })
final class Wclayer implements Runnable {
    /** Which of Docker's two Windows drivers. */
    enum Driver {
        WINDOWSFILTER,
        WINDOWSDIFF
    }

    private final Streams streams;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--home",
            scope = ScopeType.INHERIT,
            paramLabel = "DIR",
            description = "Where the layers are. Default: $WCLAYER_HOME, else /var/lib/wclayer as root and "
                    + "$XDG_DATA_HOME/wclayer otherwise.")
    private @Nullable Path home;

    @Option(
            names = "--driver",
            scope = ScopeType.INHERIT,
            paramLabel = "windowsfilter|windowsdiff",
            description = "Which driver. Default: windowsfilter.")
    private Driver driver = Driver.WINDOWSFILTER;

    @Option(
            names = "--backend",
            scope = ScopeType.INHERIT,
            paramLabel = "auto|system|portable",
            description = "Who does the work: this Windows, or the portable store. Default: auto.")
    private Backend backend = Backend.AUTO;

    @Option(names = "--json", scope = ScopeType.INHERIT, description = "Print one JSON value on stdout.")
    private boolean json;

    @Option(
            names = "--option",
            scope = ScopeType.INHERIT,
            hidden = true,
            paramLabel = "NAME=VALUE",
            description = "An option of the driver, as lockWait=0 or mount=checkout.")
    private Map<String, String> options = new LinkedHashMap<>();

    Wclayer(Streams streams) {
        this.streams = streams;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "which command?");
    }

    Streams streams() {
        return streams;
    }

    boolean json() {
        return json;
    }

    Output output() {
        return new Output(streams.out(), json);
    }

    @Nullable
    Path givenHome() {
        return home;
    }

    WindowsDriver open() throws LayerException {
        return open(home == null ? defaultHome(System.getenv(), runsAsRoot()) : home);
    }

    WindowsDriver open(Path where) throws LayerException {
        WindowsDriver.Builder builder = WindowsDriver.builder(where).backend(backend);
        if (driver == Driver.WINDOWSDIFF) {
            builder.windowsDiff();
        }
        options.forEach(builder::option);
        return builder.open();
    }

    static Path defaultHome(Map<String, String> environment, boolean root) {
        String named = environment.getOrDefault("WCLAYER_HOME", "");
        if (!named.isEmpty()) {
            return Path.of(named);
        }
        if (root) {
            return Path.of("/var/lib/wclayer");
        }
        String data = environment.getOrDefault("XDG_DATA_HOME", "");
        // The XDG rules: a relative path counts as absent.
        Path base = !data.isEmpty() && Path.of(data).isAbsolute()
                ? Path.of(data)
                : Path.of(System.getProperty("user.home", "."), ".local", "share");
        return base.resolve("wclayer");
    }

    private static boolean runsAsRoot() {
        try {
            return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException noUnix) {
            return false;
        }
    }
}
