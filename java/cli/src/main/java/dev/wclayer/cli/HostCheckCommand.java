package dev.wclayer.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.wclayer.LayerException;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

@Command(
        name = "host-check",
        sortOptions = false,
        description = {
            "Try everything on this host, in a temporary home, and report what came of it.",
            "Exit status 1: something failed. What to do with the report: docs/windows-host.md."
        })
final class HostCheckCommand implements Callable<Integer> {
    @ParentCommand
    private Wclayer root;

    @Option(names = "--report", paramLabel = "FILE", description = "Write the report there, as JSON.")
    private @Nullable Path report;

    @Option(
            names = "--base",
            paramLabel = "FILE",
            description = "The tar of a real base layer to begin with, as Windows' own functions want one. "
                    + "Default: a made-up one.")
    private @Nullable Path base;

    @Override
    public Integer call() throws IOException {
        Output output = root.output();
        Path given = root.givenHome();
        if (given != null) {
            Files.createDirectories(given);
        }
        // On the volume of the home that is named: what Windows can do depends on it.
        Path work = given == null
                ? Files.createTempDirectory("wclayer-host-check-")
                : Files.createTempDirectory(given, "host-check-");
        JsonObject result = environment(work);
        JsonArray steps;
        try {
            steps = check(work, output);
        } finally {
            TemporaryFolders.delete(work);
        }
        result.add("steps", steps);
        boolean ok = true;
        for (int i = 0; i < steps.size(); i++) {
            ok &= steps.get(i).getAsJsonObject().get("outcome").getAsString().equals("ok");
        }
        result.addProperty("ok", ok);
        if (report != null) {
            Files.writeString(report, result + "\n");
        }
        if (output.wantsJson()) {
            output.json(result);
        } else {
            output.line(ok ? "Everything worked." : "Something failed: please send the report (--report FILE).");
        }
        return ok ? CommandLines.OK : CommandLines.NO;
    }

    private JsonArray check(Path work, Output output) throws IOException {
        HostCheck.Listener listener = step -> {
            if (!output.wantsJson()) {
                output.line(String.format(
                        Locale.ROOT,
                        "%-7s %s: %s",
                        step.outcome().name().toLowerCase(Locale.ROOT),
                        step.name(),
                        step.detail()));
            }
        };
        try (WindowsDriver driver = root.open(work.resolve("home"))) {
            return HostCheck.json(new HostCheck(driver, work, listener).run(base));
        } catch (LayerException failure) {
            // Of the opening: everything later is a step.
            HostCheck.Step opening = new HostCheck.Step(
                    "Open", HostCheck.Outcome.FAILED, String.valueOf(failure.getMessage()), 0, failure);
            listener.ended(opening);
            return HostCheck.json(List.of(opening));
        }
    }

    private static JsonObject environment(Path work) throws IOException {
        JsonObject object = new JsonObject();
        object.addProperty("wclayer", "0.1.0");
        for (String name : List.of("os.name", "os.version", "os.arch", "java.version", "java.vendor")) {
            object.addProperty(name, System.getProperty(name));
        }
        FileStore store = Files.getFileStore(work);
        object.addProperty("fileSystem", store.type());
        object.addProperty("freeBytes", store.getUsableSpace());
        return object;
    }
}
